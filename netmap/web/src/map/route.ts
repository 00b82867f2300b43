import type { DrawnEdge, DrawnNode } from './drawing.ts'
import { around, labelBox, SEGMENTS, touches, type Box } from './geometry.ts'
import type { Point } from './layout.ts'

/** The shape of a bent edge: a quadratic curve with one control point. */
export interface Bend {
  /** How far its middle is off the straight line, in pixels. The sign is the side. */
  off: number
  /** The place of the control point along the straight line, as a share of its length. */
  at: number
}

/** By the key of an edge. */
export type Bends = Map<string, Bend>

/** The bend of an edge that shares its ends with an edge the other way, so that both are seen. */
export const PAIR: Bend = { off: 17, at: 0.5 }
export const STRAIGHT: Bend = { off: 0, at: 0.5 }

/** The usual shape of an edge, which is not in Bends. */
export const usual = (e: DrawnEdge): Bend => (e.curved ? PAIR : STRAIGHT)

/** The bends that are tried, the least first. The eye does not follow larger ones. */
const TRIED = [30, 55, 85, 120, 160].flatMap((off) => [0.5, 0.25, 0.75].map((at): Bend => ({ off, at })))
const FARTHEST = TRIED.at(-1)!.off
/** No bend is larger than this share of the edge's length. */
const STEEPEST = 0.4
/** A node that an edge runs through looks like an end of it. A label only becomes harder to read. */
const COST = { node: 4, label: 1 }

/** Pixels that an edge keeps away from a node. */
const MARGIN = 4
/** Above this number of edges none is bent: there is no free space to lead them through, and it takes long. */
export const MOST = 200

/** The space that a node takes. */
interface Space {
  key: string
  node: Box
  label: Box
}

/**
 * The bends of edges that would run through other nodes or their labels. A bent edge runs through fewer of them. An edge
 * without a bend keeps its usual shape.
 */
export function bends(nodes: DrawnNode[], edges: DrawnEdge[], positions: Record<string, Point>): Bends {
  const spaces = nodes.flatMap((n) => (positions[n.key] ? [space(n, positions[n.key]!)] : []))
  const found: Bends = new Map()
  if (edges.length > MOST) return found
  for (const e of edges) {
    const [a, b] = [positions[e.from], positions[e.to]]
    if (!a || !b || e.from === e.to) continue
    const others = near(spaces, a, b).filter((o) => o.key !== e.from && o.key !== e.to)
    const bend = best(a, b, others, e)
    if (bend !== usual(e)) found.set(e.key, bend)
  }
  return found
}

function space(n: DrawnNode, at: Point): Space {
  return { key: n.key, node: around(at, n.size / 2 + MARGIN, n.size / 2 + MARGIN), label: labelBox(n, at) }
}

/** The nodes that some bend of the edge could touch. */
function near(spaces: Space[], a: Point, b: Point): Space[] {
  const [left, right] = [Math.min(a.x, b.x) - FARTHEST, Math.max(a.x, b.x) + FARTHEST]
  const [top, bottom] = [Math.min(a.y, b.y) - FARTHEST, Math.max(a.y, b.y) + FARTHEST]
  const reached = (o: Box) => o.right > left && o.left < right && o.bottom > top && o.top < bottom
  return spaces.filter((o) => reached(o.node) || reached(o.label))
}

/** The bend that touches the least, and of those the smallest. A pair keeps to its sides. */
function best(a: Point, b: Point, others: Space[], e: DrawnEdge): Bend {
  let [bend, least] = [usual(e), cost(a, b, usual(e), others)]
  const length = Math.hypot(b.x - a.x, b.y - a.y)
  for (const tried of TRIED) {
    if (tried.off > length * STEEPEST) break
    for (const side of e.curved ? [1] : [1, -1]) {
      if (!least) return bend
      const next = { ...tried, off: side * tried.off }
      const touched = cost(a, b, next, others)
      if (touched < least) [bend, least] = [next, touched]
    }
  }
  return bend
}

/** The cost of what the edge runs through. */
function cost(a: Point, b: Point, bend: Bend, others: Space[]): number {
  if (!others.length) return 0
  const line = course(a, b, bend)
  const through = (o: Space) => (touches(line, o.node) ? COST.node : 0) + (touches(line, o.label) ? COST.label : 0)
  return others.reduce((sum, o) => sum + through(o), 0)
}

/** The control point of the curve of an edge. */
export function control(a: Point, b: Point, { off, at }: Bend): Point {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1
  const [nx, ny] = [-(b.y - a.y) / length, (b.x - a.x) / length]
  return { x: a.x + (b.x - a.x) * at + 2 * off * nx, y: a.y + (b.y - a.y) * at + 2 * off * ny }
}

/** The point of an edge at a share of its curve; 0.5 is its middle. */
export function pointOf(a: Point, b: Point, bend: Bend, t: number): Point {
  const c = control(a, b, bend)
  const [p, q, r] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2]
  return { x: p * a.x + q * c.x + r * b.x, y: p * a.y + q * c.y + r * b.y }
}

/** The edge as a line of segments: one if it is straight. */
export function course(a: Point, b: Point, bend: Bend): Point[] {
  if (!bend.off) return [a, b]
  return Array.from({ length: SEGMENTS + 1 }, (_, i) => pointOf(a, b, bend, i / SEGMENTS))
}
