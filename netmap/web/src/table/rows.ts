import type { Flows } from '../api/types.ts'
import { term } from '../map/key.ts'
import type { Measured } from '../metrics.ts'
import { errorName, isEdgeTag, isNamedById, isPeerType, nodeName, tagName } from '../tags.ts'

/** The figures of a row. */
export function measured(flows: Flows, i: number): Measured {
  return {
    tx: flows.tx[i]!,
    rx: flows.rx[i]!,
    retransmits: flows.retransmits[i]!,
    rtt: flows.rtt[i] ?? null,
    attempts: flows.attempts[i]!,
    failures: flows.failures[i]!,
    closed: flows.closed[i]!,
    breaks: flows.breaks[i]!,
    active: flows.active[i]!,
    lookups: flows.lookups[i]!,
    lookupFailures: flows.lookup_failures[i]!,
    lookupTime: flows.lookup_time[i] ?? null,
    seconds: flows.seconds,
  }
}

/**
 * The name of one end of a row: the value of its first tag, and the other values behind it. The name of the end is before
 * the id of a container or a pod.
 */
export function endName(tags: string[], values: string[], fallback: string): { name: string; more: string } {
  const parts = tags.map((tag, i) => ({ tag, value: values[i] ?? '' })).filter((p) => p.value !== '')
  const first = parts[0]
  if (!first || first.tag === 'port') {
    return {
      name: nodeName({
        tag: isPeerType(fallback) ? 'type' : fallback ? 'name' : '',
        name: fallback,
      }),
      more: first ? ':' + first.value : '',
    }
  }
  const more = parts
    .slice(1)
    .map((p) =>
      p.tag === 'port'
        ? ':' + p.value
        : p.tag === 'image.tag' || p.tag === 'name'
          ? p.value
          : `${tagName(p.tag).toLowerCase()} ${p.value}`,
    )
  const label = isNamedById(first.tag) && !isPeerType(fallback) && fallback !== first.value ? fallback : ''
  return { name: label ? nodeName({ tag: first.tag, name: first.value, label }) : first.value, more: more.join(' ') }
}

/** The identity of a row, which is the same in all answers with the same tags. */
export interface RowIdentity {
  client: End
  server: End
}

interface End {
  values: string[]
  kind: string
  name: string
}

/** The identity of a row as one word without commas or blanks, for the address. */
export function rowKey(flows: Flows, i: number): string {
  const client = [...flows.client[i]!, flows.kinds[flows.client_kind[i]!]!, flows.client_name[i]!]
  const server = [...flows.server[i]!, flows.kinds[flows.server_kind[i]!]!, flows.server_name[i]!]
  return [...client, ...server].map(encodeURIComponent).join('/')
}

/** The identity of a key in a table with these tags; undefined if the text is not a key. */
export function rowOf(key: string, clients: string[], servers: string[]): RowIdentity | undefined {
  let parts: string[]
  try {
    parts = key.split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
  if (parts.length !== clients.length + servers.length + 4) return undefined
  const end = (tags: string[], from: number): End => ({
    values: parts.slice(from, from + tags.length),
    kind: parts[from + tags.length]!,
    name: parts[from + tags.length + 1]!,
  })
  return { client: end(clients, 0), server: end(servers, clients.length + 2) }
}

/** The terms that match the edges of this row only: one for every tag of the row. */
export function rowTerms({ client, server }: RowIdentity, clients: string[], servers: string[]): string[] {
  return [...endTerms('client', clients, client), ...endTerms('server', servers, server)]
}

function endTerms(side: 'client' | 'server', tags: string[], end: End): string[] {
  const terms = tags.map((tag, i) => term(isEdgeTag(tag) ? '' : side, tag, end.values[i] ?? ''))
  const nameless = tags.every((tag, i) => isEdgeTag(tag) || !end.values[i])
  if (nameless && end.name)
    terms.push(
      isPeerType(end.name) || tags.includes('name') ? term(side, 'type', end.name) : term(side, 'name', end.name),
    )
  return [...terms, term(side, 'kind', end.kind)]
}

/** Failures, breaks or look-ups of a row by error type: "12 refused, 3 timed out". */
export function kindsOf(by: Flows['failures_by'], i: number): string {
  const parts: [string, number][] = []
  for (const [type, pairs] of Object.entries(by)) for (const [row, n] of pairs) if (row === i) parts.push([type, n])
  return parts
    .sort((a, b) => b[1] - a[1])
    .map(([type, n]) => `${n.toLocaleString('en')} ${errorName(type)}`)
    .join(', ')
}
