import type { Attributes } from './otlp.ts'

/** A span of kind server (2) or client (3). Durations are in milliseconds. */
export interface SentSpan {
  name: string
  took: number
  failed?: boolean
  kind?: number
  attributes?: Attributes
  trace: string
}

const values = (of: Attributes) =>
  Object.entries(of).map(([key, v]) => ({
    key,
    value: typeof v === 'number' ? { intValue: String(v) } : { stringValue: v },
  }))
const nanos = (ms: number) => `${Math.round(ms)}000000`

async function post(otlp: string, signal: string, body: object) {
  const response = await fetch(`http://${otlp}/v1/${signal}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`OTLP: ${response.status} ${await response.text()}`)
}

export function sendSpans(otlp: string, resource: Attributes, spans: SentSpan[], at = Date.now()): Promise<void> {
  const all = spans.map((s) => ({
    traceId: s.trace,
    spanId: s.trace.slice(16),
    name: s.name,
    kind: s.kind ?? 2,
    startTimeUnixNano: nanos(at - s.took),
    endTimeUnixNano: nanos(at),
    status: { code: s.failed ? 2 : 0 },
    attributes: values(s.attributes ?? {}),
  }))
  return post(otlp, 'traces', {
    resourceSpans: [{ resource: { attributes: values(resource) }, scopeSpans: [{ spans: all }] }],
  })
}

export function sendLogs(otlp: string, resource: Attributes, records: object[]): Promise<void> {
  const all = records.map((r) => ({ timeUnixNano: nanos(Date.now()), ...r }))
  return post(otlp, 'logs', {
    resourceLogs: [{ resource: { attributes: values(resource) }, scopeLogs: [{ logRecords: all }] }],
  })
}

/** An event of a connection that a server reports, as netconn sends it. */
export const closed = (peerName: string, peer: string, port: number, duration: number) => ({
  eventName: 'netconn.connection.closed',
  severityNumber: 9,
  body: { stringValue: `${peerName} closed its connection` },
  attributes: [
    ...values({
      'netconn.role': 'server',
      'server.port': 9080,
      'netconn.peer.name': peerName,
      'network.peer.address': peer,
      'network.peer.port': port,
      'network.local.address': '10.0.0.8',
      'network.local.port': 9080,
    }),
    { key: 'netconn.connection.duration', value: { doubleValue: duration } },
  ],
})

/** What kubelet_stats sends of a container. */
export function sendUsage(otlp: string, resource: Attributes, gauges: Record<string, number>): Promise<void> {
  const timeUnixNano = nanos(Date.now())
  const metrics = Object.entries(gauges).map(([name, asDouble]) => ({
    name,
    gauge: { dataPoints: [{ timeUnixNano, asDouble }] },
  }))
  return post(otlp, 'metrics', {
    resourceMetrics: [{ resource: { attributes: values(resource) }, scopeMetrics: [{ metrics }] }],
  })
}
