import { flags, type Kind } from '../api/types.ts'
import { NONE } from '../format.ts'
import { alertGlyph, alertWords, glyphs, type Health, type Level } from '../health.ts'
import type { Metric } from '../metrics.ts'
import { kindWords, nodeName } from '../tags.ts'
import { isOther, type MapEdge, type MapNode, type Model } from './model.ts'

/**
 * The content of a picture of the map, ready to be drawn on a canvas or as SVG: figures have become sizes, and states
 * have become levels.
 */
export interface Drawing {
  nodes: DrawnNode[]
  edges: DrawnEdge[]
  groups: { key: string; label: string }[]
  grouped: boolean
  /** The figures of the largest node and the widest edge. */
  largest: number
  widest: number
  /** The figures that the largest size and the largest width stand for. */
  scales: { node: number; edge: number }
}

export interface DrawnNode {
  key: string
  /** Key of the group around the node, or ''. */
  group: string
  kind: Kind
  level: Level
  label: string
  /** Diameter in pixels. */
  size: number
  isNew: boolean
  /** The ring around it: solid if an alert is firing, dashed if all are pending. */
  alert: '' | 'firing' | 'pending'
}

export interface DrawnEdge {
  key: string
  from: string
  to: string
  level: Level
  /** '' for most edges. */
  label: string
  width: number
  isNew: boolean
  /** It is not known which end connected, so there is no arrow. */
  undirected: boolean
  /** One of its ends is not known. */
  unresolved: boolean
  /** Drawn as a curve: there is an edge the other way, or it ends where it begins. */
  curved: boolean
}

export interface Encoding {
  size: Metric
  width: Metric
  colour: Health
}

const SIZE = { least: 22, most: 64, step: 3 }
const WIDTH = { least: 1.5, most: 10, step: 0.5 }
/**
 * Above this number of nodes, labels are names only. Above this number of labelled edges, edges have no labels.
 * So many figures cannot be read, and each label is drawn again when it changes.
 */
const TOLD = 40

/** Letters of a name. */
const MOST = 26

export const groupKey = (group: string) => 'group/' + encodeURIComponent(group)

/**
 * The drawing of a model. If there is a drawing before it, sizes and widths change only where the difference is
 * visible, so that a refresh with small changes draws little again.
 */
export function draw(m: Model, { size, width, colour }: Encoding, before?: Drawing): Drawing {
  // "other" stands for many nodes. As the largest, it would make all nodes with a name look small.
  const largest = Math.max(0, ...m.nodes.filter((n) => n.id.kind !== 'other').map((n) => size.of(n.measured) ?? 0))
  const widest = Math.max(
    0,
    ...m.edges.filter((e) => !isOther(e.from) && !isOther(e.to)).map((e) => width.of(e.measured) ?? 0),
  )
  const scales = { node: steady(largest, before?.scales.node), edge: steady(widest, before?.scales.edge) }
  const sizes = new Map(before?.nodes.map((n) => [n.key, n.size]))
  const widths = new Map(before?.edges.map((e) => [e.key, e.width]))
  const keys = new Set(m.edges.map((e) => e.key))
  const told = m.nodes.length <= TOLD ? size : null
  const nodes = m.nodes.map((n) =>
    drawNode(n, m.group !== '', told, scale(size.of(n.measured), scales.node, SIZE, sizes.get(n.key)), colour),
  )
  let edges = m.edges.map((e) =>
    drawEdge(e, keys, scale(width.of(e.measured), scales.edge, WIDTH, widths.get(e.key)), colour),
  )
  if (edges.filter((e) => e.label).length > TOLD) edges = edges.map((e) => ({ ...e, label: '' }))
  const groups = m.group ? [...new Set(m.nodes.map((n) => n.id.group).filter(Boolean))].sort() : []
  return {
    nodes,
    edges,
    largest,
    widest,
    scales,
    grouped: m.group !== '',
    groups: groups.map((g) => ({ key: groupKey(g), label: shorten(nodeName({ tag: m.group, name: g }), MOST) })),
  }
}

function drawNode(n: MapNode, grouped: boolean, told: Metric | null, size: number, colour: Health): DrawnNode {
  const level = colour.level(n.measured)
  const words = [kindWords[n.id.kind], told?.format(told.of(n.measured))].filter((w) => w && w !== NONE)
  const glyph = glyphs[level] && glyphs[level] + ' '
  const { alerts } = n.measured
  const ring = alertGlyph(alerts) && `${alertGlyph(alerts)} ${alertWords(alerts)}`
  return {
    key: n.key,
    group: grouped && n.id.group ? groupKey(n.id.group) : '',
    kind: n.id.kind,
    level,
    label: [glyph + shorten(nodeName(n.id), MOST), words.join(' · '), ring].filter(Boolean).join('\n'),
    size,
    isNew: n.isNew,
    alert: alerts?.firing ? 'firing' : alerts?.pending ? 'pending' : '',
  }
}

function drawEdge(e: MapEdge, keys: Set<string>, width: number, colour: Health): DrawnEdge {
  const level = colour.level(e.measured)
  const isNew = (e.flags & flags.isNew) !== 0
  const problem = level === 'warn' || level === 'bad' ? `${glyphs[level]} ${colour.tell(e.measured).split(',')[0]}` : ''
  return {
    key: e.key,
    from: e.from,
    to: e.to,
    level,
    isNew,
    label: [isNew ? '✚ new' : '', problem].filter(Boolean).join('  '),
    width,
    undirected: (e.flags & flags.undirected) !== 0,
    unresolved: (e.flags & flags.unresolved) !== 0,
    curved: e.from === e.to || keys.has(e.to + ',' + e.from),
  }
}

/** Keeps the scale while the largest figure is near it, so that one figure does not change all sizes. */
function steady(most: number, before = 0): number {
  return most <= before * 1.05 && most >= before * 0.8 ? before : most
}

/**
 * A size between the least and the most. The eye compares areas, hence the square root. Sizes change in steps, and
 * only if the figure passed most of a step.
 */
function scale(
  n: number | null,
  most: number,
  range: { least: number; most: number; step: number },
  before?: number,
): number {
  const exact = n && most ? range.least + (range.most - range.least) * Math.sqrt(Math.min(1, n / most)) : range.least
  if (before !== undefined && Math.abs(exact - before) < range.step * 0.8) return before
  return range.least + Math.round((exact - range.least) / range.step) * range.step
}

/** Shortens a name in its middle, because similar names differ at their ends. */
export function shorten(s: string, most: number): string {
  const letters = [...s]
  if (letters.length <= most) return s
  const tail = Math.floor((most - 1) / 2)
  return letters.slice(0, most - 1 - tail).join('') + '…' + letters.slice(-tail).join('')
}
