import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const css = readFileSync(new URL('./theme.css', import.meta.url), 'utf8')

function tokens(theme: string): Record<string, string> {
  const block = css.slice(css.indexOf(`:root[data-theme='${theme}'] {`))
  return Object.fromEntries(
    [...block.slice(0, block.indexOf('}')).matchAll(/--([\w-]+): (#\w{6})/g)].map((m) => [m[1]!, m[2]!]),
  )
}

/** Relative luminance of WCAG 2. */
function luminance(hex: string): number {
  const [r, g, b] = linear(hex)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function linear(hex: string): [number, number, number] {
  const at = (i: number) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }
  return [at(1), at(3), at(5)]
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)]
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
}

/** Matrices for colour blindness, in linear RGB (Viénot, Brettel and Mollon 1999). */
const blindness = {
  protan: [0.11238, 0.88762, 0, 0.11238, 0.88762, 0, 0.00401, -0.00401, 1],
  deutan: [0.29275, 0.70725, 0, 0.29275, 0.70725, 0, -0.02234, 0.02234, 1],
}

function seen(hex: string, matrix: number[]): [number, number, number] {
  const rgb = linear(hex)
  return [0, 3, 6].map((row) => rgb.reduce((sum, c, i) => sum + c * matrix[row + i]!, 0)) as [number, number, number]
}

/** Distance in CIELAB (1976). */
function distance(a: [number, number, number], b: [number, number, number]): number {
  const [p, q] = [lab(a), lab(b)]
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2])
}

function lab([r, g, b]: [number, number, number]): [number, number, number] {
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116)
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505)
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b)
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

describe.each(['light', 'dark'])('%s', (theme) => {
  const t = tokens(theme)
  const surfaces = ['canvas', 'surface', 'raised', 'hover', 'group', 'accent-soft']

  test.each(['text', 'muted'])('%s is read on every surface', (name) => {
    for (const surface of surfaces) expect(contrast(t[name]!, t[surface]!), surface).toBeGreaterThanOrEqual(4.5)
  })

  test.each(['accent', 'warn', 'bad', 'new'])('%s is read as text', (name) => {
    for (const surface of ['surface', 'raised'])
      expect(contrast(t[name]!, t[surface]!), surface).toBeGreaterThanOrEqual(4.5)
  })

  test.each(['good', 'warn', 'bad', 'none', 'new', 'control', 'accent'])('%s is seen on the map', (name) => {
    for (const surface of ['canvas', 'surface', 'group'])
      expect(contrast(t[name]!, t[surface]!), surface).toBeGreaterThanOrEqual(3)
  })

  test('a button is read', () => expect(contrast(t['on-accent']!, t.accent!)).toBeGreaterThanOrEqual(4.5))

  test.each(Object.entries(blindness))('the states of health differ to a %s', (_, matrix) => {
    const states = ['good', 'warn', 'bad'].map((name) => seen(t[name]!, matrix))
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < i; j++) expect(distance(states[i]!, states[j]!), `${i}, ${j}`).toBeGreaterThanOrEqual(20)
  })
})
