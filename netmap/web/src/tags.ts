import type { Kind, Tag } from './api/types.ts'
import { EDGE_TAGS, END_TAGS, PEER_TYPES, type EdgeTag, type EndTag, type PeerType } from './names.ts'
import { isolated, legible } from './text.ts'

/** The tags as the page writes them. */
const labels: Record<EndTag | EdgeTag, string> = {
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
  source: 'Original source',
  role: 'Reported by',
}

/** The label of a tag, or the tag itself if this page does not know it. */
export function tagName(tag: string): string {
  return Object.hasOwn(labels, tag) ? labels[tag as EndTag] : tag
}

/** The attribute that holds a tag of an end. */
export function attributeOf(tag: EndTag): string {
  return END_TAGS.find((t) => t.tag === tag)!.attribute
}

const edgeTags = new Set<string>(EDGE_TAGS.map((t) => t.tag))
const sharedTags = new Set<string>(END_TAGS.filter((t) => t.shared).map((t) => t.tag))
const peerTypes = new Set<string>(PEER_TYPES)

/** Reports whether the tag belongs to the edge, not to one of its ends. */
export const isEdgeTag = (tag: string) => edgeTags.has(tag)

/** Reports whether all containers of a pod have the same value of the tag. */
export const isShared = (tag: string) => sharedTags.has(tag)

/** Reports whether the tag is an id of a container or a pod, which says nothing to people. */
export const isNamedById = (tag: string) => tag === 'container.id' || tag === 'pod.uid'

/** Reports whether the name is a value of the tag type. Such an end has no better name. */
export const isPeerType = (name: string) => peerTypes.has(name)

/** Tags that nodes can be made of: those of ends, and the port of a server. */
const NODE_TAGS: (EndTag | EdgeTag)[] = [...END_TAGS.map((t) => t.tag), 'port']

/** The tags that nodes can be made of, first those with values. The chosen tag is always among them. */
export function nodeTags(tags: Tag[], chosen: string): { tag: string; known: boolean }[] {
  const known = new Map(tags.map((t) => [t.tag, t.values > 0]))
  const all = [...new Set<string>([...NODE_TAGS, ...(chosen ? [chosen] : [])])].map((tag) => ({
    tag,
    known: known.get(tag) ?? tag === 'name',
  }))
  return [...all.filter((t) => t.known), ...all.filter((t) => !t.known)]
}

/** Words for ends of which only the type is known. */
const types: Partial<Record<PeerType, string>> = {
  public: 'public addresses',
  private: 'private addresses',
  unknown: 'unknown',
  host: 'this host',
  container: 'containers',
  pod: 'pods',
}

/** So many letters of an id tell things of one name apart. */
const SHORT = 8

/** The name of a node, or words for a node without one. A node that is called by an id has a label before it. */
export function nodeName({ tag, name, label }: { tag: string; name: string; label?: string }): string {
  if (label) return `${legible(label)} ${legible(name.slice(0, SHORT))}`
  if (tag === '' && name === '') return 'other'
  if (tag === 'type') return types[name as PeerType] ?? legible(name)
  if (tag === 'port') return 'port ' + legible(name)
  return name === '' ? `no ${tagName(tag).toLowerCase()}` : legible(name)
}

/** The name of a node, and its group if that says more: `2.0.7 in ratings`. */
export function fullName(id: { tag: string; name: string; label?: string; group: string }): string {
  const name = nodeName(id)
  const group = legible(id.group)
  return isolated(name) + (group && group !== name ? ` in ${isolated(group)}` : '')
}

export const kindWords: Record<Kind, string> = {
  internal: '',
  external: 'external',
  unresolved: 'unresolved',
  other: 'folded',
}

/** An error type in words. */
export function errorName(type: string): string {
  return type === '_OTHER' ? 'other' : legible(type.replaceAll('_', ' '))
}
