/** What one end reports of one edge in one collection. */
export interface Report {
  /** Attributes of the resource: the end that reports. */
  local: Attributes
  /** Attributes of every point: the peer, and what distinguishes edges. */
  peer: Attributes
  tx: number
  rx: number
  attempts?: number
  failures?: Record<string, number>
  closed?: number
  breaks?: Record<string, number>
  active?: number
  retransmits?: number
  /** Seconds, one sample. */
  rtt?: number
  /** Look-ups of DNS by response code, and without a response. A report with look-ups has no connections. */
  lookups?: { responses: Record<string, number>; timeouts?: number; /** Seconds, one sample. */ time?: number }
}

export type Attributes = Record<string, string | number>

/** Sends what was counted since the last call. The collector has stored it when this returns. */
export async function send(otlp: string, reports: Report[], at = Date.now()): Promise<void> {
  const body = JSON.stringify({ resourceMetrics: merge(reports).map((r) => resource(r, at)) })
  const response = await fetch(`http://${otlp}/v1/metrics`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  })
  const text = await response.text()
  if (!response.ok || text.includes('rejected')) throw new Error(`OTLP: ${response.status} ${text}`)
}

/** Adds up the reports of one series, as netconn does: no attribute distinguishes their ends. */
export function merge(reports: Report[]): Report[] {
  const by = new Map<string, Report>()
  for (const r of reports) {
    const key = JSON.stringify([r.local, r.peer])
    const before = by.get(key)
    by.set(key, before ? add(before, r) : r)
  }
  return [...by.values()]
}

function add(a: Report, b: Report): Report {
  const kinds = (x: Record<string, number> = {}, y: Record<string, number> = {}) =>
    Object.fromEntries([...Object.keys(x), ...Object.keys(y)].map((k) => [k, (x[k] ?? 0) + (y[k] ?? 0)]))
  const sum = (x = 0, y = 0) => x + y
  return {
    ...a,
    tx: a.tx + b.tx,
    rx: a.rx + b.rx,
    attempts: sum(a.attempts, b.attempts),
    closed: sum(a.closed, b.closed),
    active: sum(a.active, b.active),
    retransmits: sum(a.retransmits, b.retransmits),
    failures: kinds(a.failures, b.failures),
    breaks: kinds(a.breaks, b.breaks),
  }
}

const DELTA = 1
const CUMULATIVE = 2

function resource(r: Report, at: number) {
  const time = { startTimeUnixNano: `${at - 1000}000000`, timeUnixNano: `${at}000000` }
  const point = (value: number, more: Attributes = {}) => ({
    ...time,
    asInt: String(value),
    attributes: keyValues({ ...r.peer, ...more }),
  })
  const sum = (name: string, unit: string, dataPoints: object[], monotonic = true) => ({
    name,
    unit,
    sum: { aggregationTemporality: monotonic ? DELTA : CUMULATIVE, isMonotonic: monotonic, dataPoints },
  })
  const kinds = (by: Record<string, number> = {}) =>
    Object.entries(by).map(([type, n]) => point(n, { 'error.type': type }))
  const dns = ({ responses, timeouts, time: took }: NonNullable<Report['lookups']>): object[] => [
    sum(
      'netconn.dns.requests',
      '{request}',
      Object.entries(responses).map(([code, n]) => point(n, { 'netconn.dns.rcode': code })),
    ),
    ...(timeouts ? [sum('netconn.dns.timeouts', '{request}', [point(timeouts)])] : []),
    ...(took ? [histogram('dns.lookup.duration', took, { ...time, attributes: keyValues(r.peer) })] : []),
  ]
  if (r.lookups) return { resource: { attributes: keyValues(r.local) }, scopeMetrics: [scope(dns(r.lookups))] }
  const metrics: object[] = [
    sum('netconn.io', 'By', [
      point(r.tx, { 'network.io.direction': 'transmit' }),
      point(r.rx, { 'network.io.direction': 'receive' }),
    ]),
    sum('netconn.attempts', '{connection}', [point(r.attempts ?? 0), ...kinds(r.failures)]),
    sum('netconn.closed', '{connection}', [point(r.closed ?? 0), ...kinds(r.breaks)]),
    sum('netconn.active', '{connection}', [point(r.active ?? 0)], false),
    sum('netconn.tcp.retransmits', '{segment}', [point(r.retransmits ?? 0)]),
  ]
  if (r.rtt !== undefined) metrics.push(histogram('netconn.tcp.rtt', r.rtt, { ...time, attributes: keyValues(r.peer) }))
  return { resource: { attributes: keyValues(r.local) }, scopeMetrics: [scope(metrics)] }
}

const scope = (metrics: object[]) => ({ scope: { name: 'netconn' }, metrics })

const BOUNDS = [0.0001, 0.001, 0.01, 0.1, 1]

function histogram(name: string, value: number, point: object) {
  const counts = [...BOUNDS, Infinity].map((bound, i, all) => (value <= bound && value > (all[i - 1] ?? 0) ? '1' : '0'))
  return {
    name,
    unit: 's',
    histogram: {
      aggregationTemporality: DELTA,
      dataPoints: [{ ...point, count: '1', sum: value, explicitBounds: BOUNDS, bucketCounts: counts }],
    },
  }
}

function keyValues(attributes: Attributes) {
  return Object.entries(attributes).map(([key, v]) => ({
    key,
    value: typeof v === 'number' ? { intValue: String(v) } : { stringValue: v },
  }))
}
