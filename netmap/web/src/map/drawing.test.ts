import { describe, expect, test } from 'vitest'
import { flags } from '../api/types.ts'
import { healthOf } from '../health.ts'
import { metricOf, sum, type Measured } from '../metrics.ts'
import { draw, shorten, type Encoding } from './drawing.ts'
import { keyOf, type Identity } from './key.ts'
import type { MapEdge, MapNode, Model } from './model.ts'

const by = (size = 'volume', colour = 'problems'): Encoding => ({
  size: metricOf(size),
  width: metricOf('volume'),
  colour: healthOf(colour),
})
const none: Measured = sum([], 300)
const carried = (tx: number, more: Partial<Measured> = {}): Measured => ({ ...none, tx, ...more })

function node(name: string, measured: Measured, more: Partial<Identity> = {}): MapNode {
  const id: Identity = { kind: 'internal', tag: 'name', name, group: '', ...more }
  return { key: keyOf(id), id, ends: 1, measured, isNew: false }
}

function edge(from: MapNode, to: MapNode, measured: Measured, bits = 0): MapEdge {
  return {
    key: from.key + ',' + to.key,
    from: from.key,
    to: to.key,
    measured,
    flags: bits,
    count: 1,
    failures: [],
    breaks: [],
  }
}

function model(nodes: MapNode[], edges: MapEdge[], group = ''): Model {
  return {
    by: 'name',
    group,
    nodes,
    edges,
    seconds: 300,
    bytes: 0,
    shown: 0,
    folded: { nodes: 0, edges: 0 },
    hidden: 0,
  }
}

const [a, b] = [node('a', carried(100)), node('b', carried(25))]

describe('a drawing', () => {
  test('areas are what was measured', () => {
    const { nodes } = draw(model([a, b], []), by())
    expect(nodes.map((n) => n.size)).toEqual([64, 43])
  })

  test('states of health have a glyph, kinds have words', () => {
    const ill = node('ill', carried(1e6, { attempts: 10, failures: 1 }))
    const out = node('public', carried(5), { kind: 'external', tag: 'type' })
    const { nodes } = draw(model([a, ill, out], []), by())
    expect(nodes.map((n) => [n.level, n.label.replaceAll('\u00a0', ' ')])).toEqual([
      ['good', 'a\n100 B'],
      ['bad', '✖ ill\n1 MB'],
      ['good', 'public addresses\nexternal · 5 B'],
    ])
  })

  test('alerts are a ring and a line of the label, whatever the colour stands for', () => {
    const alerts = (firing: number, pending: number) => node('a', { ...carried(100), alerts: { firing, pending } })
    const drawn = [alerts(1, 2), alerts(0, 1), alerts(0, 0)].map((n) => draw(model([n], []), by()).nodes[0]!)
    expect(drawn.map((n) => [n.alert, n.level, n.label.split('\n')[2]])).toEqual([
      ['firing', 'good', '◉ 1 firing, 2 pending'],
      ['pending', 'good', '◎ 1 pending'],
      ['', 'good', undefined],
    ])
    expect(draw(model([alerts(1, 0)], []), by('volume', 'alerts')).nodes[0]!.label).toMatch(/^✖ a/)
  })

  test('an edge says that it is new, whom it does not know, and what is wrong', () => {
    const { edges } = draw(
      model(
        [a, b],
        [
          edge(a, b, carried(10, { attempts: 10, failures: 3 }), flags.isNew),
          edge(b, a, none, flags.undirected | flags.unresolved),
          edge(a, a, none),
        ],
      ),
      by(),
    )
    expect(edges.map((e) => [e.label, e.isNew, e.undirected, e.unresolved, e.curved])).toEqual([
      ['✚ new  ✖ 3 failed', true, false, false, true],
      ['', false, true, true, true],
      ['', false, false, false, true],
    ])
  })

  test('of a crowd has names only', () => {
    const crowd = Array.from({ length: 60 }, (_, i) => node(`n${i}`, carried(i)))
    const edges = crowd.slice(1).map((n) => edge(crowd[0]!, n, carried(1), flags.isNew))
    const drawing = draw(model(crowd, edges), by())
    expect(drawing.nodes[7]!.label).toBe('n7')
    expect(drawing.edges.every((e) => e.isNew && e.label === '')).toBe(true)
  })

  test('what is folded is not the measure of what has a name', () => {
    const other = node('', carried(1e9), { kind: 'other', tag: '' })
    const { nodes, largest } = draw(model([a, other], []), by())
    expect([largest, ...nodes.map((n) => n.size)]).toEqual([100, 64, 64])
  })

  test('groups are those that have a name; who has none stands alone', () => {
    const drawing = draw(model([node('a', none, { group: 'prod' }), node('b', none)], [], 'namespace'), by())
    expect(drawing.groups).toEqual([{ key: 'group/prod', label: 'prod' }])
    expect(drawing.nodes.map((n) => n.group)).toEqual(['group/prod', ''])
    const long = draw(model([node('a', none, { group: 'checkout-service-of-the-west' })], [], 'namespace'), by())
    expect(long.groups[0]!.label).toBe('checkout-serv…-of-the-west')
  })
})

describe('a label', () => {
  const label = (n: MapNode) => draw(model([n], []), by()).nodes[0]!.label.replaceAll('\u00a0', ' ')

  test('holds no character that is not visible', () => {
    expect(label(node('photo\u202egnp.exe', none))).toBe('photo\ufffdgnp.exe\n0 B')
    expect(label(node('two\nlines', none))).toBe('two\ufffdlines\n0 B')
    const grouped = draw(model([node('a', none, { group: 'x\u2066y' })], [], 'namespace'), by())
    expect(grouped.groups[0]!.label).toBe('x\ufffdy')
  })

  test('of a figure that was not measured is the name only', () => {
    const { nodes } = draw(model([a], []), by('rtt'))
    expect(nodes[0]!.label).toBe('a')
  })

  test('is short, and keeps both ends of the name', () => {
    expect(label(node('a-very-long-name-of-a-workload-7f9c', none)).split('\n')[0]).toBe('a-very-long-n…orkload-7f9c')
  })
})

describe('widths', () => {
  test('of edges to what is folded are not the measure', () => {
    const other = node('', carried(1e9), { kind: 'other', tag: '' })
    const { edges, widest } = draw(model([a, b, other], [edge(a, other, carried(1e9)), edge(a, b, carried(5))]), by())
    expect([widest, ...edges.map((e) => e.width)]).toEqual([5, 10, 10])
  })

  test('of edges without a figure are the least', () => {
    const { edges } = draw(model([a, b], [edge(a, b, none), edge(a, a, carried(100))]), by())
    expect(edges.map((e) => e.width)).toEqual([1.5, 10])
  })
})

describe('the next drawing', () => {
  const first = draw(model([a, b], [edge(a, b, carried(25))]), by())
  const next = (nodes: MapNode[], measured: Measured) => draw(model(nodes, [edge(a, b, measured)]), by(), first)

  test('is the same where the eye could not tell', () => {
    const again = next([node('a', carried(99)), node('b', carried(26))], carried(26))
    expect(again.nodes.map((n) => n.size)).toEqual(first.nodes.map((n) => n.size))
    expect(again.edges[0]!.width).toBe(first.edges[0]!.width)
    expect(again.largest).toBe(99)
  })

  test('keeps its scale while the largest is near it, and takes another when it has fallen', () => {
    const scaleAt = (tx: number) => next([node('a', carried(tx)), node('b', carried(25))], carried(25)).scales.node
    expect([104, 100, 81].map(scaleAt)).toEqual([100, 100, 100])
    expect([106, 79].map(scaleAt)).toEqual([106, 79])
  })

  test('changes a size by a step when the figure passed most of one, and not before', () => {
    const sizeAt = (tx: number) => next([node('a', carried(100)), node('b', carried(tx))], carried(25)).nodes[1]!.size
    expect([25, 27, 32].map(sizeAt)).toEqual([43, 43, 46])
  })

  test('follows what has changed', () => {
    expect(next([node('a', carried(100)), node('b', carried(64))], carried(25)).nodes[1]!.size).toBeGreaterThan(
      first.nodes[1]!.size + 5,
    )
    expect(next([node('a', carried(1000)), node('b', carried(25))], carried(25)).nodes.map((n) => n.size)).toEqual([
      64, 28,
    ])
  })
})

test('the middle of a long name goes, by letters and not by half of one', () => {
  expect(shorten('abcdefgh', 5)).toBe('ab…gh')
  expect(shorten('😀😀😀😀😀😀', 5)).toBe('😀😀…😀😀')
  expect(shorten('abc', 5)).toBe('abc')
})
