/** What the API knows beside the figures of edges (GET /api/v1/signals), as far as the page reads it. */
export interface Signals {
  from: number
  to: number
  step: number
  t: number[]
  /** How much was ever received of each signal. */
  received: { points: number; spans: number; logs: number; events: number }
  client: Side | null
  server: Side | null
  deployments: Deployment[]
}

export type Values = (number | null)[]

/** The clients or the servers of the edges. */
export interface Side {
  ends: number
  sources: number
  resources: Usage[]
  served: Calls
  made: Calls
  /** Records by severity, step by step. */
  logs: Record<string, number[]>
  log_records: number
  errors: Line[]
  events: Event[]
}

/** A container or a process. */
export interface Usage {
  name: string
  pod: string
  cpu: Values
  memory: Values
  cpu_limit: number | null
  cpu_request: number | null
  memory_limit: number | null
  memory_request: number | null
  restarts: number | null
}

/** Spans of one direction. */
export interface Calls {
  n: number
  errors: number
  sampled: number
  estimated: number
  p50: number | null
  p95: number | null
  max: number | null
  n_by: number[]
  errors_by: number[]
  mean_by: Values
  max_by: Values
  slowest: Span[]
  failed: Span[]
}

export interface Span {
  name: string
  service: string
  pod: string
  kind: string
  at: number
  duration: number
  failed: boolean
  sampled: boolean
  code: string
  message: string
  trace_id: string
  span_id: string
  peer: string
  connection: Event | null
}

export interface Line {
  at: number
  severity: string
  name: string
  pod: string
  body: string
  trace_id: string
  span_id: string
}

/** What netconn reported of one connection. */
export interface Event {
  at: number
  name: string
  body: string
  warn: boolean
  local: string
  peer: string
  duration: number | null
  rtt: number | null
  transmit: number
  receive: number
  retransmits: number
  error: string
}

export interface Deployment {
  at: number
  name: string
  image_tag: string
  before: string
  side: 'client' | 'server'
}
