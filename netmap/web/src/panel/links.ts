import type { Edge, Link } from '../api/types.ts'
import { EDGE_TAGS, type Nat } from '../names.ts'

export type EndName = 'client' | 'server'

/**
 * The values of a link's placeholders for one end of an edge, but for the time: attributes of the end itself, of both
 * ends with the prefix client or server, of the other end with the prefix peer, and of the edge.
 */
export function linkValues(e: Edge, end: EndName): Record<string, string> {
  const values: Record<string, string> = {
    ...e[end],
    ...prefixed('client', e.client),
    ...prefixed('server', e.server),
    ...prefixed('peer', e[end === 'client' ? 'server' : 'client']),
  }
  for (const { tag, attribute } of EDGE_TAGS) {
    if (e.edge[tag]) values[attribute] = e.edge[tag]
  }
  const port = end === 'client' && askedPort(e)
  if (port) values['network.peer.port'] = port
  return values
}

function prefixed(prefix: string, end: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(end).map(([attribute, value]) => [`${prefix}.${attribute}`, value]))
}

const unresolved: Nat = 'unresolved'

/** The port that the client's socket has for the server. An unresolved translation may have changed it. */
function askedPort(e: Edge): string | undefined {
  if (e.edge['original.port']) return e.edge['original.port']
  return e.edge.nat && e.edge.nat !== unresolved ? e.edge.port : undefined
}

/**
 * The URL of a link, from the operator's template. Undefined if the values lack what the link needs, or if the URL is
 * not that of a web page. Values are percent-encoded, so no value can change the link's target.
 */
export function fill(link: Link, of: Record<string, string>, from: number, to: number): string | undefined {
  if (link.needs.some((name) => !Object.hasOwn(of, name) || !of[name])) return undefined
  const values: Record<string, string> = { ...of }
  for (const [unit, factor] of Object.entries({ '': 1e3, _s: 1, _us: 1e6 })) {
    values['from' + unit] = String(Math.floor(from * factor))
    values['to' + unit] = String(Math.ceil(to * factor))
  }
  const url = link.url.replace(/\{([\w.]+)\}/g, (_, name: string) =>
    Object.hasOwn(values, name) ? encodeURIComponent(values[name]!) : '',
  )
  try {
    const { protocol } = new URL(url)
    return protocol === 'http:' || protocol === 'https:' ? url : undefined
  } catch {
    return undefined
  }
}
