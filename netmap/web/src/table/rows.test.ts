import { describe, expect, test } from 'vitest'
import type { Flows } from '../api/types.ts'
import { endName, kindsOf, rowKey, rowOf, rowTerms } from './rows.ts'

const flows = {
  kinds: ['internal', 'external', 'unresolved', 'other'],
  client: [
    ['prod', 'a/b,"c"'],
    ['', ''],
  ],
  server: [
    ['reviews', '9080'],
    ['', '443'],
  ],
  client_kind: [0, 0],
  server_kind: [0, 1],
  client_name: ['a/b,"c"', 'curl'],
  server_name: ['reviews', 'public'],
} as unknown as Flows
const [clients, servers] = [
  ['namespace', 'workload'],
  ['workload', 'port'],
]

describe('a row', () => {
  test('is found again by its key', () => {
    expect(rowOf(rowKey(flows, 0), clients, servers)).toEqual({
      client: { values: ['prod', 'a/b,"c"'], kind: 'internal', name: 'a/b,"c"' },
      server: { values: ['reviews', '9080'], kind: 'internal', name: 'reviews' },
    })
    expect(rowKey(flows, 0)).not.toMatch(/[,\s]/)
    expect(rowOf(rowKey(flows, 0), clients, ['port'])).toBeUndefined()
    expect(rowOf('%E0%A4%A', clients, servers)).toBeUndefined()
  })

  test('is requested by the tags that it has, and by those that it lacks', () => {
    const terms = (i: number) => rowTerms(rowOf(rowKey(flows, i), clients, servers)!, clients, servers)
    expect(terms(0)).toEqual([
      'client.namespace="prod"',
      'client.workload="a/b,\\"c\\""',
      'client.kind="internal"',
      'server.workload="reviews"',
      'port="9080"',
      'server.kind="internal"',
    ])
    expect(terms(1)).toEqual([
      'client.namespace=',
      'client.workload=',
      'client.name="curl"',
      'client.kind="internal"',
      'server.workload=',
      'port="443"',
      'server.type="public"',
      'server.kind="external"',
    ])
  })

  test.each([
    [['name', 'port'], ['reviews', '9080'], 'reviews', { name: 'reviews', more: ':9080' }],
    [['name', 'port'], ['', '443'], 'public', { name: 'public addresses', more: ':443' }],
    [['zone', 'name'], ['eu-1a', 'shop'], 'shop', { name: 'eu-1a', more: 'shop' }],
    [['workload', 'image.tag'], ['reviews', 'v2'], 'reviews', { name: 'reviews', more: 'v2' }],
    [['name', 'nat'], ['reviews', 'dnat'], 'reviews', { name: 'reviews', more: 'nat dnat' }],
    [['name'], [''], '', { name: 'other', more: '' }],
    [['container.id', 'port'], ['0123456789ab', '80'], 'reviews', { name: 'reviews 01234567', more: ':80' }],
    [['pod.uid'], ['u-1'], 'pod', { name: 'u-1', more: '' }],
    [['container.id'], ['0123456789ab'], '0123456789ab', { name: '0123456789ab', more: '' }],
  ])('of %j, %j is called', (tags, values, fallback, want) => expect(endName(tags, values, fallback)).toEqual(want))

  test('failures are told by kind, most first', () => {
    expect(
      kindsOf(
        {
          refused: [
            [0, 2],
            [1, 9],
          ],
          timed_out: [[0, 3000]],
        },
        0,
      ),
    ).toBe('3,000 timed out, 2 refused')
    expect(kindsOf({}, 0)).toBe('')
  })
})
