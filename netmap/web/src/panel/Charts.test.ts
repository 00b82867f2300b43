import { expect, test } from 'vitest'
import type { Series } from '../api/types.ts'
import { pictures } from './Charts.tsx'

const lines = (series: Series) =>
  Object.fromEntries(pictures(series).flatMap((p) => p.lines.map((l) => [`${p.title}: ${l.label}`, l.values])))

test('look-ups have charts of their own, and are alone where there is no connection', () => {
  const none = [null, null]
  const series = {
    step: 10,
    t: [0, 10],
    ...Object.fromEntries(
      ['tx', 'rx', 'attempts', 'failures', 'retransmits', 'breaks', 'rtt', 'rtt_max', 'active'].map((k) => [k, none]),
    ),
    lookups: [3, 0],
    lookup_failures: [1, 0],
    lookup_time: [0.002, null],
    totals: { lookups: 3 },
  } as unknown as Series
  const alone = { 'Look-ups: all': [3, 0], 'Look-ups: failed': [1, 0], 'Look-up time: mean': [0.002, null] }
  expect(lines(series)).toEqual(alone)
  expect(lines({ ...series, active: [1, null] })).toMatchObject({ ...alone, 'Connections: open': [1, null] })
})

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
    totals: { lookups: 0 },
  } as unknown as Series
  expect(lines(series)).toEqual({
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
