import { expect, test } from 'vitest'
import type { Calls, Side, Signals, Span, Usage } from '../api/signals.ts'
import type { Series } from '../api/types.ts'
import { cpus } from '../format.ts'
import { added, churn, glances, signalPictures, silence, traceUrl, used, without } from './signals.ts'

const calls = (more: Partial<Calls> = {}): Calls => ({
  n: 0,
  errors: 0,
  sampled: 0,
  estimated: 0,
  p50: null,
  p95: null,
  max: null,
  n_by: [0, 0],
  errors_by: [0, 0],
  mean_by: [null, null],
  max_by: [null, null],
  slowest: [],
  failed: [],
  ...more,
})
const usage = (cpu: (number | null)[]) => ({ cpu, memory: [null, null] }) as Usage
const side = (more: Partial<Side> = {}): Side => ({
  ends: 1,
  sources: 1,
  resources: [],
  served: calls(),
  made: calls(),
  logs: {},
  log_records: 0,
  errors: [],
  events: [],
  ...more,
})
const signals = (more: Partial<Signals> = {}): Signals => ({
  from: 0,
  to: 20,
  step: 10,
  t: [0, 10],
  received: { points: 0, spans: 1, logs: 0, events: 0 },
  client: side(),
  server: side(),
  deployments: [],
  ...more,
})
const plain = (text: string) => text.replaceAll('\u00a0', ' ')
const span = (trace_id: string, span_id: string) => ({ trace_id, span_id, at: 5 }) as Span
const series = (attempts: number) => ({ from: 0, to: 20, totals: { attempts } }) as Series

test('the use of several containers is added, and none is no 0', () => {
  const s = side({ resources: [usage([0.25, null, null]), usage([0.5, 1, null])] })
  expect(added(s, (u) => u.cpu)).toEqual([0.75, 1, null])
  expect(added(null, (u) => u.cpu)).toEqual([])
})

test('containers that are sampled at different times are added', () => {
  const apart = side({ resources: [usage([null, 1, null, 2, null, null]), usage([0.5, null, 0.5, null, 0.25, null])] })
  expect(added(apart, (u) => u.cpu)).toEqual([1.5, 1.5, 1.5, 2.5, 2.25, null])
  const replaced = side({ resources: [usage([1, 1, null, null, null]), usage([null, null, null, 2, 2])] })
  expect(added(replaced, (u) => u.cpu)).toEqual([1, 1, null, 2, 2])
})

test('only signals that are known have a chart', () => {
  expect(signalPictures(signals(), 20)).toEqual([])
  const of = signals({ server: side({ served: calls({ n: 20, n_by: [20, 0], mean_by: [0.1, null] }) }) })
  expect(signalPictures(of, 0)[0]!.lines[0]!.values).toEqual([2, null])
  expect(signalPictures(of, 20).map((p) => [p.title, p.lines[0]!.values])).toEqual([
    ['Calls served, a second', [2, 0]],
    ['Latency of calls served', [0.1, null]],
  ])
  expect(signalPictures({ ...of, server: null, client: side({ made: calls({ n: 1 }) }) }, 20)[0]!.title).toContain(
    'made',
  )
})

test('the use is compared with the limit', () => {
  expect(used([0.2, 0.45, null], 0.5, cpus)).toEqual({
    text: '0.45\u00a0CPU of 0.50\u00a0CPU (90\u00a0%)',
    level: 'warn',
  })
  expect(used([0.5], 0.5, cpus).level).toBe('bad')
  expect(used([0.1], 0.5, cpus).level).toBe('good')
  expect(used([0.5], null, cpus).text).toContain('no limit known')
  expect(used([null], 1, cpus).text).toBe('–')
  expect([0, 0.0002, 0.031, 1.5].map(cpus)).toEqual([
    '0\u00a0CPU',
    '<0.001\u00a0CPU',
    '0.031\u00a0CPU',
    '1.50\u00a0CPU',
  ])
})

test('a failed span is listed once', () => {
  const [a, b] = [span('t', '1'), span('t', '2')]
  expect(without([a, b], [a])).toEqual([b])
})

test('a trace has the link with its id', () => {
  const link = (url: string, ...needs: string[]) => ({ name: 'l', kind: 'traces', url, needs })
  const links = [
    link('https://a/?s={service.name}', 'service.name'),
    link('https://a/t/{trace_id}?at={from_s}', 'trace_id'),
  ]
  expect(traceUrl(links, { ...span('ab/c', '1'), at: 3605 })).toBe('https://a/t/ab%2Fc?at=5')
  expect(traceUrl(links.slice(0, 1), span('ab', '1'))).toBeUndefined()
  expect(traceUrl(links, span('', ''))).toBeUndefined()
})

test('connections that are not reused are said, with what they cost', () => {
  const known = signals({
    server: side({ served: calls({ n: 440, estimated: 440 }), resources: [usage([0.4, null])] }),
  })
  const advice = churn(series(400), known)
  expect(advice).toContain('20 new connections a second, for 1.1 calls each at most; the server uses 0.40\u00a0CPU')
  expect(advice).toContain('maxConnections')
  expect(churn(series(100), known)).toBe('')
  const other = calls({ n: 800, estimated: 800 })
  expect(churn(series(400), { ...known, client: side({ made: other }) })).toContain('1.1 calls')
  const reused = signals({ server: side({ served: calls({ n: 4000, estimated: 4000 }) }) })
  expect(churn(series(400), reused)).toBe('')
  expect(churn(series(400), null)).toContain('20 new connections a second. Let')
  const limited = { ...usage([0.4]), cpu_limit: 0.5, memory: [64e6], memory_limit: null }
  const both = signals({ server: side({ resources: [limited, { ...limited, cpu_limit: 1.5 }] }) })
  expect(plain(churn(series(400), both))).toContain('the server uses 0.80 CPU of 2.00 CPU (40 %) and 128 MB.')
})

test('the head of the panel has what is wrong, and where its details are', () => {
  const served = calls({ n: 40, errors: 2, max: 1.4, p95: 0.5 })
  const calm = { ...usage([0.1]), cpu_limit: 1 }
  const busy = { ...usage([0.48, null]), cpu_limit: 0.5 }
  const known = signals({
    client: side({ made: calls({ n: 7 }) }),
    server: side({ served, resources: [calm, busy], logs: { error: [0, 2], fatal: [1, 0], info: [9, 9] } }),
  })
  expect(glances(known).map((g) => [g.name, plain(g.value), g.level, g.list ?? ''])).toEqual([
    ['Calls served', '40, 2 failed (5 %)', 'bad', 'server served failed'],
    ['Slowest call', '1.4 s, p95 500 ms', 'none', 'server served slowest'],
    ['CPU of the server', '0.58 CPU of 1.50 CPU (38.7 %), a container at 96 % of its limit', 'bad', ''],
    ['Errors in logs of the server', '3', 'bad', 'server errors'],
  ])
  const one = glances(signals({ server: side({ resources: [busy] }) }))
  expect(plain(one[0]!.value)).toBe('0.48 CPU of 0.50 CPU (96 %)')
  expect(glances({ ...known, server: null })[0]).toEqual({ name: 'Calls made', value: '7', level: 'good' })
  expect(glances(signals())).toEqual([])
})

test('the CPU of a side is that of all its containers, as in the chart', () => {
  const idle = { ...usage([0.1, 0]), cpu_limit: null }
  const server = side({ resources: [idle, { ...usage([null, 0.023]), cpu_limit: null }] })
  const known = signals({ server })
  const chart = signalPictures(known, 20).find((p) => p.title === 'CPU')!
  const latest = chart.format(chart.lines[0]!.values.at(-1)!)
  expect(glances(known).map((g) => g.value)).toEqual([`${latest}, no limit known`])
  const ended = { ...usage([0.9, null]), cpu_limit: 1 }
  const restarted = signals({ server: side({ resources: [ended, { ...usage([null, 0.2]), cpu_limit: 1 }] }) })
  expect(glances(restarted)).toMatchObject([{ value: '0.20\u00a0CPU of 1.00\u00a0CPU (20\u00a0%)', level: 'good' }])
  const half = signals({ server: side({ resources: [idle, { ...idle, ...usage([0.1, 0.09]), cpu_limit: 0.1 }] }) })
  expect(glances(half)).toMatchObject([
    { value: '0.090\u00a0CPU, a container at 90\u00a0% of its limit', level: 'warn' },
  ])
})

test('a side that nothing is known of says so', () => {
  expect(silence(signals({ client: side({ sources: 0 }) }), 'client')).toContain('client')
  expect(silence(signals(), 'client')).toBe('')
  expect(silence(signals({ server: null }), 'server')).toBe('')
})
