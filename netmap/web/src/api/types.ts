/** The answers of the API, version 1 (docs/netmap-api.md), as far as the page reads them. */

export interface Status {
  now: number
  started: number
  state: 'ok' | 'empty' | 'stale' | 'away'
  reason: string
  /** How far back figures reach, by the length of the steps, in seconds. */
  steps: { seconds: number; held: number }[]
  learning_until: number
  hosts: { total: number; stale: number; age: number | null }
  /** A page of the hosts that report, the stale ones first. */
  reporters: Reporter[]
  store: {
    edges: number
    max_edges: number
    ends: number
    streams: number
    max_streams: number
    bytes: number
    max_bytes: number
    folded: number
    expired: number
  }
  unresolved: { bytes: number; total: number; share: number; seconds: number }
  dropped: Record<string, number>
  links: Link[]
  alerts: AlertSource
  /** The store of longer windows. Null: there is none. */
  history: { state: 'starting' | 'ok' | 'empty' | 'slow' | 'away'; reason: string; at: number } | null
  thresholds: Thresholds
  /** Null: no prices are configured. */
  costs: { currency: string } | null
  limits: { nodes: number; edges: number; rows: number }
}

export interface Reporter {
  host: string
  host_id: string
  node: string
  last: number
  age: number
  interval: number
  state: 'ok' | 'stale'
  points: number
  edges: number
}

export interface Link {
  name: string
  kind: string
  url: string
  needs: string[]
}

/** The source of alerts, and how many it has. */
export interface AlertSource {
  state: 'off' | 'starting' | 'ok' | 'unreachable'
  kind: string
  reason: string
  at: number
  firing: number
  pending: number
  left_out: number
}

export interface AlertList extends AlertSource {
  alerts?: Alert[]
}

export interface Alert {
  id: string
  name: string
  state: 'pending' | 'firing'
  severity: string
  summary: string
  /** Unix seconds; 0: unknown. */
  since: number
  labels: Record<string, string>
  links: { name: string; url: string }[]
  about: { tag: string; value: string }
}

/** Where a warning begins, and where it is bad. Shares of 1, segments per megabyte, seconds, attempts a second. */
export type Thresholds = Record<'failures' | 'breaks' | 'retransmits' | 'rtt' | 'churn', { warn: number; bad: number }>

export interface Tag {
  tag: string
  attribute: string
  of: 'end' | 'edge'
  ends: number
  values: number
}

export interface TagValues {
  values: { value: string; edges: number; volume: number }[]
  more: boolean
}

/** Columns of figures, with an entry for each edge, row or step. */
export interface Figures {
  tx: number[]
  rx: number[]
  retransmits: number[]
  rtt: (number | null)[]
  attempts: number[]
  failures: number[]
  closed: number[]
  breaks: number[]
  lookups: number[]
  lookup_failures: number[]
  lookup_time: (number | null)[]
}

export interface Totals {
  edges: number
  tx: number
  rx: number
  retransmits: number
  attempts: number
  failures: number
  closed: number
  breaks: number
  active: number
  lookups: number
  lookup_failures: number
}

/** By error.type or response code: pairs of the index of an edge or row, and a count. */
export type Kinds = Record<string, [number, number][]>

export interface Answer {
  from: number
  to: number
  seconds: number
  generation: number
  /** Where the figures are from. The ends of a store are workloads. */
  source: 'memory' | 'store'
  /** Absent: nothing is missing. */
  partial?: { missing: string[]; reason: string }
  totals: Totals
  unattributed: { retransmits: number }
}

export interface Graph extends Answer {
  by: string
  group?: string
  groups: string[]
  nodes: {
    name: string[]
    label: string[]
    tag: string[]
    group: number[]
    kind: number[]
    ends: number[]
    firing: number[]
    pending: number[]
  }
  kinds: Kind[]
  edges: Figures & { client: number[]; server: number[]; flags: number[]; count: number[]; active: number[] }
  failures: Kinds
  breaks: Kinds
  shown: { edges: number; tx: number; rx: number }
  folded: { loops: { edges: number; tx: number; rx: number }; nodes: number; edges: number }
}

export const KINDS = ['internal', 'external', 'unresolved', 'other'] as const

export type Kind = (typeof KINDS)[number]

/** Bits of an edge's flags. */
export const flags = {
  isNew: 1,
  undirected: 2,
  serverOnly: 4,
  zones: 8,
  regions: 16,
  unresolved: 32,
  alerts: 64,
  lookups: 128,
  through: 256,
  clientFiring: 512,
  clientPending: 1024,
  serverFiring: 2048,
  serverPending: 4096,
}

export interface Flows extends Answer, Figures {
  clients: string[]
  servers: string[]
  rows: number
  offset: number
  kinds: Kind[]
  client: string[][]
  server: string[][]
  client_kind: number[]
  server_kind: number[]
  client_name: string[]
  server_name: string[]
  flags: number[]
  count: number[]
  rtt_max: (number | null)[]
  handshake: (number | null)[]
  active: number[]
  first: number[]
  last: number[]
  failures_by: Kinds
  breaks_by: Kinds
  /** By response code, also NXDOMAIN; `timed_out` without a response. */
  lookups_by: Kinds
  /** The cost of the window, where a price is known. Absent: no prices are configured. */
  cost?: (number | null)[]
  total_cost?: number | null
  spark?: { metric: string; step: number; values: (number | null)[][] }
  /** What the containers of each row use; null where nothing is known. Absent: it was not asked for. */
  client_load?: (Load | null)[]
  server_load?: (Load | null)[]
  folded: { loops: { edges: number; tx: number; rx: number } }
}

/** CPUs and bytes in use, and the share of its limit that the container nearest to its limit uses. */
export interface Load {
  resources: number
  cpu: number | null
  cpu_share: number | null
  memory: number | null
  memory_share: number | null
}

export interface Series extends Figures {
  from: number
  to: number
  step: number
  t: number[]
  rtt_max: (number | null)[]
  handshake: (number | null)[]
  active: (number | null)[]
  failures_by: Record<string, number[]>
  breaks_by: Record<string, number[]>
  totals: Totals
  count: number
  edges: Edge[]
  /** Those about an end of one of the edges. */
  alerts: (Alert & { client: boolean; server: boolean })[]
}

export interface Edge extends Totals {
  client: Record<string, string>
  server: Record<string, string>
  client_kind: Kind
  server_kind: Kind
  edge: Record<string, string>
  reported_by: string[]
  flags: number
  first: number
  last: number
  rtt: number | null
  rtt_max: number | null
  handshake: number | null
  lookup_time: number | null
  failures_by: Record<string, number>
  breaks_by: Record<string, number>
  lookups_by: Record<string, number>
}
