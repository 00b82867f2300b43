import { flags, type Graph, type Kind } from '../api/types.ts'
import { sum, type Measured, type Metric } from '../metrics.ts'
import { identityOf, keyOf, type Identity } from './key.ts'

/** Limits of what is drawn; see fold. */
export const MOST = { nodes: 150, edges: 500 }

export interface MapNode {
  key: string
  id: Identity
  ends: number
  measured: Measured
  /** Whether one of its edges is new. */
  isNew: boolean
}

export interface MapEdge {
  key: string
  from: string
  to: string
  measured: Measured
  flags: number
  count: number
  failures: [string, number][]
  breaks: [string, number][]
}

/** The map to draw, and what it leaves out. */
export interface Model {
  by: string
  group: string
  nodes: MapNode[]
  edges: MapEdge[]
  seconds: number
  /** Bytes of all edges that pass the filter, and of those that are drawn by name. */
  bytes: number
  shown: number
  /** Nodes and edges folded into "other", by the collector or by the page. */
  folded: { nodes: number; edges: number }
  /** Nodes that are hidden or too far from the focus. */
  hidden: number
}

export interface Choice {
  hide: string[]
  focus: string
  hops: number
  rank: Metric
}

/** The model of a graph, without hidden nodes and nodes out of focus, folded to what can be drawn. */
export function model(graph: Graph, choice: Choice): Model {
  const all = read(graph)
  const kept = visible(all, choice)
  const edges = all.edges.filter((e) => kept.has(e.from) && kept.has(e.to))
  const out = all.edges.length === edges.length ? [] : all.edges.filter((e) => !edges.includes(e))
  const base: Model = {
    by: graph.by,
    group: graph.group ?? '',
    nodes: all.nodes.filter((n) => kept.has(n.key)),
    edges,
    seconds: graph.seconds,
    bytes: graph.totals.tx + graph.totals.rx,
    shown: graph.shown.tx + graph.shown.rx - named(out),
    folded: { nodes: graph.folded.nodes, edges: graph.folded.edges },
    hidden: all.nodes.length - kept.size,
  }
  return measure(fold(base, choice.rank))
}

/** The identity of a key, with the label that the model has for it; undefined if the text is not a key. */
export function known(model: Model | null, key: string): Identity | undefined {
  return model?.nodes.find((n) => n.key === key)?.id ?? identityOf(key)
}

export const OTHER = keyOf({ kind: 'other', tag: '', name: '', group: '' })
/** Reports whether the key is that of folded nodes, or of traffic that a receiver did not itemise. */
export const isOther = (key: string) => key.startsWith('other//')

function read(graph: Graph): { nodes: MapNode[]; edges: MapEdge[] } {
  const { nodes: n, edges: e } = graph
  const nodes = n.name.map((name, i): MapNode => {
    const id: Identity = {
      kind: graph.kinds[n.kind[i]!] as Kind,
      tag: n.tag[i]!,
      name,
      group: graph.groups[n.group[i]!] ?? '',
      label: n.label[i] ?? '',
    }
    const alerts = { firing: n.firing[i]!, pending: n.pending[i]! }
    return { key: keyOf(id), id, ends: n.ends[i]!, measured: { ...sum([], graph.seconds), alerts }, isNew: false }
  })
  const failures = spread(graph.failures)
  const breaks = spread(graph.breaks)
  const edges = e.client.map((client, i): MapEdge => {
    const [from, to] = [nodes[client]!.key, nodes[e.server[i]!]!.key]
    const measured: Measured = {
      tx: e.tx[i]!,
      rx: e.rx[i]!,
      retransmits: e.retransmits[i]!,
      rtt: e.rtt[i] ?? null,
      attempts: e.attempts[i]!,
      failures: e.failures[i]!,
      closed: e.closed[i]!,
      breaks: e.breaks[i]!,
      active: e.active[i]!,
      lookups: e.lookups[i]!,
      lookupFailures: e.lookup_failures[i]!,
      lookupTime: e.lookup_time[i] ?? null,
      seconds: graph.seconds,
    }
    return {
      key: from + ',' + to,
      from,
      to,
      measured,
      flags: e.flags[i]!,
      count: e.count[i]!,
      failures: failures.get(i) ?? [],
      breaks: breaks.get(i) ?? [],
    }
  })
  return { nodes, edges }
}

function spread(kinds: Graph['failures'] | undefined): Map<number, [string, number][]> {
  const by = new Map<number, [string, number][]>()
  for (const [type, pairs] of Object.entries(kinds ?? {}))
    for (const [i, n] of pairs) by.set(i, [...(by.get(i) ?? []), [type, n]])
  return by
}

/**
 * Keys of the nodes that are not hidden. If a node is focused, only those within `hops` steps of it, in either
 * direction.
 */
function visible({ nodes, edges }: { nodes: MapNode[]; edges: MapEdge[] }, { hide, focus, hops }: Choice): Set<string> {
  const hidden = new Set(hide)
  const all = new Set(nodes.map((n) => n.key).filter((k) => !hidden.has(k)))
  if (!focus || !all.has(focus)) return all
  let reached = new Set([focus])
  for (let step = 0; step < hops; step++) {
    const next = new Set(reached)
    for (const { from, to } of edges) {
      if (reached.has(from) && all.has(to)) next.add(to)
      if (reached.has(to) && all.has(from)) next.add(from)
    }
    reached = next
  }
  return reached
}

/** Bytes of the edges between two nodes with names of their own. */
function named(edges: MapEdge[]): number {
  return edges.reduce((n, e) => (isOther(e.from) || isOther(e.to) ? n : n + e.measured.tx + e.measured.rx), 0)
}

/** Nodes with alerts are the last that are folded. */
function alertRank({ measured: { alerts } }: MapNode): number {
  return alerts?.firing ? 2 : alerts?.pending ? 1 : 0
}

/** Folds the smallest nodes, then the smallest edges, into "other". The drawing has a limit; the totals have none. */
function fold(m: Model, rank: Metric): Model {
  const nodes = new Map(m.nodes.map((n) => [n.key, n]))
  let edges = m.edges
  const folded = new Set<string>()
  if (nodes.size > MOST.nodes) {
    const weight = new Map<string, number>()
    for (const e of edges)
      for (const k of [e.from, e.to]) weight.set(k, (weight.get(k) ?? 0) + (rank.of(e.measured) ?? 0))
    const least = [...nodes.keys()]
      .filter((k) => !isOther(k))
      .sort(
        (a, b) =>
          alertRank(nodes.get(b)!) - alertRank(nodes.get(a)!) ||
          (weight.get(b) ?? 0) - (weight.get(a) ?? 0) ||
          (a < b ? -1 : 1),
      )
    for (const k of least.slice(MOST.nodes - 1)) folded.add(k)
  }
  let shown = m.shown
  if (folded.size) {
    shown -= named(edges.filter((e) => folded.has(e.from) || folded.has(e.to)))
    edges = join(edges.map((e) => move(e, folded.has(e.from), folded.has(e.to))))
  }
  let cut = 0
  if (edges.length > MOST.edges) {
    const order = [...edges].sort(
      (a, b) => (rank.of(b.measured) ?? 0) - (rank.of(a.measured) ?? 0) || (a.key < b.key ? -1 : 1),
    )
    cut = order.length - MOST.edges
    shown -= named(order.slice(MOST.edges))
    edges = order.slice(0, MOST.edges)
  }
  const rest = [...nodes.values()].filter((n) => !folded.has(n.key))
  if (folded.size && !nodes.has(OTHER)) {
    const measured = { ...sum([], m.seconds), alerts: { firing: 0, pending: 0 } }
    rest.push({ key: OTHER, id: { kind: 'other', tag: '', name: '', group: '' }, ends: 0, measured, isNew: false })
  }
  return {
    ...m,
    nodes: rest,
    edges,
    shown,
    folded: { nodes: m.folded.nodes + folded.size, edges: m.folded.edges + cut },
  }
}

function move(e: MapEdge, from: boolean, to: boolean): MapEdge {
  if (!from && !to) return e
  const [a, b] = [from ? OTHER : e.from, to ? OTHER : e.to]
  return { ...e, from: a, to: b, key: a + ',' + b, flags: e.flags & ~flags.isNew }
}

/** Merges edges with the same ends. */
function join(edges: MapEdge[]): MapEdge[] {
  const by = new Map<string, MapEdge>()
  for (const e of edges) {
    const first = by.get(e.key)
    if (!first) by.set(e.key, e)
    else {
      const both = first.flags & e.flags & flags.isNew
      by.set(e.key, {
        ...first,
        measured: sum([first.measured, e.measured], e.measured.seconds),
        count: first.count + e.count,
        flags: ((first.flags | e.flags) & ~flags.isNew) | both,
        failures: [...first.failures, ...e.failures],
        breaks: [...first.breaks, ...e.breaks],
      })
    }
  }
  return [...by.values()]
}

/** Adds up the edges of each node. An edge from a node to itself counts once. */
function measure(m: Model): Model {
  const of = new Map<string, MapEdge[]>(m.nodes.map((n) => [n.key, []]))
  for (const e of m.edges) {
    of.get(e.from)?.push(e)
    if (e.to !== e.from) of.get(e.to)?.push(e)
  }
  const nodes = m.nodes.map((n) => {
    const edges = of.get(n.key)!
    return {
      ...n,
      measured: {
        ...sum(
          edges.map((e) => e.measured),
          m.seconds,
        ),
        alerts: n.measured.alerts,
      },
      isNew: edges.some((e) => e.flags & flags.isNew),
    }
  })
  return { ...m, nodes }
}
