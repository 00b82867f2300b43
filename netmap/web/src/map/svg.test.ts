import { describe, expect, test } from 'vitest'
import type { Colours } from './colours.ts'
import type { Drawing } from './drawing.ts'
import { svg } from './svg.ts'

const colours = new Proxy({}, { get: (_, name) => String(name) }) as Colours
const node = { group: '', level: 'good', size: 20, isNew: false, alert: '' } as const

const drawing: Drawing = {
  nodes: [
    { ...node, key: 'a', kind: 'internal', label: '<script>alert(1)</script>\n"5" & \u0000' },
    { ...node, key: 'b"onload="x', kind: 'external', label: 'b', isNew: true },
    { ...node, key: 'c', kind: 'unresolved', label: 'c' },
    { ...node, key: 'gone', kind: 'other', label: 'has no place' },
  ],
  edges: [
    {
      key: 'a,b',
      from: 'a',
      to: 'b"onload="x',
      level: 'bad',
      label: '✖ <3>',
      width: 2,
      isNew: true,
      undirected: false,
      unresolved: false,
      curved: false,
    },
    {
      key: 'a,a',
      from: 'a',
      to: 'a',
      level: 'good',
      label: '',
      width: 1,
      isNew: false,
      undirected: true,
      unresolved: false,
      curved: true,
    },
    {
      key: 'a,gone',
      from: 'a',
      to: 'gone',
      level: 'good',
      label: '',
      width: 1,
      isNew: false,
      undirected: false,
      unresolved: false,
      curved: false,
    },
  ],
  groups: [{ key: 'g', label: 'nobody is in it' }],
  grouped: false,
  largest: 1,
  widest: 1,
  scales: { node: 1, edge: 1 },
}

test('names are names in whatever opens the picture', () => {
  const text = svg(
    drawing,
    { a: { x: 0, y: 0 }, 'b"onload="x': { x: 100, y: 0 }, c: { x: 50, y: 80 } },
    new Map(),
    new Map(),
    colours,
    'Map of <x>',
  )
  expect(text).not.toMatch(/<script|"onload="|\u0000|<3>|<x>/)
  expect(text).toContain('&#60;script&#62;alert(1)&#60;/script&#62;')
  expect(text).not.toContain('has no place')
  expect(text).not.toContain('nobody is in it')
  expect(text.match(/<g data-key/g)).toHaveLength(3)
  expect(text.match(/stroke-dasharray="5 4"/g), 'a bad edge is told by its line too').toHaveLength(1)
})

test('nothing is an empty picture', () => {
  expect(svg({ ...drawing, nodes: [], edges: [], groups: [] }, {}, new Map(), new Map(), colours, '')).toMatch(
    /^<svg [^>]*viewBox="0 0 140 140"/,
  )
})

describe('a shape for each kind', () => {
  const at = { a: { x: 0, y: 0 }, b: { x: 100, y: 0 }, c: { x: 50, y: 80 } }
  const one = (more: object) =>
    svg(
      { ...drawing, edges: [], nodes: [{ ...node, key: 'a', kind: 'internal', label: 'a', ...more }] },
      at,
      new Map(),
      new Map(),
      colours,
      '',
    )

  test.each([
    ['internal', '<circle cx="0" cy="0" r="10" fill="good"'],
    ['external', '<path d="M0 -10L10 0L0 10L-10 0Z" fill="good"'],
    ['unresolved', 'stroke-dasharray="4 3"'],
    ['other', '<rect x="-10" y="-10" width="20" height="20" rx="4"'],
  ])('%s', (kind, want) => expect(one({ kind })).toContain(want))

  test('a level is a colour, and a new node has a border', () => {
    expect(one({ level: 'bad', isNew: true })).toContain('fill="bad" stroke="new" stroke-width="3"')
  })

  test('a label has a line for each of its lines', () => {
    expect(one({ label: 'a\n5 kB' })).toContain('<tspan x="0" dy="0">a</tspan><tspan x="0" dy="14">5 kB</tspan>')
  })
})

describe('a line for each state', () => {
  const at = { a: { x: 0, y: 0 }, b: { x: 100, y: 0 } }
  const nodes = ['a', 'b'].map((key) => ({ ...node, key, kind: 'internal' as const, label: key }))
  const plain = { key: 'a,b', from: 'a', to: 'b', level: 'good' as const, label: '', width: 2 }
  const bits = { isNew: false, undirected: false, unresolved: false, curved: false }
  const one = (more: object) =>
    svg({ ...drawing, nodes, edges: [{ ...plain, ...bits, ...more }] }, at, new Map(), new Map(), colours, '')
  /** The arrow is the only path that is turned. */
  const arrow = 'rotate('

  test.each([
    [{}, '<path d="M0 0L100 0" fill="none" stroke="good" stroke-width="2"/>'],
    [{ level: 'warn' }, 'stroke="warn" stroke-width="2" stroke-dasharray="10 3"'],
    [{ level: 'bad' }, 'stroke="bad" stroke-width="2" stroke-dasharray="5 4"'],
    [{ unresolved: true, level: 'bad' }, 'stroke-dasharray="1 4"'],
    [{ isNew: true }, 'stroke="new" stroke-opacity="0.45" stroke-width="10"'],
    [{ curved: true }, '<path d="M0 0Q50 34 100 0"'],
    [{ to: 'a', curved: true }, 'c-60 -20 -20 -60 0 0'],
    [{ label: '✖ 3 failed' }, '>✖ 3 failed</text>'],
    [{}, arrow],
  ])('%j: %s', (more, want) => expect(one(more)).toContain(want))

  test('an edge without a direction has no arrow', () => expect(one({ undirected: true })).not.toContain(arrow))

  test('a group is drawn around its nodes', () => {
    const grouped = nodes.map((n) => ({ ...n, group: 'g' }))
    const text = svg(
      { ...drawing, nodes: grouped, edges: [], groups: [{ key: 'g', label: 'zone a' }] },
      at,
      new Map(),
      new Map(),
      colours,
      '',
    )
    expect(text).toMatch(/<rect x="-76" y="-46" width="252" height="[^"]+" rx="8" fill="group" stroke="group-line"/)
    expect(text).toContain('>zone a</text>')
  })
})

test('a ring is solid if an alert is firing, and dashed if it is pending', () => {
  const alerted = (alert: 'firing' | 'pending') => ({ ...drawing.nodes[0]!, alert })
  const ring = (alert: 'firing' | 'pending') =>
    /<circle[^>]* fill="none"[^>]*>/.exec(
      svg(
        { ...drawing, nodes: [alerted(alert)], edges: [], groups: [] },
        { a: { x: 0, y: 0 } },
        new Map(),
        new Map(),
        colours,
        '',
      ),
    )?.[0]
  expect(ring('firing')).toBe('<circle cx="0" cy="0" r="16" fill="none" stroke="bad" stroke-width="3"/>')
  expect(ring('pending')).toContain('stroke="warn" stroke-width="3" stroke-dasharray')
})
