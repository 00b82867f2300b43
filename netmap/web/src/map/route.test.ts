import { describe, expect, test } from 'vitest'
import type { DrawnEdge, DrawnNode } from './drawing.ts'
import { layout } from './layout.ts'
import { around, overlap, touches } from './geometry.ts'
import { bends, control, course, MOST, PAIR, pointOf, usual } from './route.ts'

const node = (key: string, label = key): DrawnNode => ({
  key,
  group: '',
  kind: 'internal',
  level: 'good',
  label,
  size: 24,
  isNew: false,
  alert: '',
})
const edge = (from: string, to: string, curved = from === to): DrawnEdge => ({
  key: from + ',' + to,
  from,
  to,
  level: 'good',
  label: '',
  width: 1,
  isNew: false,
  undirected: false,
  unresolved: false,
  curved,
})

const row = { a: { x: 0, y: 0 }, b: { x: 300, y: 0 }, c: { x: 600, y: 0 } }
const nodes = ['a', 'b', 'c'].map((key) => node(key))

describe('an edge', () => {
  test('with nothing in its way is straight', () => {
    expect(bends(nodes, [edge('a', 'b'), edge('b', 'c')], row)).toEqual(new Map())
  })

  test('bends past a node in its way, by as little as that takes', () => {
    expect(bends(nodes, [edge('a', 'c')], row)).toEqual(new Map([['a,c', { off: -30, at: 0.5 }]]))
  })

  test('bends past the label of a node, which is below it', () => {
    const above = { ...row, b: { x: 300, y: -20 } }
    expect(bends(nodes, [edge('a', 'c')], above)).toEqual(new Map([['a,c', { off: 30, at: 0.5 }]]))
    const short = bends([node('a'), node('b', 'b\n5 kB'), node('c')], [edge('a', 'c')], {
      ...row,
      b: { x: 300, y: -35 },
    })
    expect(short.get('a,c')?.off, 'each line counts').toBe(30)
    expect(bends(nodes, [edge('a', 'c')], { ...row, b: { x: 300, y: -35 } })).toEqual(new Map())
  })

  test('takes the size of a node and the width of its label into account', () => {
    const beside = { ...row, b: { x: 300, y: 60 } }
    const big = nodes.map((n) => (n.key === 'b' ? { ...n, size: 140 } : n))
    expect(bends(nodes, [edge('a', 'c')], beside).size).toBe(0)
    expect(bends(big, [edge('a', 'c')], beside).get('a,c')?.off).toBe(-30)
    const upright = { a: { x: 0, y: 0 }, b: { x: 40, y: 300 }, c: { x: 0, y: 600 } }
    expect(bends(nodes, [edge('a', 'c')], upright).size).toBe(0)
    const wide = nodes.map((n) => (n.key === 'b' ? node('b', 'a-name-that-is-rather-long') : n))
    expect(bends(wide, [edge('a', 'c')], upright).has('a,c')).toBe(true)
  })

  test('does not bend for its own ends', () => {
    expect(bends([node('a', 'a-label-as-wide-as-the-edge'), node('b')], [edge('a', 'b')], row).size).toBe(0)
  })

  test('is straight where a bend would not help, and bends no more than its length allows', () => {
    const wall = nodes.map((n) => (n.key === 'b' ? { ...n, size: 400 } : n))
    expect(bends(wall, [edge('a', 'c')], row).size).toBe(0)
    const near = { a: { x: 0, y: 0 }, b: { x: 30, y: 0 }, c: { x: 60, y: 0 } }
    expect(bends(nodes, [edge('a', 'c')], near).size).toBe(0)
  })

  test('to itself, or to a node without a place, is left alone', () => {
    expect(bends(nodes, [edge('a', 'a'), edge('a', 'gone')], row).size).toBe(0)
  })
})

test('a pair keeps to its two sides', () => {
  const both = bends(nodes, [edge('a', 'c', true), edge('c', 'a', true)], row)
  const heights = (['a,c', 'c,a'] as const).map((key) => {
    const [from, to] = key.split(',') as ['a', 'c']
    return pointOf(row[from], row[to], both.get(key) ?? PAIR, 0.5).y
  })
  expect(heights[0]! * heights[1]!).toBeLessThan(0)
  expect(Math.min(...heights), 'one is above the node between').toBeLessThan(-16)
  expect(Math.max(...heights), 'one is below its label').toBeGreaterThan(31)
})

test('a curve goes from one end to the other, and its middle is as far off as the bend', () => {
  const [a, b] = [
    { x: 0, y: 0 },
    { x: 100, y: 0 },
  ]
  const bend = { off: 20, at: 0.25 }
  expect(control(a, b, bend)).toEqual({ x: 25, y: 40 })
  expect([0, 0.5, 1].map((t) => pointOf(a, b, bend, t))).toEqual([a, { x: 37.5, y: 20 }, b])
  expect(course(a, b, { off: 0, at: 0.5 })).toEqual([a, b])
  expect(pointOf(a, a, bend, 0.5), 'ends at one place').toEqual(a)
})

test('a node in the way costs more than labels do', () => {
  const wall = [node('a'), node('b'), ...['x', 'y', 'z'].map((key) => node(key, 'a-label-that-is-wide')), node('c')]
  const at = { ...row, x: { x: 300, y: -70 }, y: { x: 300, y: 18 }, z: { x: 300, y: -115 } }
  const bend = bends(wall, [edge('a', 'c')], at).get('a,c')!
  const line = course(row.a, row.c, bend)
  expect(touches(line, around(row.b, 12, 12)), 'the edge keeps away from the node').toBe(false)
})

/** The bends of a layout of so many nodes and edges. */
function crowd(count: number, links: number) {
  const all = Array.from({ length: count }, (_, i) => node(`n${i}`, `workload-${i}`))
  const drawn = Array.from({ length: links }, (_, i) =>
    edge(`n${i % count}`, `n${(i * 7 + 3 + Math.floor(i / count)) % count}`),
  )
    .filter((e) => e.from !== e.to)
    .filter((e, i, edges) => edges.findIndex((other) => other.key === e.key) === i)
  const places = all.map((n) => ({ id: n.key, group: '', label: 30, title: 0 }))
  const positions = layout({ nodes: places, links: drawn, pinned: {} })
  return { all, drawn, positions, bent: bends(all, drawn, positions) }
}

test('in a crowd, edges bend, in whatever order they come', () => {
  const { all, drawn, positions, bent } = crowd(50, 100)
  expect(bent.size).toBeGreaterThan(drawn.length / 4)
  expect(bends([...all].reverse(), [...drawn].reverse(), positions)).toEqual(bent)
})

test('where there are too many edges, none bends', () => {
  const { drawn, bent } = crowd(150, 450)
  expect(drawn.length).toBeGreaterThan(MOST)
  expect(bent.size).toBe(0)
})

/** A shop of 23 workloads, as it is deployed for demonstrations. */
const shop =
  `loadgenerator>frontend frontend-proxy>frontend frontend>cart frontend>catalog frontend>currency frontend>recommendation
  frontend>shipping frontend>checkout frontend>ads checkout>cart checkout>catalog checkout>currency checkout>payment
  checkout>email checkout>shipping recommendation>catalog cart>redis redis>cart payment>bank email>smtp prometheus>frontend
  prometheus>checkout prometheus>cart otel>jaeger frontend>otel checkout>otel payment>otel cart>otel shipping>otel
  accounting>kafka fraud-detection>kafka checkout>kafka accounting>postgres catalog>postgres`.split(/\s+/)

test.each([false, true])('no edge of a mesh runs through a node that is not its end (in groups: %s)', (grouped) => {
  const pairs = shop.map((pair) => pair.split('>') as [string, string])
  const groupOf = (key: string) =>
    /prometheus|otel|jaeger/.test(key) ? 'telemetry' : /kafka|postgres|redis|smtp/.test(key) ? 'data' : 'shop'
  const all = [...new Set(pairs.flat())].map((key) => ({ ...node(key, `${key}\n5.2 MB`), size: 48 }))
  const drawn = pairs.map(([from, to]) => edge(from, to, shop.includes(`${to}>${from}`)))
  const positions = layout({
    nodes: all.map((n) => ({ id: n.key, group: grouped ? groupOf(n.key) : '', label: 30, title: 0 })),
    links: drawn,
    pinned: {},
  })
  const hits = (of: ReturnType<typeof bends>) =>
    drawn.flatMap((e) => {
      const line = course(positions[e.from]!, positions[e.to]!, of.get(e.key) ?? usual(e))
      const others = all.filter((n) => n.key !== e.from && n.key !== e.to)
      return others.filter((n) => touches(line, around(positions[n.key]!, 24, 24))).map((n) => `${e.key} ${n.key}`)
    })
  expect(hits(new Map()).length, 'straight edges run through nodes').toBeGreaterThan(3)
  expect(hits(bends(all, drawn, positions))).toEqual([])
})

test('boxes overlap where they share a part', () => {
  const box = around({ x: 0, y: 0 }, 10, 5)
  expect(overlap(box, around({ x: 19, y: 9 }, 10, 5))).toBe(true)
  expect(overlap(box, around({ x: 20, y: 0 }, 10, 5))).toBe(false)
})
