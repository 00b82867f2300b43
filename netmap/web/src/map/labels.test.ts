import { describe, expect, test } from 'vitest'
import type { Captions } from './captions.ts'
import type { Drawing, DrawnEdge, DrawnNode } from './drawing.ts'
import { around, HALF, halfWidth, labelBox, overlap } from './geometry.ts'
import { readable } from './labels.ts'
import type { Point } from './layout.ts'

const node = (key: string, more: Partial<DrawnNode> = {}): DrawnNode => ({
  key,
  group: '',
  kind: 'internal',
  level: 'good',
  label: `workload-${key}\n12 MB`,
  size: 24,
  isNew: false,
  alert: '',
  ...more,
})
const edge = (from: string, to: string, more: Partial<DrawnEdge> = {}): DrawnEdge => ({
  key: from + ',' + to,
  from,
  to,
  level: 'bad',
  label: '✖ 3 failed',
  width: 2,
  isNew: false,
  undirected: false,
  unresolved: false,
  curved: false,
  ...more,
})

interface Given {
  nodes: DrawnNode[]
  edges?: DrawnEdge[]
  groups?: Drawing['groups']
  at: Record<string, Point>
  captions?: Captions
  letters?: number
  first?: string[]
}

/** What is shown, by key. */
function shown({ nodes, edges = [], groups = [], at, captions = new Map(), letters = 1, first = [] }: Given) {
  const scales = { node: 1, edge: 1 }
  const drawing: Drawing = { nodes, edges, groups, grouped: groups.length > 0, largest: 1, widest: 1, scales }
  const [less] = readable([drawing, at, new Map(), captions], letters, new Set(first))
  return Object.fromEntries([...less.groups, ...less.nodes, ...less.edges].map((e) => [e.key, e.label]))
}

const side = { a: { x: 0, y: 0 }, b: { x: 60, y: 0 } }

describe('labels that can be read', () => {
  test('are all there where there is room', () => {
    const at = { a: { x: 0, y: 0 }, b: { x: 300, y: 0 } }
    expect(shown({ nodes: [node('a'), node('b')], edges: [edge('a', 'b')], at })).toEqual({
      a: 'workload-a\n12 MB',
      b: 'workload-b\n12 MB',
      'a,b': '✖ 3 failed',
    })
  })

  test('belong to the worst state first, then to the largest', () => {
    const names = (...more: Partial<DrawnNode>[]) => {
      const all = shown({ nodes: ['a', 'b'].map((key, i) => node(key, more[i])), at: side })
      return Object.keys(all).filter((key) => all[key])
    }
    expect(names({ size: 40 }, {})).toEqual(['a'])
    expect(names({ size: 40 }, { level: 'warn' })).toEqual(['b'])
    expect(names({ level: 'bad' }, { level: 'warn' })).toEqual(['a'])
    expect(names({ level: 'warn' }, { alert: 'firing' })).toEqual(['b'])
    expect(names({}, {}), 'the same each time').toEqual(['a'])
  })

  test('are those of the selection before all others', () => {
    const given = { nodes: [node('a', { level: 'bad' }), node('b')], at: side }
    expect(shown({ ...given, first: ['b'] })).toEqual({ a: '', b: 'workload-b\n12 MB' })
  })

  test('are names before figures', () => {
    const at = { a: { x: 0, y: 0 }, b: { x: 0, y: 32 } }
    const nodes = [node('a', { level: 'bad', size: 8 }), node('b', { size: 8 })]
    expect(shown({ nodes, at })).toEqual({ a: 'workload-a', b: 'workload-b\n12 MB' })
  })

  test('hide neither a circle nor the title of a group', () => {
    const at = { a: { x: 0, y: 0 }, b: { x: 0, y: 26 } }
    expect(shown({ nodes: [node('a'), node('b')], at }).a, 'b is where it would be').toBe('')
    const groups = [{ key: 'group/zone', label: 'eu-1a' }]
    const below = { a: { x: 0, y: 0 }, b: { x: 0, y: 100 } }
    const grouped = shown({ nodes: [node('a'), node('b', { group: 'group/zone' })], at: below, groups, letters: 2 })
    expect(grouped).toEqual({ 'group/zone': 'eu-1a', a: '', b: 'workload-b\n12 MB' })
  })

  test.each([1, 1.5, 2.5, 4])('never overlap with letters of %f, and some are left', (letters) => {
    let seed = 7
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647
    const keys = Array.from({ length: 120 }, (_, i) => `${i}`)
    const at = Object.fromEntries(keys.map((key) => [key, { x: 1400 * random(), y: 900 * random() }]))
    const nodes = keys.map((key) => node(key, { size: 22 + 40 * random(), level: random() < 0.2 ? 'bad' : 'good' }))
    const edges = keys.slice(1).map((key) => edge('0', key))
    const all = shown({ nodes, edges, at, letters })
    const boxes = [
      ...nodes.filter((n) => all[n.key]).map((n) => labelBox({ ...n, label: all[n.key]! }, at[n.key]!, letters)),
      ...edges
        .filter((e) => all[e.key])
        .map((e) => {
          const [a, b] = [at[e.from]!, at[e.to]!]
          const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
          return around(middle, letters * halfWidth(e.label), letters * HALF)
        }),
    ]
    expect(boxes.length).toBeGreaterThan(5)
    expect(boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => overlap(a, b)))).toEqual([])
  })
})
