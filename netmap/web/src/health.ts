import type { Thresholds } from './api/types.ts'
import { count, percent, plural, seconds as duration } from './format.ts'
import {
  breakShare,
  churn,
  failureShare,
  lookupFailureShare,
  retransmitRate,
  volume,
  type AlertCount,
  type Measured,
} from './metrics.ts'

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

/** The thresholds of a collector that has no others configured. */
export const usualThresholds: Thresholds = {
  failures: { warn: 0, bad: 0.05 },
  breaks: { warn: 0.01, bad: 0.1 },
  retransmits: { warn: 1, bad: 10 },
  rtt: { warn: 0.05, bad: 0.2 },
  churn: { warn: 10, bad: 100 },
}

/** A share above 0: a warning at 0 begins with the first failure, not without one. */
const LEAST = 1e-9

const above = (n: number | null, warn: number, bad: number): Level =>
  n === null ? 'none' : n >= bad ? 'bad' : n >= warn ? 'warn' : 'good'
const worst = (...levels: Level[]): Level =>
  (['bad', 'warn', 'good'] as Level[]).find((l) => levels.includes(l)) ?? 'none'

/** The state of a container that uses this share of a limit. */
export const shareLevel = (share: number | null): Level => above(share, 0.8, 0.95)

/** What colours stand for, by these thresholds. `alerts`: the alerts are known, so a node without one has none. */
export function healths(t: Thresholds = usualThresholds, alerts = false): Health[] {
  const failed = (m: Measured): Level =>
    m.failures > 0 && failureShare(m) === null
      ? 'warn'
      : above(failureShare(m), t.failures.warn || LEAST, t.failures.bad)
  const broken = (m: Measured): Level => above(breakShare(m), t.breaks.warn || LEAST, t.breaks.bad)
  /** A few segments prove nothing: fewer than five are a warning at most, however little was carried. */
  const resent = (m: Measured): Level => {
    const { warn, bad } = t.retransmits
    if (m.retransmits === 0) return volume(m) > 0 ? 'good' : 'none'
    return m.retransmits < 5
      ? above(retransmitRate(m), warn, Infinity)
      : above(retransmitRate(m) ?? Infinity, warn, bad)
  }
  const lookup = (m: Measured): Level => above(lookupFailureShare(m), t.failures.warn || LEAST, t.failures.bad)
  const alerted = ({ alerts: a }: Measured): Level =>
    !a ? 'none' : a.firing ? 'bad' : a.pending ? 'warn' : alerts ? 'good' : 'none'
  return [
    problems(t, failed, broken, resent, lookup),
    ...figures(t, failed, broken, resent),
    lookupHealth(t, lookup),
    alertHealth(alerted),
  ]
}

type Judge = (m: Measured) => Level

const share = (n: number, one: string) => (n ? percent(n) : one)

function problems(t: Thresholds, failed: Judge, broken: Judge, resent: Judge, lookup: Judge): Health {
  const some = (level: 'warn' | 'bad') =>
    `${share(t.failures[level], 'a connection or a look-up')} failed, ${share(t.breaks[level], 'a connection')} broke, ` +
    `or ${perMB(t.retransmits[level])} resent`
  return {
    id: 'problems',
    label: 'Problems',
    good: 'nothing failed, broke or was resent often',
    warn: some('warn'),
    bad: some('bad'),
    level: (m) => worst(failed(m), broken(m), resent(m), lookup(m)),
    tell: (m) => {
      const parts: [Level, string][] = [
        [failed(m), `${count(m.failures)} failed`],
        [broken(m), `${count(m.breaks)} broken`],
        [resent(m), `${count(m.retransmits)} resent`],
        [lookup(m), `${count(m.lookupFailures)} look-ups failed`],
      ]
      return [...parts.filter(([l]) => l === 'bad'), ...parts.filter(([l]) => l === 'warn')]
        .map(([, text]) => text)
        .join(', ')
    },
  }
}

const perMB = (n: number) => `${count(n)} segment${n === 1 ? '' : 's'} per MB`

function figures(t: Thresholds, failed: Judge, broken: Judge, resent: Judge): Health[] {
  return [
    {
      id: 'failures',
      label: 'Failures',
      good: t.failures.warn ? `less than ${percent(t.failures.warn)} of attempts failed` : 'every attempt connected',
      warn: `${share(t.failures.warn, 'an attempt')} failed`,
      bad: `${percent(t.failures.bad)} of attempts failed`,
      level: failed,
      tell: (m) => (m.failures ? `${count(m.failures)} failed (${percent(failureShare(m))})` : 'none failed'),
    },
    {
      id: 'breaks',
      label: 'Breaks',
      good: t.breaks.warn ? `less than ${percent(t.breaks.warn)} of what ended broke` : 'nothing broke',
      warn: `${share(t.breaks.warn, 'a connection')} broke`,
      bad: `${percent(t.breaks.bad)} broke`,
      level: broken,
      tell: (m) => `${count(m.breaks)} of ${count(m.closed)} broken`,
    },
    {
      id: 'retransmits',
      label: 'Retransmits',
      good: `less than ${perMB(t.retransmits.warn)} resent`,
      warn: `${count(t.retransmits.warn)} per MB`,
      bad: `${count(t.retransmits.bad)} per MB`,
      level: resent,
      tell: (m) => `${count(m.retransmits)} resent`,
    },
    {
      id: 'rtt',
      label: 'Round trip',
      good: `below ${duration(t.rtt.warn)}`,
      warn: `${duration(t.rtt.warn)} or more`,
      bad: `${duration(t.rtt.bad)} or more`,
      level: (m) => above(m.rtt, t.rtt.warn, t.rtt.bad),
      tell: (m) => duration(m.rtt),
    },
    {
      id: 'churn',
      label: 'Churn',
      good: `below ${count(t.churn.warn)} attempts a second`,
      warn: `${count(t.churn.warn)} a second or more`,
      bad: `${count(t.churn.bad)} a second or more`,
      level: (m) => (m.attempts ? above(churn(m), t.churn.warn, t.churn.bad) : 'none'),
      tell: (m) => `${count(churn(m))} attempts/s`,
    },
  ]
}

function lookupHealth(t: Thresholds, level: Judge): Health {
  return {
    id: 'lookups',
    label: 'Look-ups',
    good: t.failures.warn ? `less than ${percent(t.failures.warn)} of look-ups failed` : 'every look-up was answered',
    warn: `${share(t.failures.warn, 'a look-up')} failed`,
    bad: `${percent(t.failures.bad)} of look-ups failed`,
    level,
    tell: (m) =>
      `${count(m.lookupFailures)} of ${plural(m.lookups, 'look-up')} failed` +
      (m.lookupTime === null ? '' : `, ${duration(m.lookupTime)} each`),
  }
}

function alertHealth(level: Judge): Health {
  return {
    id: 'alerts',
    label: 'Alerts',
    good: 'no alert is about the node',
    warn: 'an alert is pending',
    bad: 'an alert is firing',
    level,
    tell: ({ alerts }) => alertWords(alerts),
  }
}

/** `2 firing, 1 pending`; empty without alerts. */
export function alertWords(alerts: AlertCount | undefined): string {
  if (!alerts) return ''
  const { firing, pending } = alerts
  return [firing && `${count(firing)} firing`, pending && `${count(pending)} pending`].filter(Boolean).join(', ')
}

/** Glyphs of alerts: filled if one is firing, hollow if all are pending. */
export function alertGlyph(alerts: AlertCount | undefined): string {
  if (!alerts) return ''
  return alerts.firing ? '◉' : alerts.pending ? '◎' : ''
}

export function healthOf(id: string, all: Health[] = healths()): Health {
  return all.find((h) => h.id === id) ?? all[0]!
}

/** The glyph of a state, so that colour is never the only sign. */
export const glyphs: Record<Level, string> = { none: '', good: '', warn: '▲', bad: '✖' }
export const levelWords: Record<Level, string> = {
  none: 'nothing measured',
  good: 'healthy',
  warn: 'warning',
  bad: 'bad',
}
