import type { Flows, Kinds } from '../api/types.ts'

type Cell = string | number | null | undefined

const KINDS = ['failures', 'breaks', 'lookups'] as const

/** A column: its head, and the cell of each row. */
type Column = [head: string, cell: (row: number) => Cell]

/** One line a row, in plain numbers of the base unit, as the API gave them. */
export function csv(flows: Flows): string {
  const columns = [...tags(flows), ...figures(flows), ...KINDS.flatMap((what) => kinds(what, flows))]
  const lines = flows.client.map((_, row) => columns.map(([, of]) => of(row)))
  return [columns.map(([head]) => head), ...lines].map((cells) => cells.map(cell).join(',')).join('\r\n') + '\r\n'
}

function tags(flows: Flows): Column[] {
  return [
    ...flows.clients.map((tag, i): Column => ['client_' + tag, (row) => flows.client[row]![i]]),
    ...flows.servers.map((tag, i): Column => ['server_' + tag, (row) => flows.server[row]![i]]),
    ['client_name', (row) => flows.client_name[row]],
    ['server_name', (row) => flows.server_name[row]],
    ['client_kind', (row) => flows.kinds[flows.client_kind[row]!]],
    ['server_kind', (row) => flows.kinds[flows.server_kind[row]!]],
  ]
}

function figures(flows: Flows): Column[] {
  const time = (s: number | undefined) => (s ? new Date(s * 1000).toISOString() : '')
  return [
    ['seconds', () => flows.seconds],
    ['tx_bytes', (row) => flows.tx[row]],
    ['rx_bytes', (row) => flows.rx[row]],
    ['retransmits', (row) => flows.retransmits[row]],
    ['rtt_seconds', (row) => flows.rtt[row]],
    ['rtt_max_seconds', (row) => flows.rtt_max[row]],
    ['handshake_seconds', (row) => flows.handshake[row]],
    ['attempts', (row) => flows.attempts[row]],
    ['failures', (row) => flows.failures[row]],
    ['closed', (row) => flows.closed[row]],
    ['breaks', (row) => flows.breaks[row]],
    ['active', (row) => flows.active[row]],
    ['lookups', (row) => flows.lookups[row]],
    ['lookup_failures', (row) => flows.lookup_failures[row]],
    ['lookup_seconds', (row) => flows.lookup_time[row]],
    ...(flows.cost ? [['cost', (row) => flows.cost![row]] satisfies Column] : []),
    ...loads('client', flows.client_load),
    ...loads('server', flows.server_load),
    ['edges', (row) => flows.count[row]],
    ['first', (row) => time(flows.first[row])],
    ['last', (row) => time(flows.last[row])],
  ]
}

/** What the containers of one side use, where that was asked for. */
function loads(side: 'client' | 'server', of: Flows['client_load']): Column[] {
  if (!of) return []
  return [
    [`${side}_cpu`, (row) => of[row]?.cpu],
    [`${side}_cpu_share`, (row) => of[row]?.cpu_share],
    [`${side}_memory_bytes`, (row) => of[row]?.memory],
    [`${side}_memory_share`, (row) => of[row]?.memory_share],
  ]
}

/** A column for each error type. */
function kinds(what: (typeof KINDS)[number], flows: Flows): Column[] {
  const by: Kinds = flows[`${what}_by`]
  return Object.keys(by)
    .sort()
    .map((type): Column => {
      const counts = new Map(by[type])
      return [`${what}_${type}`, (row) => counts.get(row) ?? 0]
    })
}

/**
 * A cell in the format of RFC 4180. A spreadsheet runs text that begins with =, +, - or @ as a formula, and anybody may
 * choose a name, so such text gets an apostrophe in front.
 */
function cell(value: Cell): string {
  if (typeof value === 'number') return String(value)
  const text = value ?? ''
  const safe = /^[=+\-@\t\r]/.test(text) ? "'" + text : text
  return /[",\r\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe
}
