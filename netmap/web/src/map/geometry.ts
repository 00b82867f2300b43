import type { DrawnNode } from './drawing.ts'
import type { Point } from './layout.ts'

/** A curve is tested as so many straight segments. */
export const SEGMENTS = 12

/** Half the width of a letter of a label, half the widest label, the height of a line, and the gap above the first. */
const LETTER = { half: 3.2, most: 95, line: 14, gap: 4 }

/** The gap between a circle and its label where a ring is between them. */
export const RINGED = 11

export interface Box {
  left: number
  right: number
  top: number
  bottom: number
}

export const around = ({ x, y }: Point, halfWidth: number, halfHeight: number): Box => ({
  left: x - halfWidth,
  right: x + halfWidth,
  top: y - halfHeight,
  bottom: y + halfHeight,
})

/** Half the width of a line of text. */
export const halfWidth = (text: string) => Math.min(LETTER.most, LETTER.half * text.length)

/** The part of a circle that no label hides: its state cannot be seen without it. */
export const middleOf = (n: DrawnNode, at: Point) => around(at, n.size / 3, n.size / 3)

/** Half the height of the label of an edge. */
export const HALF = 8

/** The space of a node's label, which is below its circle. `letters` scales its letters. */
export function labelBox(n: DrawnNode, at: Point, letters = 1): Box {
  const lines = n.label.split('\n')
  const half = letters * Math.max(...lines.map(halfWidth))
  const top = at.y + n.size / 2 + (n.alert ? RINGED : LETTER.gap)
  return { left: at.x - half, right: at.x + half, top, bottom: top + letters * LETTER.line * lines.length }
}

export const overlap = (a: Box, b: Box) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom

/** Reports whether a line of segments runs through a box. */
export function touches(line: Point[], o: Box): boolean {
  for (let i = 1; i < line.length; i++) if (cuts(line[i - 1]!, line[i]!, o)) return true
  return false
}

/** Reports whether a part of the segment is inside the box: clipping by Liang and Barsky. */
function cuts(p: Point, q: Point, o: Box): boolean {
  if (Math.max(p.x, q.x) <= o.left || Math.min(p.x, q.x) >= o.right) return false
  if (Math.max(p.y, q.y) <= o.top || Math.min(p.y, q.y) >= o.bottom) return false
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
