import { bytes, count, percent, rate, seconds as duration } from './format.ts'

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
  /** Seconds that the figures cover. */
  seconds: number
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

const volume = (m: Measured) => m.tx + m.rx
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
]

export type Level = 'none' | 'good' | 'warn' | 'bad'

/** A figure that a colour can stand for. */
export interface Health {
  id: string
  label: string
  /** The meaning of the three states, in words. */
  good: string
  warn: string
  bad: string
  level(m: Measured): Level
  /** The figure behind the state, in short. */
  tell(m: Measured): string
}

/** Retransmitted segments per megabyte. A full-size segment is 1,448 bytes, so 7 per megabyte are about 1 %. */
export const retransmitRate = (m: Measured) => (volume(m) > 0 ? m.retransmits / (volume(m) / 1e6) : null)
export const failureShare = (m: Measured) => (m.attempts > 0 ? m.failures / m.attempts : null)
export const breakShare = (m: Measured) => (m.closed > 0 ? m.breaks / m.closed : null)
export const churn = (m: Measured) => perSecond(m.attempts, m)

const above = (n: number | null, warn: number, bad: number): Level =>
  n === null ? 'none' : n >= bad ? 'bad' : n >= warn ? 'warn' : 'good'
const worst = (...levels: Level[]): Level =>
  (['bad', 'warn', 'good'] as Level[]).find((l) => levels.includes(l)) ?? 'none'

const failed = (m: Measured): Level =>
  m.failures > 0 && failureShare(m) === null ? 'warn' : above(failureShare(m), 1e-9, 0.05)
const broken = (m: Measured): Level => above(breakShare(m), 0.01, 0.1)

/** A few segments prove nothing: fewer than five are a warning at most, however little was carried. */
function resent(m: Measured): Level {
  if (m.retransmits === 0) return volume(m) > 0 ? 'good' : 'none'
  return m.retransmits < 5 ? above(retransmitRate(m), 1, Infinity) : above(retransmitRate(m) ?? Infinity, 1, 10)
}

/** The problems of an edge, the worst first. */
function tellProblems(m: Measured): string {
  const parts: [Level, string][] = [
    [failed(m), `${count(m.failures)} failed`],
    [broken(m), `${count(m.breaks)} broken`],
    [resent(m), `${count(m.retransmits)} resent`],
  ]
  return [...parts.filter(([l]) => l === 'bad'), ...parts.filter(([l]) => l === 'warn')]
    .map(([, text]) => text)
    .join(', ')
}

export const healths: Health[] = [
  {
    id: 'problems',
    label: 'Problems',
    good: 'nothing failed, broke or was resent often',
    warn: 'a connection failed, 1 % broke, or 1 segment per MB was resent',
    bad: '5 % failed, 10 % broke, or 10 segments per MB were resent',
    level: (m) => worst(failed(m), broken(m), resent(m)),
    tell: tellProblems,
  },
  {
    id: 'failures',
    label: 'Failures',
    good: 'every attempt connected',
    warn: 'an attempt failed',
    bad: '5 % of attempts failed',
    level: failed,
    tell: (m) => (m.failures ? `${count(m.failures)} failed (${percent(failureShare(m))})` : 'none failed'),
  },
  {
    id: 'breaks',
    label: 'Breaks',
    good: 'less than 1 % of what ended broke',
    warn: '1 % broke',
    bad: '10 % broke',
    level: broken,
    tell: (m) => `${count(m.breaks)} of ${count(m.closed)} broken`,
  },
  {
    id: 'retransmits',
    label: 'Retransmits',
    good: 'less than 1 segment resent per MB',
    warn: '1 per MB',
    bad: '10 per MB',
    level: resent,
    tell: (m) => `${count(m.retransmits)} resent`,
  },
  {
    id: 'rtt',
    label: 'Round trip',
    good: 'below 50 ms',
    warn: '50 ms or more',
    bad: '200 ms or more',
    level: (m) => above(m.rtt, 0.05, 0.2),
    tell: (m) => duration(m.rtt),
  },
  {
    id: 'churn',
    label: 'Churn',
    good: 'below 10 attempts a second',
    warn: '10 a second or more',
    bad: '100 a second or more',
    level: (m) => (m.attempts ? above(churn(m), 10, 100) : 'none'),
    tell: (m) => `${count(churn(m))} attempts/s`,
  },
]

export function metricOf(id: string): Metric {
  return metrics.find((m) => m.id === id) ?? metrics[0]!
}

export function healthOf(id: string): Health {
  return healths.find((h) => h.id === id) ?? healths[0]!
}

/** The glyph of a state, so that colour is never the only sign. */
export const glyphs: Record<Level, string> = { none: '', good: '', warn: '▲', bad: '✖' }
export const levelWords: Record<Level, string> = {
  none: 'nothing measured',
  good: 'healthy',
  warn: 'warning',
  bad: 'bad',
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
    seconds,
  }
  let weight = 0
  let weighted = 0
  for (const m of parts) {
    total.tx += m.tx
    total.rx += m.rx
    total.retransmits += m.retransmits
    total.attempts += m.attempts
    total.failures += m.failures
    total.closed += m.closed
    total.breaks += m.breaks
    total.active += m.active
    if (m.rtt !== null) {
      const w = volume(m) + 1
      weight += w
      weighted += w * m.rtt
    }
  }
  if (weight) total.rtt = weighted / weight
  return total
}
