import type { Colours } from './colours.ts'
import type { Drawing, DrawnEdge, DrawnNode } from './drawing.ts'
import type { Point } from './layout.ts'
import { LONE_SURROGATE } from '../text.ts'
import type { Captions } from './captions.ts'
import { control, pointOf, usual, type Bend, type Bends } from './route.ts'
import { RINGED } from './geometry.ts'
import { FONT } from './style.ts'

const MARGIN = 70

/**
 * The drawing as an SVG document, with shapes, lines and words as on the page. All text from outside is escaped, so
 * that a name stays a name in every program that opens the file.
 */
export function svg(
  drawing: Drawing,
  positions: Record<string, Point>,
  bends: Bends,
  captions: Captions,
  c: Colours,
  title: string,
): string {
  const nodes = drawing.nodes.filter((n) => positions[n.key])
  const box = bounds(nodes, positions)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box.x} ${box.y} ${box.width} ${box.height}" ` +
      `width="${box.width}" height="${box.height}" ` +
      `font-family="${escape(FONT)}" font-size="11" fill="${c.text}">`,
    `<title>${escape(title)}</title>`,
    `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" fill="${c.canvas}"/>`,
    ...drawing.groups.map((g) =>
      group(
        g,
        nodes.filter((n) => n.group === g.key),
        positions,
        c,
      ),
    ),
    ...drawing.edges.map((e) => edge(e, positions, bends.get(e.key) ?? usual(e), captions.get(e.key), c)),
    ...nodes.map((n) => node(n, positions[n.key]!, c)),
    '</svg>',
  ]
  return parts.filter(Boolean).join('\n') + '\n'
}

function bounds(nodes: DrawnNode[], positions: Record<string, Point>) {
  const xs = nodes.map((n) => positions[n.key]!.x)
  const ys = nodes.map((n) => positions[n.key]!.y)
  if (!nodes.length) return { x: 0, y: 0, width: 2 * MARGIN, height: 2 * MARGIN }
  const [x, y] = [Math.min(...xs) - MARGIN - 30, Math.min(...ys) - MARGIN]
  return { x, y, width: Math.max(...xs) + MARGIN + 30 - x, height: Math.max(...ys) + MARGIN + 24 - y }
}

function group(g: { label: string }, members: DrawnNode[], positions: Record<string, Point>, c: Colours): string {
  if (!members.length) return ''
  const b = bounds(members, positions)
  const pad = 24
  return (
    `<rect x="${b.x + pad}" y="${b.y + pad}" width="${b.width - 2 * pad}" height="${b.height - 2 * pad}" rx="8" ` +
    `fill="${c.group}" stroke="${c['group-line']}"/>` +
    `<text x="${b.x + b.width / 2}" y="${b.y + pad - 6}" text-anchor="middle" font-size="13" font-weight="600">` +
    `${escape(g.label)}</text>`
  )
}

function edge(
  e: DrawnEdge,
  positions: Record<string, Point>,
  bend: Bend,
  caption: Point | undefined,
  c: Colours,
): string {
  const [a, b] = [positions[e.from], positions[e.to]]
  if (!a || !b) return ''
  const dash = e.unresolved ? '1 4' : e.level === 'warn' ? '10 3' : e.level === 'bad' ? '5 4' : ''
  const path = curve(e, a, b, bend)
  const stroke = `fill="none" stroke="${c[e.level]}" stroke-width="${e.width}"${dash && ` stroke-dasharray="${dash}"`}`
  const halo = e.isNew
    ? `<path d="${path.d}" fill="none" stroke="${c.new}" stroke-opacity="0.45" stroke-width="${e.width + 8}"/>`
    : ''
  const at = { x: round(path.x + (caption?.x ?? 0)), y: round(path.y + (caption?.y ?? 0) + 4) }
  const words = e.label ? `<text x="${at.x}" y="${at.y}" font-size="10" ${label(c)}>${escape(e.label)}</text>` : ''
  return `${halo}<path d="${path.d}" ${stroke}/>${e.undirected ? '' : arrow(path, a, b, e.width, c[e.level])}${words}`
}

/** The path of an edge, and its midpoint. */
function curve(e: DrawnEdge, a: Point, b: Point, bend: Bend): { d: string; x: number; y: number } {
  if (e.from === e.to) return { d: `M${a.x} ${a.y}c-60 -20 -20 -60 0 0`, x: a.x - 25, y: a.y - 24 }
  if (!bend.off) return { d: `M${a.x} ${a.y}L${b.x} ${b.y}`, x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
  const [at, c] = [pointOf(a, b, bend, 0.5), control(a, b, bend)]
  return { d: `M${a.x} ${a.y}Q${round(c.x)} ${round(c.y)} ${b.x} ${b.y}`, x: round(at.x), y: round(at.y) }
}

function arrow(at: { x: number; y: number }, a: Point, b: Point, width: number, colour: string): string {
  const angle = round((Math.atan2(b.y - a.y, b.x - a.x) * 180) / Math.PI)
  const s = 4 + width
  const head = `M${s} 0L${-s} ${-s * 0.8}L${-s} ${s * 0.8}Z`
  return `<path d="${head}" fill="${colour}" transform="translate(${at.x} ${at.y}) rotate(${angle})"/>`
}

function node(n: DrawnNode, { x, y }: Point, c: Colours): string {
  const r = n.size / 2
  const border = n.isNew ? `stroke="${c.new}" stroke-width="3"` : `stroke="${c.canvas}" stroke-width="2"`
  const hollow = `fill="${c[n.level]}" fill-opacity="0.3" stroke="${c.none}" stroke-width="2"`
  const shapes = {
    internal: `<circle cx="${x}" cy="${y}" r="${r}" fill="${c[n.level]}" ${border}/>`,
    external: `<path d="M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z" fill="${c[n.level]}" ${border}/>`,
    unresolved: `<path d="${hexagon(x, y, r)}" ${hollow} stroke-dasharray="4 3"/>`,
    other: `<rect x="${x - r}" y="${y - r}" width="${n.size}" height="${n.size}" rx="4" ${hollow}/>`,
  }
  const text = n.label.split('\n').map((line, i) => `<tspan x="${x}" dy="${i ? 14 : 0}">${escape(line)}</tspan>`)
  const words = `<text x="${x}" y="${y + r + 10 + (n.alert ? RINGED : 4)}" ${label(c)}>${text.join('')}</text>`
  return `<g data-key="${escape(n.key)}">${shapes[n.kind]}${ring(n, { x, y }, c)}${words}</g>`
}

/** The ring of a node that an alert is about. */
function ring(n: DrawnNode, { x, y }: Point, c: Colours): string {
  if (!n.alert) return ''
  const [colour, dash] = n.alert === 'firing' ? [c.bad, ''] : [c.warn, ' stroke-dasharray="7 4"']
  return `<circle cx="${x}" cy="${y}" r="${n.size / 2 + 6}" fill="none" stroke="${colour}" stroke-width="3"${dash}/>`
}

const hexagon = (x: number, y: number, r: number) =>
  `M${x - r} ${y}L${x - r / 2} ${y - r}H${x + r / 2}L${x + r} ${y}L${x + r / 2} ${y + r}H${x - r / 2}Z`

/** Letters with an outline in the colour of the background, legible over lines. */
const label = (c: Colours) => `text-anchor="middle" stroke="${c.canvas}" stroke-width="3" paint-order="stroke"`

const round = (n: number) => Math.round(n * 10) / 10

const NOT_XML = new RegExp(`[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\ufffe\\uffff]|${LONE_SURROGATE.source}`, 'g')

function escape(s: string): string {
  // XML cannot hold these characters at all. All others with a meaning become references.
  return s.replace(NOT_XML, '\ufffd').replace(/[&<>"']/g, (ch) => `&#${ch.charCodeAt(0)};`)
}
