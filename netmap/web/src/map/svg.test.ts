import { expect, test } from 'vitest'
import type { Colours } from './colours.ts'
import type { Drawing } from './drawing.ts'
import { svg } from './svg.ts'

const colours = new Proxy({}, { get: (_, name) => String(name) }) as Colours
const node = { group: '', level: 'good', size: 20, isNew: false } as const

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
  expect(svg({ ...drawing, nodes: [], edges: [], groups: [] }, {}, colours, '')).toMatch(
    /^<svg [^>]*viewBox="0 0 140 140"/,
  )
})
