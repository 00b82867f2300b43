import { expect, test } from 'vitest'
import type { Series } from '../api/types.ts'
import { pictures } from './Charts.tsx'

test('a gap in the reports is unknown, not zero', () => {
  const series = {
    step: 10,
    t: [0, 10, 20],
    tx: [100, 200, 0],
    rx: [0, 0, 0],
    rtt: [0.1, null, null],
    rtt_max: [1, null, null],
    attempts: [1, 0, 0],
    failures: [0, 0, 0],
    active: [3, 3, null],
    retransmits: [0, 0, 0],
    breaks: [0, 0, 0],
  } as unknown as Series
  const lines = Object.fromEntries(
    pictures(series).flatMap((p) => p.lines.map((l) => [`${p.title}: ${l.label}`, l.values])),
  )
  expect(lines).toEqual({
    'Throughput: to the server': [10, 20, null],
    'Throughput: back': [0, 0, null],
    'Round trip: mean': [0.1, null, null],
    'Round trip: slowest, at most': [1, null, null],
    'Connections: attempts': [1, 0, null],
    'Connections: failures': [0, 0, null],
    'Connections: open': [3, 3, null],
    'Trouble: resent': [0, 0, null],
    'Trouble: breaks': [0, 0, null],
  })
})
