import { expect, test } from 'vitest'
import type { Series } from '../api/types.ts'
import { pictures } from './Charts.tsx'

const lines = (series: Series, end = 1000) =>
  Object.fromEntries(pictures(series, end).flatMap((p) => p.lines.map((l) => [`${p.title}: ${l.label}`, l.values])))

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
  const alone = {
    'Look-ups, per 10\u00a0s: all': [3, 0],
    'Look-ups, per 10\u00a0s: failed': [1, 0],
    'Look-up time: mean': [0.002, null],
  }
  expect(lines(series)).toEqual(alone)
  expect(lines({ ...series, active: [1, null] })).toMatchObject({
    ...alone,
    'Connections, per 10\u00a0s: open': [1, null],
  })
})

test('a step that is not over has no count, and no rate that is too low', () => {
  const values = [100, 200, 30]
  const series = {
    step: 10,
    t: [0, 10, 20],
    ...Object.fromEntries(
      ['tx', 'rx', 'attempts', 'failures', 'retransmits', 'breaks', 'rtt', 'rtt_max', 'active', 'lookups'].map((k) => [
        k,
        values,
      ]),
    ),
    lookup_failures: values,
    lookup_time: values,
    totals: { lookups: 3 },
  } as unknown as Series
  for (const end of [0, 25])
    for (const [label, [, , last]] of Object.entries(lines(series, end)))
      expect(last, label).toBe(/open|mean|slowest/.test(label) ? 30 : null)
  expect(lines(series, 30)['Throughput: to the server']).toEqual([10, 20, 3])
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
    'Connections, per 10\u00a0s: attempts': [1, 0, null],
    'Connections, per 10\u00a0s: failures': [0, 0, null],
    'Connections, per 10\u00a0s: open': [3, 3, null],
    'Trouble, per 10\u00a0s: resent': [0, 0, null],
    'Trouble, per 10\u00a0s: breaks': [0, 0, null],
  })
})
