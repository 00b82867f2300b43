import type { Status, Tag } from './api/types.ts'
import { HOP_TERMS } from './map/key.ts'
import type { EdgeTag, EndTag } from './names.ts'
import { defaults, type State } from './state/state.ts'

/** A view that answers one question, with advice on what it shows. */
export interface Preset {
  id: string
  label: string
  /** What the view shows. */
  what: string
  /** The advice. */
  advice: string
  /** The tag that the view depends on, and what to say if no end has it. */
  needs?: { tag: EndTag; without: string }
  /** It needs a source of alerts. */
  alerts?: boolean
  /** It needs prices. */
  costs?: boolean
  set(known: (tag: EndTag) => boolean): Partial<State>
}

const list = (...tags: (EndTag | EdgeTag)[]) => tags.join(',')
const has = (side: 'client' | 'server', tag: EndTag) => `${side}.${tag}!=`
const lacks = (side: 'client' | 'server', tag: EndTag) => `${side}.${tag}=`

export const presets: Preset[] = [
  {
    id: '',
    label: 'All traffic',
    what: 'All traffic, by the best known names.',
    advice: '',
    set: () => ({}),
  },
  {
    id: 'cross-zone',
    label: 'Cross-zone',
    what: 'Edges whose ends are in two zones.',
    advice:
      'Clouds charge for it, and each round trip is longer. Keep clients and servers in one zone: topology-aware ' +
      'routing (trafficDistribution: PreferClose), a replica in each zone, or locality weights in the mesh.',
    needs: {
      tag: 'zone',
      without: 'No end has a zone, so there is none to cross: let a processor set cloud.availability_zone.',
    },
    set: (known) => ({
      only: 'zones',
      group: known('zone') ? 'zone' : '',
      clients: list('zone', 'name'),
      servers: list('zone', 'name'),
    }),
  },
  {
    id: 'cross-region',
    label: 'Cross-region',
    what: 'Edges whose ends are in two regions.',
    advice:
      'This traffic is the most expensive and the slowest. Look for replicas that are read from another region, and ' +
      'for backups to compress or to batch.',
    needs: {
      tag: 'region',
      without: 'No end has a region, so there is none to cross: let a processor set cloud.region.',
    },
    set: (known) => ({
      only: 'regions',
      group: known('region') ? 'region' : '',
      clients: list('region', 'name'),
      servers: list('region', 'name'),
      colour: 'rtt',
    }),
  },
  {
    id: 'costs',
    label: 'Costs',
    what: 'Dependencies by what their bytes between zones and regions cost in a day.',
    advice:
      'Keep both ends of the most expensive ones in one zone, compress what they send, or batch it. The column has a ' +
      'dash where the zone of an end is not known.',
    costs: true,
    set: (known) => ({
      view: 'table',
      sort: '-cost',
      clients: known('zone') ? list('zone', 'name') : list('region', 'name'),
      servers: known('zone') ? list('zone', 'name') : list('region', 'name'),
    }),
  },
  {
    id: 'out-of-mesh',
    label: 'Out of the mesh',
    what: 'Connections between two ends that no proxy opened: not encrypted and not authorised by the mesh.',
    advice:
      'Check that the pod has a sidecar, that the port is not excluded from redirection, and that mutual TLS is ' +
      'strict where it should be.',
    needs: {
      tag: 'proxy',
      without:
        'No end is known to be a proxy, so this is all traffic: there is no mesh, or containers have no names here.',
    },
    set: () => ({
      filter: ['client.kind=internal', lacks('client', 'proxy'), ...HOP_TERMS].join(' '),
      clients: list('namespace', 'name'),
      servers: list('name', 'port'),
    }),
  },
  {
    id: 'retransmits',
    label: 'Top retransmits',
    what: 'The edges with the most retransmitted segments.',
    advice:
      'If a few edges of one node have them, look at its link and its limits. If one edge has them everywhere, look at ' +
      'its receiver. If all edges across zones have them, look at the network between. Compare the round trips.',
    set: () => ({
      view: 'table',
      sort: '-retransmits',
      colour: 'retransmits',
      width: 'retransmits',
      size: 'retransmits',
      problems: true,
    }),
  },
  {
    id: 'churn',
    label: 'Highest churn',
    what: 'The edges with the most connection attempts.',
    advice:
      'Each connection costs CPU, a port and an entry in conntrack. Beside the attempts is what the containers of both ' +
      'ends use, where their CPU and memory reach the map. Keep connections alive: HTTP keep-alive, a pool, longer idle ' +
      'limits at the end that closes first, or maxConnections in Istio.',
    set: () => ({ view: 'table', sort: '-attempts', colour: 'churn', width: 'attempts', size: 'attempts' }),
  },
  {
    id: 'dns',
    label: 'DNS',
    what: 'Who looks up names at which server, the servers that fail most first. NXDOMAIN is no failure.',
    advice:
      'If one server fails or is slow for all, look at it and at what it forwards to. If one client has it, look at its ' +
      'network and its limits. Many NXDOMAIN come from search lists: end names with a dot, or lower ndots. What no ' +
      'server answered and what each client waited for, the receiver knows with dns: all.',
    set: () => ({
      view: 'table',
      only: 'lookups',
      sort: '-lookup_failures',
      colour: 'lookups',
      width: 'lookups',
      size: 'lookups',
      loops: true,
    }),
  },
  {
    id: 'alerts',
    label: 'Alerts',
    what: 'Edges with an alert about one of their ends. A ring marks the ends: solid if one is firing, dashed if all are pending.',
    advice:
      'Open a node that has alerts, and follow the links of its alerts. Compare the edges to it: failures that begin ' +
      'with the alert are its effect, or its cause.',
    alerts: true,
    set: () => ({ only: 'alerts', colour: 'alerts' }),
  },
  {
    id: 'new',
    label: 'New edges',
    what: 'Edges that were first seen in the last 15 minutes.',
    advice:
      'After a deployment they are what it added. Otherwise find out which program connects, and whether a network ' +
      'policy should allow it.',
    set: () => ({ only: 'new', sort: '-volume' }),
  },
  {
    id: 'canary',
    label: 'Canary',
    what: 'The image tags of each service, side by side.',
    advice:
      'Compare failures, breaks and round trips of the two tags, and the share of traffic of each; then go on, or ' +
      'roll back.',
    set: (known) => {
      const of = (['service', 'workload'] as const).find(known) ?? 'name'
      return {
        by: list('image.tag'),
        group: of,
        clients: list('name'),
        servers: list(of, 'image.tag'),
        filter: [has('server', 'image.tag'), lacks('server', 'proxy')].join(' '),
      }
    },
  },
]

/** What a preset may need from the configuration. */
export type Configured = Pick<Status, 'alerts' | 'costs'>

const knows = (tags: Tag[]) => (tag: string) => tags.some((t) => t.tag === tag && t.values > 0)

const NO_SOURCE = 'No source of alerts is configured: set alerts.endpoint of the extension netmap.'

const NO_PRICES = 'No prices are configured: set costs of the extension netmap.'

/** The reason why the preset cannot work, or ''. Empty also while the tags and the status are not known yet. */
export function lack(id: string, tags: Tag[], status?: Configured | null): string {
  const { needs, alerts, costs } = presets.find((p) => p.id === id) ?? {}
  if (alerts && status?.alerts.state === 'off') return NO_SOURCE
  if (costs && status && !status.costs) return NO_PRICES
  return needs && tags.length > 0 && !knows(tags)(needs.tag) ? needs.without : ''
}

/** The changes that a preset makes. It resets the fields that another preset may have set. */
export function choose(preset: Preset, tags: Tag[]): Partial<State> {
  const { view: _, window: __, theme: ___, end: ____, ...reset } = defaults
  return { ...reset, ...preset.set(knows(tags)), preset: preset.id }
}
