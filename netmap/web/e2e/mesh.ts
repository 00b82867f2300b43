import type { Attributes, Report } from './otlp.ts'

/** A container of a pod. */
export interface Container {
  service: string
  workload: string
  container: string
  tag: string
  pod: string
  host: string
  proxy?: string
}

const pod = (service: string, host: string, workload = service, tag = '1.20.3') => ({
  app: { service, workload, container: service, tag, host, pod: `${workload}-${tag}` } as Container,
  sidecar: {
    service,
    workload,
    container: 'istio-proxy',
    tag: '1.27.0',
    host,
    pod: `${workload}-${tag}`,
    proxy: 'sidecar',
  } as Container,
})

const gateway: Container = {
  service: 'gateway',
  workload: 'gateway',
  container: 'istio-proxy',
  tag: '1.27.0',
  host: 'n1',
  pod: 'gateway-1',
  proxy: 'gateway',
}
const productpage = pod('productpage', 'n1')
const details = pod('details', 'n1')
const reviews = { v1: pod('reviews', 'n2', 'reviews', 'v1'), v2: pod('reviews', 'n2', 'reviews', 'v2') }
const ratings = pod('ratings', 'n2')

export function self(c: Container): Attributes {
  const zone = c.host === 'n1' ? 'eu-1a' : 'eu-1b'
  return {
    'host.id': `id-${c.host}`,
    'host.name': c.host,
    'k8s.node.name': c.host,
    'cloud.availability_zone': zone,
    'cloud.region': 'eu-1',
    'k8s.namespace.name': 'bookinfo',
    'k8s.deployment.name': c.workload,
    'k8s.pod.name': c.pod,
    'k8s.pod.uid': `uid-${c.pod}`,
    'k8s.container.name': c.container,
    'container.id': `id-${c.pod}-${c.container}`,
    'container.image.tag': c.tag,
    'service.name': c.service,
    'service.namespace': 'bookinfo',
  }
}

export function peer(c: Container, zone = true): Attributes {
  return {
    'netconn.peer.type': 'pod',
    'netconn.peer.name': c.workload,
    'netconn.peer.container.name': c.container,
    'netconn.peer.container.image.tag': c.tag,
    'netconn.peer.k8s.namespace.name': 'bookinfo',
    'netconn.peer.k8s.workload.name': c.workload,
    'netconn.peer.k8s.workload.kind': 'Deployment',
    'service.peer.name': c.service,
    'service.peer.namespace': 'bookinfo',
    ...(zone && { 'netconn.peer.zone': c.host === 'n1' ? 'eu-1a' : 'eu-1b', 'netconn.peer.region': 'eu-1' }),
    ...(c.proxy && { 'netconn.peer.proxy': c.proxy }),
  }
}

export const link = (role: 'client' | 'server', scope: string, port = 9080, more: Attributes = {}): Attributes => ({
  'netconn.role': role,
  'network.transport': 'tcp',
  'server.port': port,
  'netconn.peer.scope': scope,
  'netconn.nat': 'none',
  ...more,
})

type Carried = Omit<Report, 'local' | 'peer'>

/** The reports of both ends of one edge. */
function both(client: Container, server: Container, carried: Carried, more: Attributes = {}): Report[] {
  const scope = client.pod === server.pod ? 'pod' : client.host === server.host ? 'node' : 'remote'
  const { tx, rx, attempts, closed, active } = carried
  return [
    { ...carried, local: self(client), peer: { ...peer(server), ...link('client', scope, 9080, more) } },
    {
      tx: rx,
      rx: tx,
      attempts,
      closed,
      active,
      local: self(server),
      peer: { ...peer(client), ...link('server', scope, 9080, more) },
    },
  ]
}

/** A call through the mesh: application to its sidecar, sidecar to sidecar, sidecar to application. */
function call(from: ReturnType<typeof pod>, to: ReturnType<typeof pod>, carried: Carried): Report[] {
  const asked = {
    'netconn.nat': 'redirect',
    'netconn.original_destination.name': to.app.service,
    'netconn.original_destination.port': 9080,
  }
  const { tx, rx } = carried
  const calm: Carried = { tx, rx, attempts: carried.attempts, closed: 2, active: 1, rtt: 0.00004 }
  return [
    ...both(from.app, from.sidecar, calm, asked),
    ...both(from.sidecar, to.sidecar, carried),
    ...both(to.sidecar, to.app, calm),
  ]
}

const outside = (role: 'client' | 'server', port: number, type: string): Attributes => ({
  'netconn.peer.type': type,
  ...link(role, 'remote', port),
})

/** One collection of the mesh. The tests compute what they expect from it. */
export const mesh: Report[] = [
  {
    local: self(gateway),
    peer: outside('server', 443, 'public'),
    tx: 44_000_000,
    rx: 2_000_000,
    attempts: 812,
    active: 44,
    closed: 800,
    rtt: 0.031,
  },
  ...both(gateway, productpage.sidecar, {
    tx: 2_000_000,
    rx: 43_000_000,
    attempts: 90,
    active: 30,
    closed: 60,
    rtt: 0.0004,
  }),
  ...both(productpage.sidecar, productpage.app, {
    tx: 2_000_000,
    rx: 43_000_000,
    attempts: 90,
    active: 30,
    rtt: 0.00004,
  }),
  ...call(productpage, details, { tx: 400_000, rx: 2_100_000, attempts: 20, active: 2, closed: 18, rtt: 0.0004 }),
  ...call(productpage, reviews.v1, { tx: 700_000, rx: 8_100_000, attempts: 18, active: 2, closed: 16, rtt: 0.0005 }),
  ...call(productpage, reviews.v2, {
    tx: 100_000,
    rx: 1_000_000,
    attempts: 10,
    failures: { reset: 4 },
    active: 1,
    closed: 9,
    breaks: { reset: 3 },
    rtt: 0.004,
  }),
  ...call(reviews.v1, ratings, {
    tx: 300_000,
    rx: 1_100_000,
    attempts: 60,
    failures: { refused: 5, timed_out: 2 },
    active: 2,
    closed: 50,
    retransmits: 41,
    rtt: 0.0021,
  }),
  {
    local: self(productpage.sidecar),
    peer: outside('client', 8125, 'private'),
    tx: 80_000,
    rx: 100,
    attempts: 1,
    active: 1,
    rtt: 0.002,
  },
]

/** A client that appears later. Its name is a script. */
export const EVIL = '<script>document.title="owned"</script><img src=x onerror=alert(1)>'
export const intruder: Report[] = [
  {
    local: {
      ...self({ service: EVIL, workload: EVIL, container: EVIL, tag: EVIL, pod: EVIL, host: 'n1' }),
      'k8s.namespace.name': EVIL,
    },
    peer: { ...peer(ratings.app), ...link('client', 'remote') },
    tx: 5000,
    rx: 90_000,
    attempts: 3,
    active: 1,
    rtt: 0.001,
  },
]

/**
 * The totals at workload level. The hops between an application and its own sidecar are not traffic of the workload.
 */
export function expected(reports: Report[]): { tx: number; rx: number; attempts: number; failures: number } {
  const total = { tx: 0, rx: 0, attempts: 0, failures: 0 }
  for (const r of reports) {
    const external = r.peer['netconn.peer.type'] === 'public'
    if ((r.peer['netconn.role'] === 'server' && !external) || r.peer['netconn.peer.scope'] === 'pod') continue
    const failures = Object.values(r.failures ?? {}).reduce((a, b) => a + b, 0)
    total.tx += external ? r.rx : r.tx
    total.rx += external ? r.tx : r.rx
    total.attempts += (r.attempts ?? 0) + failures
    total.failures += failures
  }
  return total
}
