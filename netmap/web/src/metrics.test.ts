import { describe, expect, test } from 'vitest'
import { metricOf, metrics, sum, type Measured } from './metrics.ts'

const quiet: Measured = {
  tx: 0,
  rx: 0,
  retransmits: 0,
  rtt: null,
  attempts: 0,
  failures: 0,
  closed: 0,
  breaks: 0,
  active: 0,
  lookups: 0,
  lookupFailures: 0,
  lookupTime: null,
  seconds: 300,
}
const busy: Measured = { ...quiet, tx: 1e6, rx: 9e6, rtt: 0.001, attempts: 100, closed: 100, active: 3 }

test('an unknown one is the first', () => expect(metricOf('x')).toBe(metrics[0]))

describe('sums', () => {
  test('figures add up; round trips are a mean by volume', () => {
    const total = sum([busy, { ...busy, tx: 0, rx: 0, rtt: 1 }, quiet], 300)
    expect(total).toMatchObject({ tx: 1e6, rx: 9e6, attempts: 200, closed: 200, active: 6, seconds: 300 })
    expect(total.rtt).toBeCloseTo(0.001, 5)
  })

  test('each figure is added to itself', () => {
    const part = (n: number): Measured => ({
      tx: n,
      rx: 2 * n,
      retransmits: 3 * n,
      rtt: null,
      attempts: 4 * n,
      failures: 5 * n,
      closed: 6 * n,
      breaks: 7 * n,
      active: 8 * n,
      lookups: 9 * n,
      lookupFailures: 10 * n,
      lookupTime: null,
      seconds: 10,
    })
    expect(sum([part(1), part(10)], 10)).toEqual(part(11))
  })

  test('the time of look-ups is a mean by their number', () => {
    const slow = { ...quiet, lookups: 3, lookupTime: 1 }
    expect(
      sum([slow, { ...quiet, lookups: 1, lookupTime: 0.2 }, { ...quiet, lookups: 9 }], 300).lookupTime,
    ).toBeCloseTo(0.8)
  })

  test('without a sample there is no round trip', () => expect(sum([quiet, quiet], 300).rtt).toBeNull())

  test('throughput is volume over time', () => {
    expect(metricOf('throughput').of(busy)).toBeCloseTo(1e7 / 300)
    expect(metricOf('throughput').of({ ...busy, seconds: 0 })).toBe(0)
  })
})
