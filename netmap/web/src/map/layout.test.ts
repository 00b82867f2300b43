import { describe, expect, test } from 'vitest'
import { layout, type Place, type Point } from './layout.ts'
import { ranks, type Link } from './rank.ts'

const node = (id: string, group = ''): Place => ({ id, group, label: 30, title: group ? 30 : 0 })
const link = (from: string, to: string): Link => ({ from, to })

const shop = {
  nodes: ['gateway', 'productpage', 'details', 'reviews', 'ratings'].map((id) => node(id)),
  links: [
    link('gateway', 'productpage'),
    link('productpage', 'details'),
    link('productpage', 'reviews'),
    link('reviews', 'ratings'),
  ],
}

function crowd(n: number, groups: number): { nodes: Place[]; links: Link[] } {
  const nodes = Array.from({ length: n }, (_, i) => node(`n${i}`, groups ? `g${i % groups}` : ''))
  const links = Array.from({ length: n * 3 }, (_, i) => link(`n${i % n}`, `n${(i * 7 + 3) % n}`))
  return { nodes, links }
}

describe('ranks', () => {
  test('clients stand before what they call', () => {
    const rank = ranks(
      shop.nodes.map((n) => n.id),
      shop.links,
    )
    expect(Object.fromEntries(rank)).toEqual({ gateway: 0, productpage: 1, details: 2, reviews: 2, ratings: 3 })
  })

  test('one without callers stands just before what it calls', () => {
    const rank = ranks(
      ['a', 'b', 'c', 'd', 'late', 'alone'],
      [link('a', 'b'), link('b', 'c'), link('c', 'd'), link('late', 'd')],
    )
    expect(Object.fromEntries(rank)).toEqual({ a: 0, b: 1, c: 2, d: 3, late: 2, alone: 0 })
  })

  test('a circle has an end, wherever it is entered', () => {
    const rank = ranks(['a', 'b', 'c'], [link('a', 'b'), link('b', 'c'), link('c', 'a'), link('a', 'a')])
    expect(Object.fromEntries(rank)).toEqual({ a: 0, b: 1, c: 2 })
  })

  test('a long chain does not exhaust the stack', () => {
    const ids = Array.from({ length: 20000 }, (_, i) => `n${i}`)
    const rank = ranks(
      ids,
      ids.slice(1).map((id, i) => link(`n${i}`, id)),
    )
    expect(rank.get('n5')).toBe(5)
    expect(rank.get('n19999')).toBe(7)
  })
})

describe('layout', () => {
  test('the same graph is laid out the same, whatever order it comes in', () => {
    const { nodes, links } = crowd(60, 4)
    const again = layout({ nodes: [...nodes].reverse(), links: [...links].reverse(), pinned: {} })
    expect(again).toEqual(layout({ nodes, links, pinned: {} }))
  })

  test('callers are left of what they call', () => {
    const at = layout({ ...shop, pinned: {} })
    for (const { from, to } of shop.links) expect(at[from]!.x, `${from}, ${to}`).toBeLessThan(at[to]!.x - 60)
  })

  test.each([
    [5, 0],
    [150, 0],
    [150, 6],
    [40, 1],
  ])('no two of %i nodes in %i groups overlap', (n, groups) => {
    const { nodes, links } = crowd(n, groups)
    const points = Object.values(layout({ nodes, links, pinned: {} }))
    expect(points).toHaveLength(n)
    expect(closest(points)).toBeGreaterThan(50)
  })

  test('long labels and titles are not over each other', () => {
    const wide = { label: 86, title: 0 }
    const nodes = [...shop.nodes, node('a'), node('b'), node('c')].map((n) => ({ ...n, ...wide }))
    const links = [...shop.links, link('a', 'b'), link('a', 'reviews')]
    const at = Object.values(layout({ nodes, links, pinned: {} }))
    for (const [i, p] of at.entries())
      for (const q of at.slice(i + 1))
        expect(Math.abs(p.x - q.x) >= 2 * wide.label || Math.abs(p.y - q.y) >= 30, JSON.stringify([p, q])).toBe(true)
    const titled = shop.nodes.map((n) => ({ ...n, group: n.id, title: 110 }))
    const lone = Object.values(layout({ ...shop, nodes: titled, pinned: {} }))
    for (const [i, p] of lone.entries())
      for (const q of lone.slice(i + 1))
        expect(Math.abs(p.x - q.x) >= 220 || Math.abs(p.y - q.y) >= 100, JSON.stringify([p, q])).toBe(true)
  })

  test('groups do not cut each other', () => {
    const { nodes, links } = crowd(90, 6)
    const at = layout({ nodes, links, pinned: {} })
    const boxes = Array.from({ length: 6 }, (_, g) =>
      box(nodes.filter((n) => n.group === `g${g}`).map((n) => at[n.id]!)),
    )
    for (let i = 0; i < 6; i++) for (let j = 0; j < i; j++) expect(cut(boxes[i]!, boxes[j]!), `${i}, ${j}`).toBe(false)
  })

  test('an edge that skips a column runs through no node', () => {
    const nodes = ['a', 'b', 'c', 'd'].map((id) => node(id))
    const at = layout({
      nodes,
      links: [link('a', 'b'), link('b', 'c'), link('c', 'd'), link('a', 'd'), link('a', 'c')],
      pinned: {},
    })
    for (const [from, to, between] of [
      ['a', 'c', 'b'],
      ['a', 'd', 'b'],
      ['a', 'd', 'c'],
    ] as const) {
      expect(off(at[from]!, at[to]!, at[between]!), `${from}, ${to}: ${between}`).toBeGreaterThan(25)
    }
  })

  test('what has a place keeps it, and what is new gets a free one', () => {
    const pinned = layout({ ...shop, pinned: {} })
    const nodes = [...shop.nodes, node('reviews-v4'), node('lonely'), node('cart', 'other'), node('basket', 'other')]
    const after = layout({
      nodes,
      links: [...shop.links, link('productpage', 'reviews-v4'), link('cart', 'basket')],
      pinned,
    })
    for (const [id, p] of Object.entries(pinned)) expect(after[id], id).toEqual(p)
    expect(Object.keys(after).sort()).toEqual(nodes.map((n) => n.id).sort())
    expect(closest(Object.values(after))).toBeGreaterThan(50)
  })

  test('a place of what has gone is not kept', () => {
    const after = layout({
      nodes: [node('a'), node('b')],
      links: [],
      pinned: { a: { x: 1, y: 2 }, gone: { x: 3, y: 4 } },
    })
    expect(Object.keys(after).sort()).toEqual(['a', 'b'])
  })

  test('nothing is nothing', () => expect(layout({ nodes: [], links: [], pinned: {} })).toEqual({}))
})

function closest(points: Point[]): number {
  let least = Infinity
  points.forEach((p, i) =>
    points.slice(0, i).forEach((q) => (least = Math.min(least, Math.hypot(p.x - q.x, p.y - q.y)))),
  )
  return least
}

function box(points: Point[]) {
  const xs = points.map((p) => p.x)
  const ys = points.map((p) => p.y)
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) }
}

function cut(a: ReturnType<typeof box>, b: ReturnType<typeof box>): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

/** How far a point is off the line between two others. */
function off(a: Point, b: Point, p: Point): number {
  return Math.abs((b.x - a.x) * (a.y - p.y) - (a.x - p.x) * (b.y - a.y)) / Math.hypot(b.x - a.x, b.y - a.y)
}
