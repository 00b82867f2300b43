import { describe, expect, test } from 'vitest'
import type { Status } from '../api/types.ts'
import { local, windows } from './TopBar.tsx'

const held = (...all: number[]) => ({ steps: all.map((s) => ({ seconds: 60, held: s })) }) as Status

describe('the windows that are offered', () => {
  test('are those that the collector has', () => {
    expect(windows(null, 300)).toEqual([60, 300, 900, 1800, 3600])
    expect(windows(held(300, 3600), 300)).toEqual([60, 300, 900, 1800, 3600])
    expect(windows(held(3600, 86_400), 300).at(-1)).toBe(86_400)
    expect(windows(held(3600, 30 * 86_400), 300).at(-1)).toBe(30 * 86_400)
  })

  test('have the one that is chosen', () => {
    expect(windows(held(3600), 7000)).toEqual([60, 300, 900, 1800, 3600, 7000])
  })
})

test('a time of the input is that of the clock', () => {
  const text = local(1_800_000_000)
  expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d$/)
  expect(new Date(text).getTime() / 1000).toBe(1_800_000_000)
})
