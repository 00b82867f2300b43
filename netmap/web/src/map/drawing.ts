import { flags, type Kind } from '../api/types.ts'
import { NONE } from '../format.ts'
import { glyphs, type Health, type Level, type Metric } from '../metrics.ts'
import { kindWords, nodeName } from '../tags.ts'
import type { MapEdge, MapNode, Model } from './model.ts'

/** What a picture of the map is made of: figures are sizes and states are classes here, ready to be drawn on a canvas or as SVG. */
export interface Drawing {
  nodes: DrawnNode[]
  edges: DrawnEdge[]
  groups: { key: string; label: string }[]
  grouped: boolean
  /** The figures of the largest node and the widest edge. */
  largest: number
  widest: number
}

export interface DrawnNode {
  key: string
  /** Key of the group that it is drawn in; '' if there are none, or it has none. */
  group: string
  kind: Kind
  level: Level
  label: string
  /** Diameter in pixels. */
  size: number
  isNew: boolean
}

export interface DrawnEdge {
  key: string
  from: string
  to: string
  level: Level
  /** '' for most. */
  label: string
  width: number
  isNew: boolean
  /** Not known who connected: no arrow. */
  undirected: boolean
  /** One end is not known. */
  unresolved: boolean
  /** Drawn as a curve, as there is an edge the other way, or it ends where it begins. */
  curved: boolean
}

export interface Encoding {
  size: Metric
  width: Metric
  colour: Health
}

const SIZE = { least: 22, most: 64 }
const WIDTH = { least: 1.5, most: 10 }

export const groupKey = (group: string) => 'group/' + encodeURIComponent(group)

export function draw(m: Model, { size, width, colour }: Encoding): Drawing {
  const largest = Math.max(0, ...m.nodes.map((n) => size.of(n.measured) ?? 0))
  const widest = Math.max(0, ...m.edges.map((e) => width.of(e.measured) ?? 0))
  const keys = new Set(m.edges.map((e) => e.key))
  const nodes = m.nodes.map((n) => drawNode(n, m.group !== '', size, largest, colour))
  const edges = m.edges.map((e) => drawEdge(e, keys, width, widest, colour))
  const groups = m.group ? [...new Set(m.nodes.map((n) => n.id.group).filter(Boolean))].sort() : []
  return { nodes, edges, largest, widest, grouped: m.group !== '', groups: groups.map((g) => ({ key: groupKey(g), label: nodeName({ tag: m.group, name: g }) })) }
}

function drawNode(n: MapNode, grouped: boolean, metric: Metric, largest: number, colour: Health): DrawnNode {
  const level = colour.level(n.measured)
  const words = [kindWords[n.id.kind], metric.format(metric.of(n.measured))].filter((w) => w && w !== NONE)
  const glyph = glyphs[level] && glyphs[level] + ' '
  return {
    key: n.key,
    group: grouped && n.id.group ? groupKey(n.id.group) : '',
    kind: n.id.kind,
    level,
    label: `${glyph}${shorten(nodeName(n.id), 26)}\n${words.join(' · ')}`,
    size: Math.round(scale(metric.of(n.measured), largest, SIZE)),
    isNew: n.isNew,
  }
}

function drawEdge(e: MapEdge, keys: Set<string>, metric: Metric, widest: number, colour: Health): DrawnEdge {
  const level = colour.level(e.measured)
  const isNew = (e.flags & flags.isNew) !== 0
  const problem = level === 'warn' || level === 'bad' ? `${glyphs[level]} ${colour.tell(e.measured).split(',')[0]}` : ''
  return {
    key: e.key, from: e.from, to: e.to, level, isNew,
    label: [isNew ? '✚ new' : '', problem].filter(Boolean).join('  '),
    width: Math.round(scale(metric.of(e.measured), widest, WIDTH) * 2) / 2,
    undirected: (e.flags & flags.undirected) !== 0,
    unresolved: (e.flags & flags.unresolved) !== 0,
    curved: e.from === e.to || keys.has(e.to + ',' + e.from),
  }
}

/** The area of a circle, not its diameter, is what is seen: hence the root. */
function scale(n: number | null, most: number, range: { least: number; most: number }): number {
  if (!n || !most) return range.least
  return range.least + (range.most - range.least) * Math.sqrt(n / most)
}

/** The middle goes: names of one kind differ at their ends. */
export function shorten(s: string, most: number): string {
  const letters = [...s]
  if (letters.length <= most) return s
  const tail = Math.floor((most - 1) / 2)
  return letters.slice(0, most - 1 - tail).join('') + '…' + letters.slice(-tail).join('')
}
