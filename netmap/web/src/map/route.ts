import type { DrawnEdge, DrawnNode } from './drawing.ts'
import type { Point } from './layout.ts'

/** By the key of an edge: how far its middle is off the straight line, in pixels. The sign is the side. */
export type Bends = Map<string, number>

/** The bend of an edge that shares its ends with an edge the other way, so that both are seen. */
export const PAIR = 17

/** The bends that are tried, the least first. The eye does not follow larger ones. */
const TRIED = [30, 55, 85, 120, 160]
/** No bend is larger than this share of the edge's length. */
const STEEPEST = 0.4

/** Half the width of a letter of a label, half the widest label, and the height of a line with the gap above it. */
const LABEL = { letter: 3.2, most: 95, line: 15 }
/** Pixels that an edge keeps away from a node. */
const MARGIN = 4
/** Above this number of edges none is bent: there is no free space to lead them through, and it takes long. */
export const MOST = 200
/** A curve is tested as so many straight segments. */
const SEGMENTS = 12

interface Box {
  key: string
  left: number
  right: number
  top: number
  bottom: number
}

/**
 * The bends of edges that would run through other nodes or their labels. A bent edge runs through fewer of them. An edge
 * without a bend keeps its usual shape.
 */
export function bends(nodes: DrawnNode[], edges: DrawnEdge[], positions: Record<string, Point>): Bends {
  const boxes = nodes.flatMap((n) => (positions[n.key] ? [box(n, positions[n.key]!)] : []))
  const found: Bends = new Map()
  if (edges.length > MOST) return found
  for (const e of edges) {
    const [a, b] = [positions[e.from], positions[e.to]]
    if (!a || !b || e.from === e.to) continue
    const others = near(boxes, a, b).filter((o) => o.key !== e.from && o.key !== e.to)
    const usual = e.curved ? PAIR : 0
    const bend = best(a, b, others, usual)
    if (bend !== usual) found.set(e.key, bend)
  }
  return found
}

/** The space of a node with its label, which is below its circle. */
function box(n: DrawnNode, at: Point): Box {
  const lines = n.label.split('\n')
  const radius = n.size / 2
  const half = Math.max(radius, Math.min(LABEL.most, LABEL.letter * Math.max(...lines.map((line) => line.length))))
  return {
    key: n.key,
    left: at.x - half,
    right: at.x + half,
    top: at.y - radius - MARGIN,
    bottom: at.y + radius + LABEL.line * lines.length + MARGIN,
  }
}

/** The boxes that some bend of the edge could touch. */
function near(boxes: Box[], a: Point, b: Point): Box[] {
  const room = TRIED.at(-1)!
  const [left, right] = [Math.min(a.x, b.x) - room, Math.max(a.x, b.x) + room]
  const [top, bottom] = [Math.min(a.y, b.y) - room, Math.max(a.y, b.y) + room]
  return boxes.filter((o) => o.right > left && o.left < right && o.bottom > top && o.top < bottom)
}

/** The bend that touches the fewest boxes, and of those the least. A pair keeps to its sides. */
function best(a: Point, b: Point, others: Box[], usual: number): number {
  let [bend, fewest] = [usual, touched(a, b, usual, others)]
  const length = Math.hypot(b.x - a.x, b.y - a.y)
  const tried = TRIED.filter((n) => n <= length * STEEPEST).flatMap((n) => (usual ? [n] : [n, -n]))
  for (const n of tried) {
    if (!fewest) break
    const count = touched(a, b, n, others)
    if (count < fewest) [bend, fewest] = [n, count]
  }
  return bend
}

/** The number of boxes that the edge runs through. */
function touched(a: Point, b: Point, bend: number, boxes: Box[]): number {
  if (!boxes.length) return 0
  const line = course(a, b, bend)
  const { x, y } = middle(a, b, bend).control // the curve is within the triangle
  const [left, right] = [Math.min(a.x, b.x, x), Math.max(a.x, b.x, x)]
  const [top, bottom] = [Math.min(a.y, b.y, y), Math.max(a.y, b.y, y)]
  let count = 0
  for (const o of boxes) {
    if (o.right <= left || o.left >= right || o.bottom <= top || o.top >= bottom) continue
    if (runsThrough(line, o)) count++
  }
  return count
}

function runsThrough(line: Point[], o: Box): boolean {
  for (let i = 1; i < line.length; i++) if (cuts(line[i - 1]!, line[i]!, o)) return true
  return false
}

/** Reports whether a part of the segment is inside the box: clipping by Liang and Barsky. */
function cuts(p: Point, q: Point, o: Box): boolean {
  const [dx, dy] = [q.x - p.x, q.y - p.y]
  let [enter, leave] = [0, 1]
  for (let side = 0; side < 4; side++) {
    const speed = side === 0 ? -dx : side === 1 ? dx : side === 2 ? -dy : dy
    const room = side === 0 ? p.x - o.left : side === 1 ? o.right - p.x : side === 2 ? p.y - o.top : o.bottom - p.y
    if (speed === 0 && room <= 0) return false
    if (speed < 0) enter = Math.max(enter, room / speed)
    if (speed > 0) leave = Math.min(leave, room / speed)
    if (enter >= leave) return false
  }
  return true
}

/** The middle of a bent edge, and the control point of its curve, which is quadratic. */
export function middle(a: Point, b: Point, bend: number): { at: Point; control: Point } {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1
  const [nx, ny] = [-(b.y - a.y) / length, (b.x - a.x) / length]
  const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2]
  return { at: { x: x + nx * bend, y: y + ny * bend }, control: { x: x + 2 * nx * bend, y: y + 2 * ny * bend } }
}

/** The edge as a line of segments: one if it is straight. */
function course(a: Point, b: Point, bend: number): Point[] {
  if (!bend) return [a, b]
  const { control: c } = middle(a, b, bend)
  return Array.from({ length: SEGMENTS + 1 }, (_, i) => {
    const t = i / SEGMENTS
    const [p, q, r] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2]
    return { x: p * a.x + q * c.x + r * b.x, y: p * a.y + q * c.y + r * b.y }
  })
}
