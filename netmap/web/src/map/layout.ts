import {
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type SimulationNodeDatum,
} from 'd3-force'
import { ranks, type Link } from './rank.ts'

/** A node to place, its group ('' for none), and half the widths of its label and of its group's title in pixels. */
export interface Place {
  id: string
  group: string
  label: number
  title: number
}

export interface Point {
  x: number
  y: number
}

export interface Request {
  nodes: Place[]
  links: Link[]
  /** Positions that nodes have already and keep. */
  pinned: Record<string, Point>
}

/** Radius of the largest circle. */
const RADIUS = 32
/** Least space of a label. It is below the circle and wider than it. */
const LABEL = { width: 118, height: 30 }
const COLUMN = 164
const ROW = 92
/** Between two labels side by side. */
const APART = 24
const GAP = { x: 66, y: 40 }
/** Every second column is shifted by this, so that an edge that skips a column does not run through its nodes. */
const STAGGER = 27

interface Body extends Omit<SimulationNodeDatum, 'x' | 'y'>, Point {
  id: string
  wantX: number
  wantY: number
}

interface Cluster {
  group: string
  nodes: Place[]
  /** Positions relative to the middle of the cluster, and its size with space for labels. */
  at: Map<string, Point>
  width: number
  height: number
}

/**
 * Positions for all nodes, in pixels around the origin. The result depends on the graph only, not on the machine or
 * on the order of nodes and links. Clients are left of the servers that they call. The nodes of a group share a
 * rectangle that overlaps no other group. A node with a position keeps it. A new node gets the nearest free position
 * to its group or, without a group, to the nodes it talks to.
 */
export function layout({ nodes, links, pinned }: Request): Record<string, Point> {
  const sorted = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1))
  const kept = sorted.filter((n) => pinned[n.id])
  const placed = new Map<string, Point>(kept.map((n) => [n.id, pinned[n.id]!]))
  if (!kept.length) arrange(sorted, links, placed)
  else join(sorted, links, placed)
  return Object.fromEntries(placed)
}

/** Lays out each group by itself, then the groups as rectangles in columns, by rank. */
function arrange(nodes: Place[], links: Link[], placed: Map<string, Point>) {
  const clusters = split(nodes).map((c) => settle(c, links))
  const home = new Map(clusters.flatMap((c) => c.nodes.map((n) => [n.id, c.group])))
  const between = links
    .map(({ from, to }) => ({ from: home.get(from) ?? '', to: home.get(to) ?? '' }))
    .filter(({ from, to }) => from !== to)
  const area = clusters.reduce((sum, c) => sum + (c.width + GAP.x) * (c.height + GAP.y), 0)
  const tallest = Math.max(Math.sqrt(area), ...clusters.map((c) => c.height))
  const centres = stack(clusters, between, tallest)
  for (const c of clusters) {
    const centre = centres.get(c.group)!
    for (const [id, p] of c.at) placed.set(id, { x: Math.round(centre.x + p.x), y: Math.round(centre.y + p.y) })
  }
}

/**
 * The centres of the clusters. They stand in columns by rank, at the height of their callers, and no column is higher
 * than `tallest`.
 */
function stack(clusters: Cluster[], links: Link[], tallest: number): Map<string, Point> {
  const rank = ranks(
    clusters.map((c) => c.group),
    links,
  )
  const at = new Map<string, Point>()
  let left = 0
  for (const r of [...new Set(rank.values())].sort((a, b) => a - b)) {
    const members = clusters.filter((c) => rank.get(c.group) === r)
    const wanted = new Map(members.map((c) => [c.group, callersHeight(c.group, links, at)]))
    members.sort((a, b) => wanted.get(a.group)! - wanted.get(b.group)! || (a.group < b.group ? -1 : 1))
    while (members.length) {
      let height = 0
      const column: Cluster[] = []
      while (members.length && (!column.length || height + members[0]!.height <= tallest)) {
        column.push(members.shift()!)
        height += column.at(-1)!.height + GAP.y
      }
      const width = Math.max(...column.map((c) => c.width))
      let top = -(height - GAP.y) / 2
      for (const c of column) {
        at.set(c.group, { x: left + width / 2, y: top + c.height / 2 })
        top += c.height + GAP.y
      }
      left += width + GAP.x
    }
  }
  return at
}

/** Places new nodes among nodes that have positions. */
function join(nodes: Place[], links: Link[], placed: Map<string, Point>) {
  for (const c of split(nodes.filter((n) => !placed.has(n.id)))) {
    const family = nodes.filter((n) => n.group === c.group && placed.has(n.id)).map((n) => placed.get(n.id)!)
    if (c.group !== '' && !family.length) {
      const settled = settle(c, links)
      const centre = free(near(c.nodes, links, placed), settled.width / 2 + LABEL.width, settled.height / 2 + ROW / 2, [
        ...placed.values(),
      ])
      for (const [id, p] of settled.at) placed.set(id, { x: Math.round(centre.x + p.x), y: Math.round(centre.y + p.y) })
      continue
    }
    for (const n of c.nodes) {
      const wanted = c.group === '' ? near([n], links, placed) : middle(family)
      placed.set(n.id, free(wanted, Math.max(COLUMN * 0.7, 2 * n.label), ROW * 0.9, [...placed.values()]))
    }
  }
}

function split(nodes: Place[]): Cluster[] {
  const groups = new Map<string, Place[]>()
  for (const n of nodes) groups.set(n.group, [...(groups.get(n.group) ?? []), n])
  return [...groups].map(([group, members]) => ({ group, nodes: members, at: new Map(), width: 0, height: 0 }))
}

/** Lays out the nodes of one group around their middle. */
function settle(c: Cluster, links: Link[]): Cluster {
  const at = simulate(c.nodes, links)
  const centre = middle([...at.values()])
  let [width, height] = [0, 0]
  for (const n of c.nodes) {
    const p = at.get(n.id)!
    p.x -= centre.x
    p.y -= centre.y
    width = Math.max(width, 2 * Math.abs(p.x) + Math.max(2 * n.label + APART, LABEL.width), 2 * n.title)
    height = Math.max(height, 2 * (Math.abs(p.y) + RADIUS + LABEL.height))
  }
  return { ...c, at, width, height }
}

/**
 * Starts with columns by rank, which wrap if they are long. Then forces pull connected nodes together and keep all
 * nodes apart.
 */
function simulate(nodes: Place[], links: Link[]): Map<string, Point> {
  const ids = new Set(nodes.map((n) => n.id))
  const grouped = nodes.some((n) => n.group !== '')
  const inside = links.filter((l) => l.from !== l.to && ids.has(l.from) && ids.has(l.to))
  const start = columns([...ids], inside, grouped, new Map(nodes.map((n) => [n.id, n.label])))
  const bodies: Body[] = nodes.map((n) => {
    const p = start.get(n.id)!
    return { id: n.id, x: p.x, y: p.y, wantX: p.x, wantY: p.y }
  })
  const simulation = forceSimulation(bodies)
    .force('x', forceX<Body>((b) => b.wantX).strength(0.5))
    .force('y', forceY<Body>((b) => b.wantY).strength(grouped ? 0.4 : 0.1))
    .force(
      'links',
      forceLink<Body, { source: string; target: string }>(inside.map((l) => ({ source: l.from, target: l.to })))
        .id((b) => b.id)
        .distance(COLUMN)
        .strength(0.05),
    )
    .force(
      'apart',
      forceManyBody<Body>()
        .strength(-120)
        .distanceMax(COLUMN * 2),
    )
    .force(
      'collide',
      forceCollide<Body>(RADIUS + 20)
        .strength(1)
        .iterations(3),
    )
    .stop()
  simulation.tick(nodes.length > 80 ? 140 : 260)
  return new Map(bodies.map((b) => [b.id, { x: Math.round(b.x), y: Math.round(b.y) }]))
}

function columns(ids: string[], links: Link[], grouped: boolean, labels: Map<string, number>): Map<string, Point> {
  const rank = ranks(ids, links)
  const skips = grouped || links.some((l) => Math.abs(rank.get(l.from)! - rank.get(l.to)!) > 1)
  const rows = Math.max(5, Math.ceil(Math.sqrt(ids.length) * 1.1))
  const at = new Map<string, Point>()
  let [x, widest, shift] = [0, 0, skips ? -STAGGER : 0]
  for (const r of [...new Set(rank.values())].sort((a, b) => a - b)) {
    const members = ids.filter((id) => rank.get(id) === r)
    const weight = new Map(members.map((id) => [id, callersHeight(id, links, at)]))
    members.sort((a, b) => weight.get(a)! - weight.get(b)! || (a < b ? -1 : 1))
    for (let i = 0; i < members.length; i += rows) {
      const part = members.slice(i, i + rows)
      const wide = Math.max(...part.map((id) => labels.get(id)!))
      if (at.size) x += Math.max(COLUMN, widest + wide + APART)
      part.forEach((id, j) => at.set(id, { x, y: (j - (part.length - 1) / 2) * ROW + shift }))
      ;[widest, shift] = [wide, -shift]
    }
  }
  return at
}

function callersHeight(id: string, links: Link[], at: Map<string, Point>): number {
  const heights = links.filter((l) => l.to === id && at.has(l.from)).map((l) => at.get(l.from)!.y)
  return heights.length ? heights.reduce((a, b) => a + b) / heights.length : 0
}

/** The middle of the positions that these nodes would like: right of their callers, left of the servers they call. */
function near(nodes: Place[], links: Link[], placed: Map<string, Point>): Point {
  const ids = new Set(nodes.map((n) => n.id))
  const points: Point[] = []
  for (const { from, to } of links) {
    const [a, b] = [placed.get(from), placed.get(to)]
    if (ids.has(to) && a) points.push({ x: a.x + COLUMN, y: a.y })
    if (ids.has(from) && b) points.push({ x: b.x - COLUMN, y: b.y })
  }
  return middle(points.length ? points : [...placed.values()])
}

function middle(points: Point[]): Point {
  if (!points.length) return { x: 0, y: 0 }
  const xs = points.map((p) => p.x)
  const ys = points.map((p) => p.y)
  return { x: (Math.min(...xs) + Math.max(...xs)) / 2, y: (Math.min(...ys) + Math.max(...ys)) / 2 }
}

/** The nearest position to the wanted one with this space around it. It is searched on a spiral. */
function free(wanted: Point, width: number, height: number, taken: Point[]): Point {
  for (let i = 0; i < 4000; i++) {
    const angle = i * 2.399963 // the golden angle: no two attempts go in the same direction
    const p = {
      x: Math.round(wanted.x + Math.cos(angle) * 14 * Math.sqrt(i)),
      y: Math.round(wanted.y + Math.sin(angle) * 14 * Math.sqrt(i)),
    }
    if (taken.every((t) => Math.abs(t.x - p.x) >= width || Math.abs(t.y - p.y) >= height)) return p
  }
  return wanted
}
