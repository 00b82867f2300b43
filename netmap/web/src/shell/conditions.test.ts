import { describe, expect, test } from 'vitest'
import { ApiError } from '../api/client.ts'
import type { Answer, Status } from '../api/types.ts'
import { usualThresholds } from '../health.ts'
import type { Model } from '../map/model.ts'
import { defaults } from '../state/state.ts'
import { pieces } from '../text.ts'
import { conditions, emptiness, type Known } from './conditions.ts'

const reporter = {
  host: 'n1',
  host_id: '1',
  node: '',
  last: 0,
  age: 2,
  interval: 10,
  state: 'ok' as const,
  points: 1,
  edges: 1,
}
const status: Status = {
  now: 1000,
  started: 0,
  state: 'ok',
  reason: '',
  learning_until: 0,
  steps: [
    { seconds: 10, held: 300 },
    { seconds: 60, held: 3600 },
  ],
  history: null,
  hosts: { total: 1, stale: 0, age: 2 },
  reporters: [reporter],
  store: {
    edges: 1,
    max_edges: 10,
    ends: 2,
    streams: 1,
    max_streams: 20,
    bytes: 1,
    max_bytes: 9,
    folded: 0,
    expired: 0,
  },
  unresolved: { bytes: 0, total: 1, share: 0, seconds: 300 },
  dropped: { streams: 0 },
  links: [],
  alerts: { state: 'off', kind: '', reason: '', at: 0, firing: 0, pending: 0, left_out: 0 },
  thresholds: usualThresholds,
  costs: null,
  limits: { nodes: 1000, edges: 5000, rows: 1000 },
}
const totals = {
  edges: 3,
  tx: 1,
  rx: 1,
  retransmits: 0,
  attempts: 1,
  failures: 0,
  closed: 0,
  breaks: 0,
  active: 0,
  lookups: 0,
  lookup_failures: 0,
}
const answer: Answer = {
  from: 700,
  to: 1000,
  seconds: 300,
  generation: 1,
  source: 'memory',
  totals,
  unattributed: { retransmits: 0 },
}
const well: Known = { state: defaults, status, statusError: null, answer, error: null, model: null, since: 2, tags: [] }
const kinds = (more: Partial<Known>) => conditions({ ...well, ...more }).map((c) => c.kind)

describe('what is to be said', () => {
  test('is nothing where all is well', () => {
    expect(conditions(well)).toEqual([])
    expect(conditions({ ...well, status: null, answer: null, since: null })).toEqual([])
  })

  test('a store has no look-ups', () => {
    const view = { ...well, state: { ...defaults, only: 'lookups' } }
    expect(conditions(view)).toEqual([])
    expect(conditions({ ...view, answer: { ...answer, source: 'store' } })).toMatchObject([
      { kind: 'partial', text: expect.stringContaining('has no look-ups') },
    ])
  })

  test('no answer is another thing than a refusal, and a wrong filter is said at the filter', () => {
    const text = (code: string) => conditions({ ...well, error: new ApiError(code, 'because') })[0]?.text
    expect(text('unreachable')).toMatch(/^The collector does not answer: because\. What is shown is 2/)
    expect(text('bad_parameter')).toMatch(/^The collector refuses this view: because/)
    expect(text('bad_filter')).toBeUndefined()
    expect(kinds({ statusError: new ApiError('unreachable', 'x') })).toEqual(['error'])
  })

  test('a store that does not answer, or is slow, and what it leaves out', () => {
    const text = (code: string) => conditions({ ...well, error: new ApiError(code, 'because') })[0]?.text
    expect(text('store_away')).toMatch(/^The store of longer windows does not answer: because\./)
    expect(text('store_slow')).toMatch(/^The store of longer windows is too slow for this view: because\./)
    const partial = (missing: string[]) =>
      conditions({ ...well, answer: { ...answer, source: 'store', partial: { missing, reason: '503 <x>' } } }).map(
        (c) => c.text.replace(/[\u2068\u2069]/g, ''),
      )
    expect(partial(['new', 'rtt'])).toEqual([
      'The store answered a part only: 503 <x>. Not known: which edges are new, round trips.',
    ])
    expect(partial([])).toEqual(['The store answered a part only: 503 <x>. Figures may be too low.'])
  })

  test('a window of a store that has just begun is whole', () => {
    expect(kinds({ answer: { ...answer, seconds: 20, source: 'store' } })).toEqual([])
  })

  test('a source of alerts that does not answer, and one that is not there', () => {
    const source = { ...status.alerts, state: 'unreachable' as const, reason: '404 <x>', at: 880 }
    const texts = (more: object, colour = 'problems') =>
      conditions({
        ...well,
        state: { ...defaults, colour },
        status: { ...status, alerts: { ...source, ...more } },
      }).map((c) => c.text.replace(/[\u2068\u2069]/g, '').replaceAll('\u00a0', ' '))
    expect(texts({})).toEqual(['The source of alerts does not answer: 404 <x>. None is shown.'])
    expect(texts({ firing: 1 })).toEqual(['The source of alerts does not answer: 404 <x>. Those shown are 2 min old.'])
    expect(texts({ state: 'ok', left_out: 1 })).toEqual(['1 alert beyond the limit is left out, pending ones first.'])
    expect(texts({ state: 'off' })).toEqual([])
    expect(texts({ state: 'off' }, 'alerts')).toEqual(['No source of alerts is configured, so no node has any.'])
    expect(texts({ state: 'starting' }, 'alerts')).toEqual([])
  })

  test('silence of all, of some, and little seen so far', () => {
    const stale = { ...reporter, state: 'stale' as const }
    expect(kinds({ status: { ...status, state: 'stale', reporters: [stale] } })).toEqual(['stale'])
    expect(
      kinds({ status: { ...status, hosts: { total: 2, stale: 1, age: 2 }, reporters: [stale, reporter] } }),
    ).toEqual(['partial'])
    expect(kinds({ answer: { ...answer, seconds: 20 } })).toEqual(['partial'])
    expect(
      kinds({ answer: { ...answer, seconds: 20 }, status: { ...status, state: 'stale', reporters: [stale] } }),
    ).toEqual(['stale', 'partial'])
    expect(kinds({ answer: { ...answer, seconds: 20 }, state: { ...defaults, end: 900 } }), 'paused').toEqual([])
  })

  test('a window is partial if a minute of it was not seen', () => {
    const seen = (seconds: number) => kinds({ answer: { ...answer, seconds } })
    expect(seen(defaults.window - 59)).toEqual([])
    expect(seen(defaults.window - 61)).toEqual(['partial'])
  })

  test('hosts that are silent are named, three of them', () => {
    const silent = (n: number) => ({ ...reporter, host: `n${n}`, state: 'stale' as const })
    const said = (count: number) =>
      pieces(
        conditions({
          ...well,
          status: {
            ...status,
            hosts: { total: count + 1, stale: count, age: 2 },
            reporters: [...Array.from({ length: count }, (_, i) => silent(i)), reporter],
          },
        })[0]!.text,
      )
        .map((p) => p.text)
        .join('')
    expect(said(1)).toBe('1 host of 2 is silent: n0. Figures are without them.')
    expect(said(4)).toBe('4 hosts of 5 are silent: n0, n1, n2, …. Figures are without them.')
  })

  test('want of room', () => {
    expect(kinds({ status: { ...status, store: { ...status.store, edges: 10 } } })).toEqual(['truncated'])
    expect(kinds({ status: { ...status, dropped: { streams: 7 } } })).toEqual(['truncated'])
    const folded = { folded: { nodes: 1, edges: 0 }, nodes: [1, 2] } as unknown as Model
    expect(conditions({ ...well, model: folded })[0]?.text).toMatch(/folded into “other”: 1 node\./)
  })
})

describe('emptiness', () => {
  const nothing = { ...answer, totals: { ...totals, edges: 0 } }
  test('has a cause', () => {
    expect(emptiness(well)).toBeNull()
    expect(emptiness({ ...well, status: { ...status, state: 'empty', reason: 'Nobody sends.' } })?.text).toBe(
      'Nobody sends.',
    )
    expect(emptiness({ ...well, answer: nothing })).toMatchObject({ title: 'No traffic', clear: false })
  })

  test('of a preset is for want of what it is told by, where nothing has that', () => {
    const state = { ...defaults, preset: 'cross-zone', only: 'zones' as const }
    const tag = (name: string, values: number) => ({
      tag: name,
      attribute: name,
      of: 'end' as const,
      ends: values,
      values,
    })
    const title = (tags: Known['tags']) => emptiness({ ...well, state, answer: nothing, tags })?.title
    expect(title([tag('name', 3), tag('zone', 0)])).toBe('This cannot be told')
    expect(title([tag('name', 3), tag('zone', 2)])).toBe('Nothing matches')
    expect(title([]), 'not known yet').toBe('Nothing matches')
  })

  test('that the user asked for has a way back', () => {
    const state = { ...defaults, filter: 'port=1', problems: true, only: 'new', hide: ['x'] }
    const said = emptiness({ ...well, state, answer: nothing })
    expect(said).toMatchObject({ clear: true })
    expect(said?.text).toContain('the filter, “only problems”, “only new”, 1 hidden node')
  })
})
