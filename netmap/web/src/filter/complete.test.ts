import { describe, expect, test } from 'vitest'
import type { Tag } from '../api/types.ts'
import {
  following,
  isKind,
  meaning,
  nameProposals,
  split,
  spotAt,
  take,
  valueText,
  withoutTerms,
  withTerms,
} from './complete.ts'

/** The cursor is where the bar is. */
function spot(marked: string) {
  const cursor = marked.indexOf('|')
  return spotAt(marked.replace('|', ''), cursor)
}

describe('what is being written', () => {
  test.each([
    ['|', 'name', '', ''],
    ['nam|', 'name', '', 'nam'],
    ['!nam|', 'name', '', 'nam'],
    ['-client.na|me=x', 'name', '', 'client.na'],
    ['namespace=pr|', 'value', 'namespace', 'pr'],
    ['server.zone!=|', 'value', 'server.zone', ''],
    ['namespace=prod,de|', 'value', 'namespace', 'de'],
    ['workload="a b|"', 'value', 'workload', 'a b'],
    ['workload="a,b" por|', 'name', '', 'por'],
    ['a=b |', 'name', '', ''],
    ['a=b| c=d', 'value', 'a', 'b'],
    ['workload="a\\" b" por|', 'name', '', 'por'],
    ['workload="a\\",b",de|', 'value', 'workload', 'de'],
  ])('%s: %s of %j', (marked, kind, tag, text) => expect(spot(marked)).toMatchObject({ kind, tag, text }))
})

describe('a proposal that is taken', () => {
  test.each([
    ['nam|', 'namespace', 'namespace=|'],
    ['!cli|', 'client.pod', '!client.pod=|'],
    ['namespace=pr|', 'prod', 'namespace=prod |'],
    ['namespace=pr|,dev', 'prod', 'namespace=prod|,dev'],
    ['namespace=prod,|', 'a b', 'namespace=prod,"a b" |'],
    ['workload="a b|"', 'a "b"', 'workload="a \\"b\\"" |'],
    ['x|y=1 z=2', 'xx', 'xx=| z=2'],
  ])('%s and %s is %s', (marked, proposal, want) => {
    const taken = take(marked.replace('|', ''), spot(marked), proposal)
    expect(taken.filter.slice(0, taken.cursor) + '|' + taken.filter.slice(taken.cursor)).toBe(want)
  })
})

test('names: what begins with the text first, then either side before one', () => {
  const tag = (tag: string, of: 'end' | 'edge' = 'end', values = 1): Tag => ({
    tag,
    attribute: tag,
    of,
    ends: 1,
    values,
  })
  expect(nameProposals([tag('pod'), tag('port', 'edge'), tag('zone', 'end', 0)], 'po')).toEqual([
    'pod',
    'port',
    'client.pod',
    'server.pod',
  ])
  expect(nameProposals([tag('zone', 'end', 0)], 'zone')).toEqual([])
})

test.each([
  [-1, 1, 3, 0],
  [-1, -1, 3, 2],
  [0, 1, 3, 1],
  [2, 1, 3, 0],
  [0, -1, 3, 2],
  [1, 1, 0, -1],
])('from proposal %i, %i further, of %i: %i', (active, by, count, want) => {
  expect(following(active, by, count)).toBe(want)
})

test.each([
  ['client.kind', true, 'client: internal, external, unresolved, other'],
  ['server.workload.kind', false, 'Workload kind of the server'],
  ['workload.kind', false, 'Workload kind'],
  ['client.zone', false, 'Zone of the client'],
  ['port', false, 'Port'],
])('%s is the kind of an end: %s; it stands for %s', (name, kind, words) => {
  expect([isKind(name), meaning(name)]).toEqual([kind, words])
})

test('values are quoted where they would mean more', () => {
  expect(['prod', 'a b', 'a*', '', 'a,b', '10.0.0.1'].map(valueText)).toEqual([
    'prod',
    '"a b"',
    '"a*"',
    '',
    '"a,b"',
    '10.0.0.1',
  ])
})

test('terms are added once, and taken away', () => {
  expect(split(' a=1  b="x y"  !c ')).toEqual(['a=1', 'b="x y"', '!c'])
  expect(withTerms('a=1', ['b="x y"', 'a=1'])).toBe('a=1 b="x y"')
  expect(withoutTerms('a=1 b="x y" c', ['b="x y"'])).toBe('a=1 c')
})
