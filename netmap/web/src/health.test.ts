import { describe, expect, test } from 'vitest'
import { alertGlyph, alertWords, healthOf, healths, usualThresholds } from './health.ts'
import type { Measured } from './metrics.ts'

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

describe('health', () => {
  test.each([
    ['problems', busy, 'good'],
    ['problems', quiet, 'none'],
    ['problems', { ...busy, failures: 1 }, 'warn'],
    ['problems', { ...busy, failures: 5 }, 'bad'],
    ['problems', { ...busy, breaks: 1 }, 'warn'],
    ['problems', { ...busy, breaks: 10 }, 'bad'],
    ['problems', { ...busy, retransmits: 9 }, 'good'],
    ['problems', { ...busy, retransmits: 10 }, 'warn'],
    ['problems', { ...busy, retransmits: 100 }, 'bad'],
    ['retransmits', { ...quiet, tx: 100, retransmits: 1 }, 'warn'],
    ['retransmits', { ...quiet, retransmits: 5 }, 'bad'],
    ['failures', { ...quiet, failures: 1 }, 'warn'],
    ['failures', quiet, 'none'],
    ['rtt', { ...busy, rtt: 0.05 }, 'warn'],
    ['rtt', { ...busy, rtt: 0.2 }, 'bad'],
    ['rtt', quiet, 'none'],
    ['churn', { ...busy, attempts: 3000 }, 'warn'],
    ['churn', { ...busy, attempts: 30000 }, 'bad'],
    ['breaks', busy, 'good'],
    ['lookups', busy, 'none'],
    ['lookups', { ...quiet, lookups: 100 }, 'good'],
    ['lookups', { ...quiet, lookups: 100, lookupFailures: 1 }, 'warn'],
    ['lookups', { ...quiet, lookups: 100, lookupFailures: 5 }, 'bad'],
    ['problems', { ...busy, lookups: 100, lookupFailures: 5 }, 'bad'],
  ] as [string, Measured, string][])('%s %j: %s', (id, m, level) => expect(healthOf(id).level(m)).toBe(level))

  test('what is not good says why', () => {
    expect(healthOf('problems').tell({ ...busy, failures: 7, breaks: 20, retransmits: 200 })).toBe(
      '7 failed, 20 broken, 200 resent',
    )
    expect(healthOf('problems').tell({ ...busy, lookups: 9, lookupFailures: 9 })).toBe('9 look-ups failed')
    expect(healthOf('lookups').tell({ ...busy, lookups: 9, lookupFailures: 2, lookupTime: 0.002 })).toBe(
      `2 of 9 look-ups failed, 2\u00a0ms each`,
    )
  })

  test('an unknown one is the first', () => expect(healthOf('x').id).toBe('problems'))
})

describe('configured thresholds', () => {
  const strict = healths({
    failures: { warn: 0.2, bad: 0.5 },
    breaks: { warn: 0, bad: 0.02 },
    retransmits: { warn: 0.5, bad: 2 },
    rtt: { warn: 0.002, bad: 0.01 },
    churn: { warn: 1, bad: 2 },
  })
  test.each([
    ['failures', { ...busy, failures: 19 }, 'good'],
    ['failures', { ...busy, failures: 20 }, 'warn'],
    ['failures', { ...busy, failures: 50 }, 'bad'],
    ['breaks', busy, 'good'],
    ['breaks', { ...busy, breaks: 1 }, 'warn'],
    ['breaks', { ...busy, breaks: 2 }, 'bad'],
    ['retransmits', { ...busy, retransmits: 5 }, 'warn'],
    ['retransmits', { ...busy, retransmits: 20 }, 'bad'],
    ['rtt', busy, 'good'],
    ['rtt', { ...busy, rtt: 0.01 }, 'bad'],
    ['churn', { ...busy, attempts: 300 }, 'warn'],
    ['problems', { ...busy, failures: 19 }, 'good'],
    ['problems', { ...busy, breaks: 2 }, 'bad'],
  ] as [string, Measured, string][])('%s %j: %s', (id, m, level) => expect(healthOf(id, strict).level(m)).toBe(level))

  test('are what the legend says', () => {
    const words = (all = healths()) =>
      all.map((h) => `${h.id}: ${h.good}; ${h.warn}; ${h.bad}`.replaceAll('\u00a0', ' '))
    expect(words()).toEqual([
      'problems: nothing failed, broke or was resent often; ' +
        'a connection or a look-up failed, 1 % broke, or 1 segment per MB resent; 5 % failed, 10 % broke, or 10 segments per MB resent',
      'failures: every attempt connected; an attempt failed; 5 % of attempts failed',
      'breaks: less than 1 % of what ended broke; 1 % broke; 10 % broke',
      'retransmits: less than 1 segment per MB resent; 1 per MB; 10 per MB',
      'rtt: below 50 ms; 50 ms or more; 200 ms or more',
      'churn: below 10 attempts a second; 10 a second or more; 100 a second or more',
      'lookups: every look-up was answered; a look-up failed; 5 % of look-ups failed',
      'alerts: no alert is about the node; an alert is pending; an alert is firing',
    ])
    expect(words(strict)[1]).toBe('failures: less than 20 % of attempts failed; 20 % failed; 50 % of attempts failed')
    expect(words(strict)[2]).toBe('breaks: nothing broke; a connection broke; 2 % broke')
    expect(words(strict)[0]).toContain('20 % failed, a connection broke, or 0.5 segments per MB resent')
  })
})

describe('alerts', () => {
  const of = (firing: number, pending: number): Measured => ({ ...quiet, alerts: { firing, pending } })
  test.each([
    [of(1, 1), 'bad', '1 firing, 1 pending', '◉'],
    [of(0, 2), 'warn', '2 pending', '◎'],
    [of(0, 0), 'good', '', ''],
    [quiet, 'none', '', ''],
  ] as [Measured, string, string, string][])('%j: %s', (m, level, words, glyph) => {
    const alerts = healthOf('alerts', healths(usualThresholds, true))
    expect([alerts.level(m), alerts.tell(m), alertWords(m.alerts), alertGlyph(m.alerts)]).toEqual([
      level,
      words,
      words,
      glyph,
    ])
  })

  test('a node without one is not healthy while they are not known', () => {
    expect(healthOf('alerts', healths(usualThresholds, false)).level(of(0, 0))).toBe('none')
    expect(healthOf('alerts', healths(usualThresholds, false)).level(of(1, 0))).toBe('bad')
  })
})
