import { bytes, count, rate, seconds as duration } from './format.ts'

/** Figures of one edge, or the sum of all edges of a node, over a time. */
export interface Measured {
  tx: number
  rx: number
  retransmits: number
  /** Seconds. Sums have the mean, weighted by volume. Null: no sample. */
  rtt: number | null
  attempts: number
  failures: number
  closed: number
  breaks: number
  active: number
  /** Of DNS. Failed ones had no answer, or an error other than NXDOMAIN. */
  lookups: number
  lookupFailures: number
  /** Seconds, the mean. Null: no sample. */
  lookupTime: number | null
  /** Seconds that the figures cover. */
  seconds: number
  /** Alerts about the ends of a node. Edges have none. */
  alerts?: AlertCount
}

export interface AlertCount {
  firing: number
  pending: number
}

/** A figure that a size or a width can stand for. */
export interface Metric {
  id: string
  label: string
  /** Completes "larger means ...". */
  words: string
  of(m: Measured): number | null
  format(n: number | null): string
  /** The metric that the API ranks by if it cuts the graph. */
  rank: string
}

export const volume = (m: Measured) => m.tx + m.rx
const perSecond = (n: number, m: Measured) => (m.seconds > 0 ? n / m.seconds : 0)

export const metrics: Metric[] = [
  { id: 'volume', label: 'Volume', words: 'more bytes, both directions', of: volume, format: bytes, rank: 'volume' },
  {
    id: 'throughput',
    label: 'Throughput',
    words: 'more bytes a second, both directions',
    of: (m) => perSecond(volume(m), m),
    format: rate,
    rank: 'volume',
  },
  {
    id: 'retransmits',
    label: 'Retransmits',
    words: 'more segments sent again',
    of: (m) => m.retransmits,
    format: count,
    rank: 'retransmits',
  },
  { id: 'rtt', label: 'Round trip', words: 'longer round trips', of: (m) => m.rtt, format: duration, rank: 'rtt' },
  {
    id: 'attempts',
    label: 'Attempts',
    words: 'more connections tried',
    of: (m) => m.attempts,
    format: count,
    rank: 'attempts',
  },
  {
    id: 'failures',
    label: 'Failures',
    words: 'more connections that failed',
    of: (m) => m.failures,
    format: count,
    rank: 'failures',
  },
  { id: 'active', label: 'Open', words: 'more connections open', of: (m) => m.active, format: count, rank: 'active' },
  {
    id: 'lookups',
    label: 'Look-ups',
    words: 'more DNS look-ups',
    of: (m) => m.lookups,
    format: count,
    rank: 'lookups',
  },
]

/** Retransmitted segments per megabyte. A full-size segment is 1,448 bytes, so 7 per megabyte are about 1 %. */
export const retransmitRate = (m: Measured) => (volume(m) > 0 ? m.retransmits / (volume(m) / 1e6) : null)
export const failureShare = (m: Measured) => (m.attempts > 0 ? m.failures / m.attempts : null)
export const breakShare = (m: Measured) => (m.closed > 0 ? m.breaks / m.closed : null)
export const lookupFailureShare = (m: Measured) => (m.lookups > 0 ? m.lookupFailures / m.lookups : null)
export const churn = (m: Measured) => perSecond(m.attempts, m)

export function metricOf(id: string): Metric {
  return metrics.find((m) => m.id === id) ?? metrics[0]!
}

/** Adds up the figures of several edges. */
export function sum(parts: Measured[], seconds: number): Measured {
  const total: Measured = {
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
    seconds,
  }
  let weight = 0
  let weighted = 0
  let looked = 0
  let lookTime = 0
  for (const m of parts) {
    total.tx += m.tx
    total.rx += m.rx
    total.retransmits += m.retransmits
    total.attempts += m.attempts
    total.failures += m.failures
    total.closed += m.closed
    total.breaks += m.breaks
    total.active += m.active
    total.lookups += m.lookups
    total.lookupFailures += m.lookupFailures
    if (m.lookupTime !== null) {
      looked += m.lookups
      lookTime += m.lookups * m.lookupTime
    }
    if (m.rtt !== null) {
      const w = volume(m) + 1
      weight += w
      weighted += w * m.rtt
    }
  }
  if (weight) total.rtt = weighted / weight
  if (looked) total.lookupTime = lookTime / looked
  return total
}
