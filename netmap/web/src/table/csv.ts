import type { Flows, Kinds } from '../api/types.ts'

/** One line a row with every figure as it was told, in plain numbers of the base unit. */
export function csv(flows: Flows): string {
  const kinds = (prefix: string, by: Kinds) =>
    Object.keys(by)
      .sort()
      .map((type) => `${prefix}_${type}`)
  const head = [
    ...flows.clients.map((t) => 'client_' + t),
    ...flows.servers.map((t) => 'server_' + t),
    'client_name',
    'server_name',
    'client_kind',
    'server_kind',
    'seconds',
    'tx_bytes',
    'rx_bytes',
    'retransmits',
    'rtt_seconds',
    'rtt_max_seconds',
    'handshake_seconds',
    'attempts',
    'failures',
    'closed',
    'breaks',
    'active',
    'edges',
    'first',
    'last',
    ...kinds('failures', flows.failures_by),
    ...kinds('breaks', flows.breaks_by),
  ]
  const by = (map: Kinds) =>
    Object.keys(map)
      .sort()
      .map((type) => new Map(map[type]))
  const [failures, breaks] = [by(flows.failures_by), by(flows.breaks_by)]
  const time = (s: number | undefined) => (s ? new Date(s * 1000).toISOString() : '')
  const lines = flows.client.map((client, i) => [
    ...client,
    ...flows.server[i]!,
    flows.client_name[i],
    flows.server_name[i],
    flows.kinds[flows.client_kind[i]!],
    flows.kinds[flows.server_kind[i]!],
    flows.seconds,
    flows.tx[i],
    flows.rx[i],
    flows.retransmits[i],
    flows.rtt[i],
    flows.rtt_max[i],
    flows.handshake[i],
    flows.attempts[i],
    flows.failures[i],
    flows.closed[i],
    flows.breaks[i],
    flows.active[i],
    flows.count[i],
    time(flows.first[i]),
    time(flows.last[i]),
    ...failures.map((m) => m.get(i) ?? 0),
    ...breaks.map((m) => m.get(i) ?? 0),
  ])
  return [head, ...lines].map((cells) => cells.map(cell).join(',')).join('\r\n') + '\r\n'
}

/** A cell as RFC 4180 has it. A spreadsheet takes text that begins with =, +, - or @ for a formula, and names are anybody's to choose. */
function cell(value: string | number | null | undefined): string {
  if (typeof value === 'number') return String(value)
  const text = value ?? ''
  const safe = /^[=+\-@\t\r]/.test(text) ? "'" + text : text
  return /[",\r\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe
}
