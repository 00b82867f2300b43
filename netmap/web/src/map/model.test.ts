import { describe, expect, test } from 'vitest'
import { flags, type Graph } from '../api/types.ts'
import { metricOf } from '../metrics.ts'
import { keyOf } from './key.ts'
import { isOther, model, MOST, OTHER, type Choice } from './model.ts'

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
    lookups: 0,
    lookup_failures: 0,
  }
  return {
    from: 0,
    to: 300,
    seconds: 300,
    source: 'memory',
    generation: 1,
    by: 'workload',
    groups: [''],
    nodes: {
      name: names,
      tag: names.map(() => 'workload'),
      group: names.map(() => 0),
      kind: names.map(() => 0),
      ends: names.map(() => 1),
      label: names.map(() => ''),
      firing: names.map(() => 0),
      pending: names.map(() => 0),
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
      lookups: all,
      lookup_failures: all,
      lookup_time: edges.map(() => null),
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

  test('nodes keep the label of an id', () => {
    const labelled = { ...chain, nodes: { ...chain.nodes, label: chain.nodes.name.map((name) => `${name}!`) } }
    expect(model(labelled, everything).nodes.map((n) => n.id.label)).toEqual(['a!', 'b!', 'c!', 'd!', 'x!'])
  })

  test('hidden nodes are counted', () => {
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
  test('nodes with alerts are folded last, and the fold has none of its own', () => {
    const g = graph(Array.from({ length: 400 }, (_, i) => ['hub', `n${i}`, 1000 - i]))
    g.nodes.firing[398] = 1
    g.nodes.pending[400] = 2
    const m = model(g, everything)
    const alerted = m.nodes.filter((n) => n.measured.alerts?.firing || n.measured.alerts?.pending)
    expect(alerted.map((n) => [n.id.name, n.measured.alerts])).toEqual([
      ['n397', { firing: 1, pending: 0 }],
      ['n399', { firing: 0, pending: 2 }],
    ])
    expect(m.nodes.at(-1)).toMatchObject({ key: OTHER, measured: { alerts: { firing: 0, pending: 0 } } })
  })

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

describe('an edge of the answer', () => {
  test('keeps its figures, each in its place', () => {
    const g = graph([['a', 'b', 7]])
    const columns = ['rx', 'retransmits', 'attempts', 'failures', 'closed', 'breaks', 'active'] as const
    columns.forEach((name, i) => (g.edges[name] = [10 + i]))
    g.edges.rtt = [0.5]
    g.edges.count = [3]
    expect(model(g, everything).edges[0]).toMatchObject({
      from: key('a'),
      to: key('b'),
      key: key('a') + ',' + key('b'),
      count: 3,
      measured: {
        tx: 7,
        rx: 10,
        retransmits: 11,
        attempts: 12,
        failures: 13,
        closed: 14,
        breaks: 15,
        active: 16,
        rtt: 0.5,
        seconds: 300,
      },
    })
  })

  test('to itself counts once at its node', () => {
    const m = model(graph([['a', 'a', 10]]), everything)
    expect(m.nodes[0]!.measured.tx).toBe(10)
  })

  test('belongs to nodes of the group that the answer says', () => {
    const g = graph([['a', 'b', 1]])
    Object.assign(g, { group: 'zone', groups: ['', 'x'] })
    g.nodes.group = [1, 0]
    const m = model(g, everything)
    expect(m.nodes.map((n) => n.id.group)).toEqual(['x', ''])
    expect(m.group).toBe('zone')
  })
})

describe('hiding and focus together', () => {
  test('a path through a hidden node is no path', () => {
    const m = model(chain, { ...everything, hide: [key('b')], focus: key('c'), hops: 5 })
    expect(m.nodes.map((n) => n.id.name)).toEqual(['c', 'd'])
    expect(m.hidden).toBe(3)
  })

  test('a hidden focus hides nothing more', () => {
    expect(model(chain, { ...everything, hide: [key('c')], focus: key('c') }).nodes).toHaveLength(4)
  })
})

describe('what the collector folded', () => {
  /** The hub, two nodes, and the node that stands for others. */
  function folded() {
    const g = graph([
      ['hub', 'a', 100],
      ['hub', 'rest', 1000],
    ])
    g.nodes = { ...g.nodes, name: ['hub', 'a', ''], tag: ['workload', 'workload', ''], kind: [0, 0, 3] }
    g.folded = { loops: { edges: 0, tx: 0, rx: 0 }, nodes: 9, edges: 20 }
    g.shown = { edges: 1, tx: 100, rx: 0 }
    return g
  }

  test('is counted, but not as shown', () => {
    const m = model(folded(), everything)
    expect([m.bytes, m.shown, m.folded]).toEqual([1100, 100, { nodes: 9, edges: 20 }])
    expect(isOther(m.nodes[2]!.key)).toBe(true)
  })

  test('is not subtracted when it is out of focus', () => {
    const m = model(folded(), { ...everything, hide: [OTHER] })
    expect(m.shown).toBe(100)
  })
})

describe('folding here', () => {
  const many = (bits: Record<number, number> = {}) =>
    graph(
      Array.from({ length: 200 }, (_, i): [string, string, number] => [
        'hub',
        `n${String(i).padStart(3, '0')}`,
        1000 - i,
      ]),
      bits,
    )

  test('is by the metric that ranks', () => {
    const g = many()
    g.edges.active = g.edges.active.map((_, i) => i)
    const m = model(g, { ...everything, rank: metricOf('active') })
    expect(m.nodes.map((n) => n.id.name)).toContain('n199')
    expect(m.nodes.map((n) => n.id.name)).not.toContain('n000')
  })

  test('an edge to what the collector folded is not new when old edges join it', () => {
    const g = many({ 0: flags.isNew })
    g.nodes.name[g.edges.server[0]!] = ''
    g.nodes.tag[g.edges.server[0]!] = ''
    g.nodes.kind[g.edges.server[0]!] = 3
    const other = model(g, everything).edges.find((e) => e.to === OTHER)!
    expect(other.count).toBeGreaterThan(1)
    expect(other.flags & flags.isNew).toBe(0)
  })

  test('makes one edge of many; it is new only if all of them are', () => {
    const all = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [i, flags.isNew | flags.zones]))
    const other = (g: Graph) => model(g, everything).edges.find((e) => e.to === OTHER)!
    expect(other(many({ 199: flags.unresolved })).flags & flags.unresolved).toBe(flags.unresolved)
    expect(other(many(all)).flags & flags.isNew, 'what is folded is not marked as new').toBe(0)
    expect(other(many(all)).flags & flags.zones).toBe(flags.zones)
  })
})
