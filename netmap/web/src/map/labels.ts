import type { Captions } from './captions.ts'
import type { Drawing, DrawnEdge, DrawnNode } from './drawing.ts'
import { around, HALF, halfWidth, labelBox, middleOf, overlap, type Box } from './geometry.ts'
import type { Point } from './layout.ts'
import { pointOf, usual, type Bends } from './route.ts'

/** What is drawn, and where. */
export type Picture = [drawing: Drawing, positions: Record<string, Point>, bends: Bends, captions: Captions]

/** A label: its text, and the space that it takes. */
interface Label {
  key: string
  text: string
  box: Box
  /** The least comes first. */
  rank: number[]
}

const RANK = { bad: 0, warn: 1, good: 2, none: 2 }

/** The title of a group: how much larger its letters are, and its distance from the topmost circle. */
const TITLE = { letters: 1.45, gap: 26 }

/**
 * The picture with the labels for which there is room: none overlaps another one, nor the middle of a circle that is not
 * its own. Groups come first, then what is in `first`, then the worst state and the largest. A node has its name before
 * another one has its figures. `letters` scales all letters.
 */
export function readable([drawing, positions, bends, captions]: Picture, letters: number, first: Set<string>): Picture {
  const nodes = drawing.nodes.filter((n) => positions[n.key])
  const circles = nodes.map((n) => ({ key: n.key, box: middleOf(n, positions[n.key]!) }))
  const shown = new Map<string, Label>()
  const fits = (l: Label) =>
    circles.every((c) => c.key === l.key || !overlap(c.box, l.box)) &&
    [...shown.values()].every((s) => s.key === l.key || !overlap(s.box, l.box))
  const show = (l: Label) => fits(l) && shown.set(l.key, l)
  const chosen = (key: string) => (first.has(key) ? 0 : 1)
  const ofNode = (n: DrawnNode, text = n.label): Label => ({
    key: n.key,
    text,
    box: labelBox({ ...n, label: text }, positions[n.key]!, letters),
    rank: [chosen(n.key), n.alert === 'firing' ? 0 : RANK[n.level], 0, -n.size],
  })
  const ofEdge = (e: DrawnEdge): Label => {
    const middle = pointOf(positions[e.from]!, positions[e.to]!, bends.get(e.key) ?? usual(e), 0.5)
    const { x, y } = captions.get(e.key) ?? { x: 0, y: 0 }
    const box = around({ x: middle.x + x, y: middle.y + y }, letters * halfWidth(e.label), letters * HALF)
    return { key: e.key, text: e.label, box, rank: [chosen(e.key), RANK[e.level], 1, -e.width] }
  }
  drawing.groups.map((g) => title(g, nodes, positions, letters)).forEach(show)
  const told = drawing.edges.filter((e) => e.label && positions[e.from] && positions[e.to])
  const names = nodes.map((n) => ofNode(n, n.label.split('\n')[0]))
  ;[...names, ...told.map(ofEdge)].sort(byRank).forEach(show)
  const named = nodes.filter((n) => shown.has(n.key))
  named
    .map((n) => ofNode(n))
    .sort(byRank)
    .forEach(show)
  const only = <T extends { key: string; label: string }>(all: T[]) =>
    all.map((e) => ({ ...e, label: shown.get(e.key)?.text ?? '' }))
  const less = { nodes: only(drawing.nodes), edges: only(drawing.edges), groups: only(drawing.groups) }
  return [{ ...drawing, ...less }, positions, bends, captions]
}

function byRank(a: Label, b: Label): number {
  const i = a.rank.findIndex((r, j) => r !== b.rank[j])
  return i < 0 ? (a.key < b.key ? -1 : 1) : a.rank[i]! - b.rank[i]!
}

/** The title of a group is above the rectangle around its nodes. */
function title(
  { key, label }: { key: string; label: string },
  nodes: DrawnNode[],
  positions: Record<string, Point>,
  letters: number,
): Label {
  const members = nodes.filter((n) => n.group === key)
  const sides = members.flatMap((n) => {
    const [{ x }, half] = [positions[n.key]!, n.size / 2]
    return [x - half, x + half]
  })
  const top = Math.min(...members.map((n) => positions[n.key]!.y - n.size / 2)) - TITLE.gap
  const x = (Math.min(...sides) + Math.max(...sides)) / 2
  const [width, height] = [TITLE.letters * letters * halfWidth(label), 2 * HALF * TITLE.letters * letters]
  return { key, text: label, box: { left: x - width, right: x + width, top: top - height, bottom: top }, rank: [] }
}
