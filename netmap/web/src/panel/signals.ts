import type { Calls, Event, Line, Side, Signals, Span, Usage, Values } from '../api/signals.ts'
import type { Link, Series } from '../api/types.ts'
import { bytes, count, cpus, NONE, percent, seconds } from '../format.ts'
import { shareLevel, type Level } from '../health.ts'
import { finished } from './finished.ts'
import type { Line as Curve, Picture } from './Charts.tsx'
import { fill } from './links.ts'

export const SIDES = ['client', 'server'] as const
export type SideName = (typeof SIDES)[number]

/**
 * Adds up the containers of a side, step by step. A step without a sample has no value. Containers are sampled at
 * different times, so a sample of one is added to the latest samples of the others.
 */
export function added(side: Side | null, of: (u: Usage) => Values): Values {
  const all = (side?.resources ?? []).map(of)
  const held = all.map(hold)
  return (all[0] ?? []).map((_, i) =>
    all.every((v) => (v[i] ?? null) === null) ? null : held.reduce((sum, v) => sum + (v[i] ?? 0), 0),
  )
}

/** Fills gaps with the sample before. A gap at an end is filled if it is no longer than the longest between samples. */
function hold(values: Values): Values {
  const at = values.flatMap((v, i) => (v === null ? [] : i))
  const gap = Math.max(1, ...at.slice(1).map((i, n) => i - at[n]!))
  return values.map((_, i) => {
    const last = at.findLast((a) => a <= i) ?? (at[0]! < gap ? at[0] : undefined)
    return last === undefined || i - last >= gap ? null : values[last]!
  })
}

/** The calls between the sides: a server serves them, and a client makes them. */
export const callsOf = (side: Side, name: SideName): Calls => (name === 'server' ? side.served : side.made)

/** The charts of the signals. A signal without values has no chart. */
export function signalPictures(s: Signals, end: number): Picture[] {
  const curves = (of: (side: Side, name: SideName) => Curve[]) => SIDES.flatMap((n) => (s[n] ? of(s[n], n) : []))
  const usage = (of: (u: Usage) => Values) =>
    curves((side, name) => [{ label: name, values: added(side, of), ...look[name] }])
  const server = s.server ? callsOf(s.server, 'server') : null
  const calls = server?.n ? server : s.client ? callsOf(s.client, 'client') : server
  const whose = calls === server ? 'served' : 'made'
  const over = finished(s, end)
  const perSecond = (by: number[]) => by.map((n, i) => (over(i) ? n / s.step : null))
  const all: Picture[] = [
    { title: 'CPU', format: cpus, lines: usage(CPU.of) },
    { title: 'Memory', format: bytes, lines: usage(MEMORY.of) },
    {
      title: `Calls ${whose}, a second`,
      format: count,
      lines: [
        { label: 'calls', colour: 'accent', values: calls?.n ? perSecond(calls.n_by) : [] },
        { label: 'errors', colour: 'bad', dash: [5, 3], values: calls?.n ? perSecond(calls.errors_by) : [] },
      ],
    },
    {
      title: `Latency of calls ${whose}`,
      format: seconds,
      lines: [
        { label: 'mean', colour: 'accent', values: calls?.mean_by ?? [] },
        { label: 'slowest', colour: 'none', dash: [5, 3], values: calls?.max_by ?? [] },
      ],
    },
  ]
  return all
    .map((p) => ({ ...p, lines: p.lines.filter((l) => l.values.length) }))
    .filter((p) => p.lines.some((l) => l.values.some((v) => v !== null)))
}

const look: Record<SideName, { colour: Curve['colour']; dash?: number[] }> = {
  client: { colour: 'new', dash: [5, 3] },
  server: { colour: 'accent' },
}

const UNLIMITED = ', no limit known'

export interface Used {
  text: string
  level: Level
}

/** The latest use of a resource, with the share of its limit: `0.25 CPU of 0.50 CPU (50 %)`. */
export function used(values: Values, limit: number | null, format: (n: number | null) => string): Used {
  const latest = latestOf(values)
  if (latest === null) return { text: NONE, level: 'none' }
  if (!limit) return { text: format(latest) + UNLIMITED, level: 'none' }
  const share = latest / limit
  return { text: `${format(latest)} of ${format(limit)} (${percent(share)})`, level: shareLevel(share) }
}

/** The spans of a list without those of another one. */
export function without(spans: Span[], others: Span[]): Span[] {
  const seen = new Set(others.map((o) => o.trace_id + o.span_id))
  return spans.filter((s) => !seen.has(s.trace_id + s.span_id) || !s.span_id)
}

/** The URL of a trace, by the first of the operator's links that has {trace_id}. */
export function traceUrl(links: Link[], of: Span | Line): string | undefined {
  if (!of.trace_id) return undefined
  const values = { trace_id: of.trace_id, span_id: of.span_id }
  for (const link of links) {
    if (!link.needs.includes('trace_id')) continue
    const url = fill(link, values, of.at - 3600, of.at + 3600)
    if (url) return url
  }
  return undefined
}

/** One connection in words. */
export function connectionFacts(e: Event): string {
  const facts = [
    e.peer && e.local ? `${e.peer} → ${e.local}` : '',
    e.name,
    e.duration === null ? '' : `open for ${seconds(e.duration)}`,
    e.rtt === null ? '' : `round trip ${seconds(e.rtt)}`,
    `${bytes(e.transmit + e.receive)}`,
    e.retransmits ? `${count(e.retransmits)} resent` : '',
    e.error,
  ]
  return facts.filter(Boolean).join(', ')
}

/** The rate of new connections above which the page says that they are not reused. */
const CHURN = 10

/** The cost of new connections where clients rarely reuse them; '' where they do. */
export function churn(series: Series, signals: Signals | null): string {
  const over = Math.max(1, series.to - series.from)
  const opened = series.totals.attempts / over
  if (opened < CHURN) return ''
  const perConnection = callsPerConnection(series, signals)
  if (perConnection !== null && perConnection >= 10) return ''
  const uses = SIDES.flatMap((name) => {
    const text = load(signals?.[name] ?? null)
    return text ? [`the ${name} uses ${text}`] : []
  })
  return (
    `${count(opened)} new connections a second` +
    (perConnection === null ? '' : `, for ${perConnection.toFixed(1)} calls each at most`) +
    (uses.length ? `; ${uses.join(', ')}` : '') +
    '. Let the client reuse connections: HTTP keep-alive or a pool, and idle time-outs longer than the pauses between ' +
    'calls. In Istio, set maxConnections in the connectionPool.tcp of a DestinationRule: calls then wait for a ' +
    'connection instead of opening one. Leave out maxRequestsPerConnection, which ends connections.'
  )
}

/** A resource that containers use. */
interface Resource {
  of(u: Usage): Values
  limit(u: Usage): number | null
  format(n: number | null): string
}
const CPU: Resource = { of: (u) => u.cpu, limit: (u) => u.cpu_limit, format: cpus }
const MEMORY: Resource = { of: (u) => u.memory, limit: (u) => u.memory_limit, format: bytes }

/** What all containers of a side use; '' if it is not known. */
function load(side: Side | null): string {
  const all = [CPU, MEMORY].flatMap((r) => together(side, r) ?? [])
  return all.map((u) => u.text.replace(UNLIMITED, '')).join(' and ')
}

/**
 * The latest use of all containers of a side, as in the chart, with the share of the limits where each has a limit.
 * `shares` are those of the containers that have a limit, unless there is only one container. Null: unknown.
 */
function together(side: Side | null, { of, limit, format }: Resource): (Used & { shares: number[] }) | null {
  const sums = added(side, of)
  const last = sums.findLastIndex((v) => v !== null)
  if (last < 0) return null
  const now = side!.resources
    .map((u) => ({ use: hold(of(u))[last] ?? null, most: limit(u) ?? 0 }))
    .filter((u) => u.use !== null) // the others have ended
  const limits = now.map((u) => u.most)
  return {
    ...used([sums[last]!], limits.includes(0) ? null : limits.reduce((a, b) => a + b), format),
    shares: now.length > 1 ? now.flatMap((u) => (u.most ? u.use! / u.most : [])) : [],
  }
}

/**
 * An upper bound of the calls on each new connection; null without spans. The calls of a side are those with all of
 * its peers, so the side with fewer calls is nearer to the number on these connections.
 */
function callsPerConnection({ totals }: Series, signals: Signals | null): number | null {
  const known = SIDES.flatMap((name) => {
    const side = signals?.[name]
    return side ? callsOf(side, name).estimated || [] : []
  })
  return known.length ? Math.min(...known) / totals.attempts : null
}

const latestOf = (values: Values) => values.findLast((v) => v !== null) ?? null

/** A figure of the panel's head. */
export interface Glance {
  name: string
  value: string
  level: Level
  /** The list below that has the details. */
  list?: string
}

/** Lists of a side. */
export type ListOf = 'served failed' | 'served slowest' | 'made failed' | 'made slowest' | 'errors'

/** The identity of a list within a part of the panel. */
export const listId = (side: SideName, of: ListOf) => `${side} ${of}`

/** The figures that say first whether something is wrong with the calls or the containers. */
export function glances(s: Signals): Glance[] {
  const sides = SIDES.flatMap((name) => (s[name] ? [{ name, side: s[name] }] : []))
  const between = sides.findLast(({ side, name }) => callsOf(side, name).n > 0)
  return [
    ...(between ? callGlances(between.name, callsOf(between.side, between.name)) : []),
    ...sides.flatMap(({ name, side }) => cpuGlance(name, side)),
    ...sides.flatMap(({ name, side }) => errorGlance(name, side)),
  ]
}

function callGlances(name: SideName, c: Calls): Glance[] {
  const made = name === 'server' ? 'served' : 'made'
  const slowest = { list: listId(name, `${made} slowest`) }
  const failed = c.errors ? `, ${count(c.errors)} failed (${percent(c.errors / c.n)})` : ''
  return [
    {
      name: `Calls ${made}`,
      value: count(c.n) + failed,
      level: failed ? 'bad' : 'good',
      ...(failed && { list: listId(name, `${made} failed`) }),
    },
    { name: 'Slowest call', value: `${seconds(c.max)}, p95 ${seconds(c.p95)}`, level: 'none', ...slowest },
  ]
}

function errorGlance(name: SideName, { logs }: Side): Glance[] {
  const n = [...(logs.error ?? []), ...(logs.fatal ?? [])].reduce((a, b) => a + b, 0)
  return n
    ? [{ name: `Errors in logs of the ${name}`, value: count(n), level: 'bad', list: listId(name, 'errors') }]
    : []
}

/** The CPU of all containers, and how near to its limit the nearest of several is. */
function cpuGlance(name: SideName, side: Side): Glance[] {
  const all = together(side, CPU)
  if (!all) return []
  const title = `CPU of the ${name}`
  if (!all.shares.length) return [{ name: title, value: all.text, level: all.level }]
  const most = Math.max(...all.shares)
  const value = `${all.text.replace(UNLIMITED, '')}, a container at ${percent(most)} of its limit`
  return [{ name: title, value, level: shareLevel(most) }]
}

/** Why nothing is shown of a side; '' if something is. */
export function silence(s: Signals, name: SideName): string {
  const side = s[name]
  if (!side || side.sources > 0) return ''
  return `No traces, logs or metrics of the ${name} carry its container.id, k8s.pod.uid or service.name.`
}

/** Reports whether the map was ever sent one of the signals. */
export const anything = (s: Signals): boolean => Object.values(s.received).some((n) => n > 0)
