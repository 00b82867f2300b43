import type { DrawnEdge, DrawnNode } from './drawing.ts'
import { around, HALF, halfWidth, labelBox, middleOf, overlap, touches, type Box } from './geometry.ts'
import type { Point } from './layout.ts'
import { course, pointOf, usual, type Bends } from './route.ts'

/** By the key of an edge: how far its label is from the middle of its line, in pixels. */
export type Captions = Map<string, Point>

/** The places along the line that are tried, the middle first. The arrow is in the middle. */
const PLACES = [0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78]
/** What a label hides, or what hides it. */
const COST = { node: 3, rim: 1, label: 4, caption: 4, line: 1, far: 0.1 }
/** Above this number of edges, labels hide lines: to avoid them takes long. */
const MOST = 200

const LEVELS = ['bad', 'warn', 'good', 'none']

interface Tried {
  at: Point
  box: Box
  cost: number
}

/**
 * The places of the labels of edges. A label is beside the middle of its edge, or else on the line, where it hides the
 * least. The edges in the worst state choose first.
 */
export function captions(
  nodes: DrawnNode[],
  edges: DrawnEdge[],
  positions: Record<string, Point>,
  bends: Bends,
): Captions {
  const drawn = edges.filter((e) => positions[e.from] && positions[e.to] && e.from !== e.to)
  const line = (e: DrawnEdge) => course(positions[e.from]!, positions[e.to]!, bends.get(e.key) ?? usual(e))
  const lines = drawn.length > MOST ? [] : drawn.map((e) => ({ key: e.key, line: line(e) }))
  const placed = nodes.filter((n) => positions[n.key])
  const circles = placed.map((n) => around(positions[n.key]!, n.size / 2, n.size / 2))
  const middles = placed.map((n) => middleOf(n, positions[n.key]!))
  const labels = placed.map((n) => labelBox(n, positions[n.key]!))
  const taken: Box[] = []
  const found: Captions = new Map()
  for (const e of drawn.filter((d) => d.label).sort(byState)) {
    const others = lines.filter((l) => l.key !== e.key).map((l) => l.line)
    const hidden = (box: Box) =>
      COST.rim * count(circles, box) +
      COST.node * count(middles, box) +
      COST.label * count(labels, box) +
      COST.caption * count(taken, box) +
      COST.line * others.filter((l) => touches(l, box)).length
    const { box, at, middle } = best(e, positions[e.from]!, positions[e.to]!, bends, hidden)
    taken.push(box)
    found.set(e.key, { x: Math.round(at.x - middle.x), y: Math.round(at.y - middle.y) })
  }
  return found
}

const byState = (a: DrawnEdge, b: DrawnEdge) =>
  LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || b.width - a.width || (a.key < b.key ? -1 : 1)

const count = (boxes: Box[], box: Box) => boxes.filter((o) => overlap(o, box)).length

function best(e: DrawnEdge, a: Point, b: Point, bends: Bends, hidden: (box: Box) => number): Tried & { middle: Point } {
  const bend = bends.get(e.key) ?? usual(e)
  const middle = pointOf(a, b, bend, 0.5)
  let chosen: Tried | null = null
  for (const [i, t] of PLACES.entries()) {
    const on = pointOf(a, b, bend, t)
    const beside = HALF + e.width / 2 + 4
    // In the middle a label would hide the arrow.
    for (const [j, dy] of (t === 0.5 ? [-beside, beside] : [0, -beside, beside]).entries()) {
      const at = { x: on.x, y: on.y + dy }
      const box = around(at, halfWidth(e.label), HALF)
      const cost = hidden(box) + COST.far * (i + j)
      if (!chosen || cost < chosen.cost) chosen = { at, box, cost }
    }
  }
  return { ...chosen!, middle }
}
