import { describe, expect, test } from 'vitest'
import { flags, type Graph } from '../api/types.ts'
import { metricOf } from '../metrics.ts'
import { keyOf } from './key.ts'
import { model, MOST, OTHER, type Choice } from './model.ts'

const everything: Choice = { hide: [], focus: '', hops: 1, rank: metricOf('volume') }
const key = (name: string) => keyOf({ kind: 'internal', tag: 'workload', name, group: '' })

/** A graph of these edges: [client, server, bytes]. */
function graph(edges: [string, string, number][], marks: Record<number, number> = {}): Graph {
  const names = [...new Set(edges.flatMap(([a, b]) => [a, b]))]
  const all = edges.map(() => 0)
  const bytes = edges.reduce((n, e) => n + e[2], 0)
  const totals = {
    edges: edges.length,
    tx: bytes,
    rx: 0,
    retransmits: 0,
    attempts: 0,
    failures: 3,
    closed: 0,
    breaks: 0,
    active: 0,
  }
  return {
    from: 0,
    to: 300,
    seconds: 300,
    generation: 1,
    by: 'workload',
    groups: [''],
    nodes: {
      name: names,
      tag: names.map(() => 'workload'),
      group: names.map(() => 0),
      kind: names.map(() => 0),
      ends: names.map(() => 1),
    },
    kinds: ['internal', 'external', 'unresolved', 'other'],
    edges: {
      client: edges.map((e) => names.indexOf(e[0])),
      server: edges.map((e) => names.indexOf(e[1])),
      flags: edges.map((_, i) => marks[i] ?? 0),
      count: edges.map(() => 1),
      tx: edges.map((e) => e[2]),
      rx: all,
      retransmits: all,
      rtt: edges.map(() => null),
      attempts: all,
      failures: all,
      closed: all,
      breaks: all,
      active: all,
    },
    failures: { refused: [[0, 2]], timed_out: [[0, 1]] },
    breaks: {},
    totals,
    shown: { edges: edges.length, tx: bytes, rx: 0 },
    folded: { loops: { edges: 0, tx: 0, rx: 0 }, nodes: 0, edges: 0 },
    unattributed: { retransmits: 0 },
  }
}

const chain = graph([
  ['a', 'b', 100],
  ['b', 'c', 50],
  ['c', 'd', 25],
  ['x', 'x', 5],
])

describe('the model of the map', () => {
  test('nodes carry what their edges carry', () => {
    const m = model(chain, everything)
    expect(Object.fromEntries(m.nodes.map((n) => [n.id.name, n.measured.tx]))).toEqual({
      a: 100,
      b: 150,
      c: 75,
      d: 25,
      x: 5,
    })
    expect([m.bytes, m.shown]).toEqual([180, 180])
    expect(m.edges[0]!.failures).toEqual([
      ['refused', 2],
      ['timed_out', 1],
    ])
  })

  test('what is hidden is said to be missing', () => {
    const m = model(chain, { ...everything, hide: [key('c')] })
    expect(m.nodes.map((n) => n.id.name)).toEqual(['a', 'b', 'd', 'x'])
    expect([m.bytes, m.shown, m.hidden]).toEqual([180, 105, 1])
  })

  test.each([
    [1, ['b', 'c', 'd']],
    [2, ['a', 'b', 'c', 'd']],
  ])('%i steps around a focus', (hops, names) => {
    expect(model(chain, { ...everything, focus: key('c'), hops }).nodes.map((n) => n.id.name)).toEqual(names)
  })

  test('a focus that is not there hides nothing', () => {
    expect(model(chain, { ...everything, focus: key('gone') }).nodes).toHaveLength(5)
  })

  test('a node of a new edge is marked', () => {
    const m = model(
      graph(
        [
          ['a', 'b', 1],
          ['b', 'c', 1],
        ],
        { 1: flags.isNew },
      ),
      everything,
    )
    expect(m.nodes.filter((n) => n.isNew).map((n) => n.id.name)).toEqual(['b', 'c'])
  })
})

describe('folding', () => {
  test('nodes beyond the limit are one, and no byte is lost', () => {
    const m = model(graph(Array.from({ length: 400 }, (_, i) => ['hub', `n${i}`, 1000 - i])), everything)
    expect(m.nodes).toHaveLength(MOST.nodes)
    expect(m.nodes.at(-1)!.key).toBe(OTHER)
    expect(m.edges.reduce((n, e) => n + e.measured.tx, 0)).toBe(m.bytes)
    expect(m.folded.nodes).toBe(401 - 149)
    const other = m.edges.find((e) => e.to === OTHER)!
    expect(other.count).toBe(252)
    expect(m.shown).toBe(m.bytes - other.measured.tx)
  })

  test('edges beyond the limit are the least', () => {
    const names = Array.from({ length: 30 }, (_, i) => `n${i}`)
    const m = model(
      graph(names.flatMap((a, i) => names.map((b, j): [string, string, number] => [a, b, 1 + i * 30 + j]))),
      everything,
    )
    expect(m.edges).toHaveLength(MOST.edges)
    expect(Math.min(...m.edges.map((e) => e.measured.tx))).toBe(401)
    expect(m.folded.edges).toBe(400)
    expect(m.bytes - m.shown).toBe((400 * 401) / 2)
  })
})
