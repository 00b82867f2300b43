import type { StylesheetJson } from 'cytoscape'
import type { Kind } from '../api/types.ts'
import type { Level } from '../health.ts'
import type { Colours } from './colours.ts'
import { RINGED } from './geometry.ts'

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'

/** A rule of the style sheet. Cytoscape's types lack some of its properties, so rules are not checked. */
interface Rule {
  selector: string
  style: Record<string, unknown>
}

const ofKind = (kind: Kind) => `node[kind="${kind}"]`
const atLevel = (element: 'node' | 'edge', level: Level) => `${element}[level="${level}"]`

/**
 * The style sheet of the map. Kinds of nodes differ in shape. States of health differ in colour and, on edges, in the
 * pattern of the line; labels hold the glyph of the state. `letters` scales the letters, for a view that is zoomed out.
 */
export function stylesheet(c: Colours, letters = 1): StylesheetJson {
  const rules = [...nodeRules(c, letters), ...groupRules(c, letters), ...edgeRules(c, letters), ...markRules(c)]
  return rules as unknown as StylesheetJson
}

/** Properties that labels of nodes and edges share. */
const lettering = (c: Colours) => ({
  'font-family': FONT,
  color: c.text,
  'text-background-color': c.canvas,
  'text-background-padding': '2px',
  'text-background-shape': 'roundrectangle',
  'overlay-opacity': 0,
})

function nodeRules(c: Colours, letters: number): Rule[] {
  return [
    {
      selector: 'node',
      style: {
        ...lettering(c),
        shape: 'ellipse',
        'background-color': c.good,
        'border-width': 2,
        'border-color': c.canvas,
        label: 'data(label)',
        'font-size': 11 * letters,
        'text-valign': 'bottom',
        'text-margin-y': 4,
        'text-wrap': 'wrap',
        'text-max-width': `${190 * letters}px`,
        'line-height': 1.25,
        'text-background-opacity': 0.82,
        'min-zoomed-font-size': 6,
      },
    },
    { selector: 'node[group ^= "group/"]', style: { 'text-background-color': c.group, 'border-color': c.group } },
    { selector: 'node[size]', style: { width: 'data(size)', height: 'data(size)' } },
    { selector: atLevel('node', 'warn'), style: { 'background-color': c.warn } },
    { selector: atLevel('node', 'bad'), style: { 'background-color': c.bad } },
    { selector: atLevel('node', 'none'), style: { 'background-color': c.none } },
    { selector: ofKind('external'), style: { shape: 'diamond' } },
    {
      selector: ofKind('unresolved'),
      style: {
        shape: 'hexagon',
        'background-opacity': 0.25,
        'border-style': 'dashed',
        'border-color': c.none,
        'border-width': 2,
      },
    },
    {
      selector: ofKind('other'),
      style: {
        shape: 'roundrectangle',
        'background-opacity': 0.35,
        'border-style': 'double',
        'border-width': 4,
        'border-color': c.none,
      },
    },
    { selector: 'node[?isNew]', style: { 'border-color': c.new, 'border-width': 3 } },
    { selector: 'node[alert="firing"]', style: ring(c.bad, 'solid') },
    { selector: 'node[alert="pending"]', style: ring(c.warn, 'dashed') },
  ]
}

/** A ring around a node that an alert is about. */
const ring = (colour: string, style: string) => ({
  'outline-color': colour,
  'outline-style': style,
  'outline-width': 3,
  'outline-offset': 4,
  'text-margin-y': RINGED,
})

function groupRules(c: Colours, letters: number): Rule[] {
  return [
    {
      selector: ':parent',
      style: {
        shape: 'roundrectangle',
        'background-color': c.group,
        'background-opacity': 0.75,
        'border-width': 1,
        'border-color': c['group-line'],
        padding: '22px',
        'text-valign': 'top',
        'text-margin-y': -4,
        'font-size': 13 * letters,
        'font-weight': 600,
        color: c.text,
        events: 'no',
      },
    },
  ]
}

/** Straight edges are haystacks, which are the fastest to draw. The others have a pair, or nodes in their way. */
function edgeRules(c: Colours, letters: number): Rule[] {
  return [
    {
      selector: 'edge',
      style: {
        ...lettering(c),
        'curve-style': 'haystack',
        'haystack-radius': 0,
        width: 'data(width)',
        'line-color': c.good,
        'line-opacity': 0.62,
        'mid-target-arrow-shape': 'triangle',
        'mid-target-arrow-color': c.good,
        'arrow-scale': 0.9,
        'font-size': 10 * letters,
        'text-background-opacity': 0.9,
        'min-zoomed-font-size': 7,
      },
    },
    {
      selector: 'edge[?curved]',
      style: {
        'curve-style': 'bezier',
        'control-point-step-size': 34,
        'loop-direction': '-45deg',
        'loop-sweep': '60deg',
      },
    },
    {
      selector: 'edge[control != 0]',
      style: {
        'curve-style': 'unbundled-bezier',
        'control-point-distances': 'data(control)',
        'control-point-weights': 'data(weight)',
      },
    },
    {
      selector: 'edge[label != ""]',
      style: { label: 'data(label)', 'text-margin-x': 'data(labelX)', 'text-margin-y': 'data(labelY)' },
    },
    { selector: atLevel('edge', 'none'), style: { 'line-color': c.none, 'mid-target-arrow-color': c.none } },
    { selector: atLevel('edge', 'warn'), style: dashed(c.warn, 0.9, [10, 3]) },
    { selector: atLevel('edge', 'bad'), style: dashed(c.bad, 0.95, [5, 4]) },
    { selector: 'edge[?unresolved]', style: { 'line-style': 'dotted' } },
    { selector: 'edge[?undirected]', style: { 'mid-target-arrow-shape': 'none' } },
    {
      selector: 'edge[?isNew]',
      style: {
        'underlay-color': c.new,
        'underlay-opacity': 0.45,
        'underlay-padding': 4,
        color: c.new,
        'font-weight': 600,
      },
    },
  ]
}

const dashed = (colour: string, opacity: number, pattern: number[]) => ({
  'line-color': colour,
  'mid-target-arrow-color': colour,
  'line-opacity': opacity,
  'line-style': 'dashed',
  'line-dash-pattern': pattern,
})

/** Rules for the selection, and for everything that fades behind it. */
function markRules(c: Colours): Rule[] {
  return [
    { selector: 'node.faded', style: { opacity: 0.22 } },
    { selector: 'edge.faded', style: { 'line-opacity': 0.1, 'text-opacity': 0, 'mid-target-arrow-shape': 'none' } },
    {
      selector: 'node.selected',
      style: {
        'border-color': c.accent,
        'border-width': 4,
        'underlay-color': c.accent,
        'underlay-opacity': 0.3,
        'underlay-padding': 7,
      },
    },
    {
      selector: 'edge.selected',
      style: { 'underlay-color': c.accent, 'underlay-opacity': 0.4, 'underlay-padding': 5, 'line-opacity': 1 },
    },
  ]
}
