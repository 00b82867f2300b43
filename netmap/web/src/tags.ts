import type { Kind, Tag } from './api/types.ts'
import { legible } from './text.ts'

/** What tags are called on the page; one that is not here is called what it is. */
const names: Record<string, string> = {
  name: 'Name',
  service: 'Service',
  'service.namespace': 'Service namespace',
  cluster: 'Cluster',
  namespace: 'Namespace',
  workload: 'Workload',
  'workload.kind': 'Workload kind',
  pod: 'Pod',
  'pod.uid': 'Pod UID',
  container: 'Container',
  'container.id': 'Container id',
  image: 'Image',
  'image.tag': 'Image tag',
  executable: 'Executable',
  unit: 'Systemd unit',
  node: 'Node',
  host: 'Host',
  'host.id': 'Host id',
  zone: 'Zone',
  region: 'Region',
  address: 'Address',
  domain: 'Domain',
  proxy: 'Proxy',
  type: 'Type',
  port: 'Port',
  transport: 'Transport',
  scope: 'Scope',
  nat: 'NAT',
  original: 'Original destination',
  'original.port': 'Original port',
  'original.address': 'Original address',
  role: 'Reported by',
}

export function tagName(tag: string): string {
  return names[tag] ?? tag
}

/** The tags that nodes can be made of, those with values first; the chosen one is always there. */
export function nodeTags(tags: Tag[], chosen: string): { tag: string; known: boolean }[] {
  const known = new Map(tags.map((t) => [t.tag, t.values > 0]))
  const order = Object.keys(names).slice(0, Object.keys(names).indexOf('transport'))
  const all = [...new Set([...order, ...(chosen ? [chosen] : [])])].map((tag) => ({
    tag,
    known: known.get(tag) ?? tag === 'name',
  }))
  return [...all.filter((t) => t.known), ...all.filter((t) => !t.known)]
}

const types: Record<string, string> = {
  public: 'public addresses',
  private: 'private addresses',
  unknown: 'unknown',
  host: 'this host',
  container: 'containers',
  pod: 'pods',
}

/** What a node is called: its name, or words for the ends of which no more is known. */
export function nodeName({ tag, name }: { tag: string; name: string }): string {
  if (tag === '' && name === '') return 'other'
  if (tag === 'type') return types[name] ?? legible(name)
  if (tag === 'port') return 'port ' + legible(name)
  return name === '' ? `no ${tagName(tag).toLowerCase()}` : legible(name)
}

export const kindWords: Record<Kind, string> = {
  internal: '',
  external: 'external',
  unresolved: 'unresolved',
  other: 'folded',
}

/** How failures and breaks are called. */
export function errorName(type: string): string {
  return type === '_OTHER' ? 'other' : legible(type.replaceAll('_', ' '))
}
