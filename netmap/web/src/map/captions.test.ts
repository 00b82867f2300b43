import { describe, expect, test } from 'vitest'
import { captions } from './captions.ts'
import type { DrawnEdge, DrawnNode } from './drawing.ts'

const node = (key: string): DrawnNode => ({
  key,
  group: '',
  kind: 'internal',
  level: 'good',
  label: key,
  size: 24,
  isNew: false,
  alert: '',
})
const edge = (from: string, to: string, more: Partial<DrawnEdge> = {}): DrawnEdge => ({
  key: from + ',' + to,
  from,
  to,
  level: 'good',
  label: '✚ new',
  width: 2,
  isNew: true,
  undirected: false,
  unresolved: false,
  curved: false,
  ...more,
})

const at = { a: { x: 0, y: 0 }, b: { x: 300, y: 0 }, c: { x: 150, y: -30 }, d: { x: 150, y: 200 } }
const places = (nodes: string[], edges: DrawnEdge[], positions: Record<string, { x: number; y: number }> = at) =>
  Object.fromEntries(captions(nodes.map(node), edges, positions, new Map()))

describe('the label of an edge', () => {
  test('is above the middle, where the arrow is', () => {
    expect(places(['a', 'b'], [edge('a', 'b')])).toEqual({ 'a,b': { x: 0, y: -13 } })
    expect(places(['a', 'b'], [edge('a', 'b', { width: 10 })]), 'a wide line').toEqual({ 'a,b': { x: 0, y: -17 } })
  })

  test('keeps away from a node and its label', () => {
    expect(places(['a', 'b', 'c'], [edge('a', 'b')])).toEqual({ 'a,b': { x: 0, y: 13 } })
  })

  test('would rather hide the rims of two circles than the middle of one', () => {
    const near = { a: { x: 0, y: 0 }, b: { x: 164, y: 0 } }
    const nodes = ['a', 'b'].map((key) => ({ ...node(key), size: 64 }))
    const told = captions(nodes, [edge('a', 'b', { label: '✚ new  ✖ 6 failed' })], near, new Map())
    expect(told.get('a,b')!.x).toBe(0)
  })

  test('keeps away from another edge', () => {
    const lower = { ...at, c: { x: 150, y: -200 } }
    const [label] = Object.values(places(['a', 'b', 'c', 'd'], [edge('a', 'b'), edge('c', 'd', { label: '' })], lower))
    expect(Math.abs(label!.x), 'is beside the other line').toBeGreaterThan(16)
  })

  test('gives way to the label of an edge in a worse state', () => {
    const cross = { a: { x: 0, y: 0 }, b: { x: 300, y: 0 }, c: { x: 0, y: -4 }, d: { x: 300, y: -4 } }
    const edges = [edge('a', 'b'), edge('c', 'd', { level: 'bad', label: '✖ 3 failed' })]
    const both = places(['a', 'b', 'c', 'd'], edges, cross)
    const alone = places(['a', 'b', 'c', 'd'], [edges[1]!, { ...edges[0]!, label: '' }], cross)
    expect(both['c,d']).toEqual(alone['c,d'])
    expect(places(['a', 'b', 'c', 'd'], [...edges].reverse(), cross), 'in whatever order they come').toEqual(both)
  })

  test('is left alone on a loop, and where an end has no place', () => {
    expect(places(['a'], [edge('a', 'a'), edge('a', 'gone')])).toEqual({})
    expect(places(['a', 'b'], [edge('a', 'b', { label: '' })])).toEqual({})
  })
})
