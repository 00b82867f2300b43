import { expect, test } from 'vitest'
import { KINDS } from '../api/types.ts'
import { hopTerms, identityOf, keyOf, quote, term, termsOf, type Identity } from './key.ts'

const reviews: Identity = { kind: 'internal', tag: 'workload', name: 'reviews', group: 'prod' }

test.each<Identity>([
  reviews,
  { kind: 'other', tag: '', name: '', group: '' },
  { kind: 'external', tag: 'name', name: 'a/b,c "d" <e> é%', group: '/' },
])('a key tells who it is: %j', (id) => {
  expect(identityOf(keyOf(id))).toEqual(id)
  expect(keyOf(id)).not.toMatch(/[,\s]/)
})

test.each(['', 'a/b/c', 'nobody/a/b/c', 'internal/a/%E0%A4%A/c', 'internal/a/b/c/d'])('%j is no key', (key) => {
  expect(identityOf(key)).toBeUndefined()
})

test('a node is asked for by what it is named by, and by what it lacks', () => {
  expect(termsOf('client', reviews, 'workload', 'namespace')).toEqual([
    'client.workload="reviews"',
    'client.namespace="prod"',
    'client.kind="internal"',
  ])
  expect(
    termsOf('server', { kind: 'external', tag: 'type', name: 'public', group: '' }, 'workload', 'namespace'),
  ).toEqual(['server.workload=', 'server.name=', 'server.type="public"', 'server.namespace=', 'server.kind="external"'])
  expect(termsOf('server', { kind: 'internal', tag: 'name', name: 'curl', group: '' }, 'name', '')).toEqual([
    'server.name="curl"',
    'server.kind="internal"',
  ])
  expect(termsOf('client', { kind: 'other', tag: '', name: '', group: '' }, 'name', '')).toEqual([
    'client.kind="other"',
  ])
})

test('nothing in a value means anything', () => expect(quote('a" b\\*')).toBe('"a\\" b\\\\*"'))

test('hops within a pod are left out where each is from a node to itself', () => {
  const folded = { shown: false, folded: 3 }
  const out = ['scope!=pod', 'scope!=container']
  expect(hopTerms(['workload'], folded)).toEqual(out)
  expect(hopTerms(['name', 'port'], folded)).toEqual(out)
  expect(hopTerms(['name'], { shown: false, folded: 0 })).toEqual([])
  expect(hopTerms(['workload'], { shown: true, folded: 0 })).toEqual([])
  expect(hopTerms(['container'], folded)).toEqual([])
  expect(hopTerms(['workload', 'port', 'scope'], folded)).toEqual([])
  expect(hopTerms(['workload', 'image.tag'], folded)).toEqual([])
})

test.each([
  ['client', 'zone', 'a', 'client.zone="a"'],
  ['', 'port', '443', 'port="443"'],
  ['server', 'pod', '', 'server.pod='],
  ['server', 'name', 'a"b', 'server.name="a\\"b"'],
] as const)('a term of %j, %s and %j is %s', (side, tag, value, want) => expect(term(side, tag, value)).toBe(want))

test('a server by its port has one; a client by its port is known by its name', () => {
  const id: Identity = { kind: 'internal', tag: 'name', name: 'curl', group: '' }
  expect(termsOf('client', id, 'port', '')).toEqual(['client.name="curl"', 'client.kind="internal"'])
  expect(termsOf('server', { ...id, tag: 'port', name: '443' }, 'port', '')).toEqual([
    'server.port="443"',
    'server.kind="internal"',
  ])
  expect(termsOf('server', id, 'port', '')).toEqual(['server.port=', 'server.name="curl"', 'server.kind="internal"'])
})

test('a group is a term too, also the group of those without one', () => {
  expect(termsOf('client', { ...reviews, group: '' }, 'workload', 'zone')).toContain('client.zone=')
  expect(termsOf('client', reviews, 'workload', '')).toHaveLength(2)
})

test('the kind of every node can be read back from its key', () => {
  for (const kind of KINDS) expect(identityOf(keyOf({ ...reviews, kind }))?.kind).toBe(kind)
})
