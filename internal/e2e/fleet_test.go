//go:build linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	podsPerNode      = 30
	podsPerWorkload  = 50 // on average; few workloads have most pods
	callsPerWorkload = 7
	activity         = 0.5 // the part of a pod's edges that has traffic in a collection
	podChurn         = 0.001
	fleetInterval    = 10 * time.Second // of collections
)

// A fleet is a cluster, of which the agents of some nodes report. It has no clock: each round is one collection.
type fleet struct {
	dice      *rand.Rand
	workloads []fleetWorkload
	edges     []fleetEdge
	agents    int // nodes whose agents report; pods of the other nodes are silent
	started   int // pods
}

type fleetWorkload struct {
	name, namespace string
	pods            []fleetPod
}

type fleetPod struct {
	name string
	node int
}

// A fleetEdge is between workloads, by their index.
type fleetEdge struct{ client, server, port int }

// newFleet makes a cluster. Popularity of servers and sizes of workloads follow Zipf's law.
func newFleet(nodes, agents int) *fleet {
	f := &fleet{dice: rand.New(rand.NewPCG(1, 2)), agents: agents}
	n := max(4, nodes*podsPerNode/podsPerWorkload)
	for i := range n {
		f.workloads = append(f.workloads, fleetWorkload{name: fmt.Sprintf("workload-%d", i), namespace: fmt.Sprintf("team-%d", i%max(1, n/40))})
	}
	size, popularity := rand.NewZipf(f.dice, 1.3, 4, uint64(n-1)), rand.NewZipf(f.dice, 1.1, 8, uint64(n-1))
	for pod := range nodes * podsPerNode {
		w := &f.workloads[pod%n] // one at least
		if pod >= n {
			w = &f.workloads[(int(size.Uint64())*7919)%n]
		}
		w.pods = append(w.pods, f.start(w, f.dice.IntN(nodes)))
	}
	known := make(map[fleetEdge]bool)
	for client := range n {
		for range callsPerWorkload {
			e := fleetEdge{client, int(popularity.Uint64()), 8080}
			if e.server != client && !known[e] {
				known[e] = true
				f.edges = append(f.edges, e)
			}
		}
	}
	return f
}

func (f *fleet) start(w *fleetWorkload, node int) fleetPod {
	f.started++
	return fleetPod{fmt.Sprintf("%s-%x", w.name, f.started), node}
}

// An endKey is the end of an edge at a pod.
type endKey struct {
	edge     int
	byServer bool
	pod      string
}

// A fleetFlow is what one end has counted in a round.
type fleetFlow struct {
	node                    int
	sent, received          int64 // by this end
	opened, closed, resends int64
}

// round replaces some pods, and returns what the ends have counted by pod. Each connection has two ends.
func (f *fleet) round() map[endKey]*fleetFlow {
	for i := range f.workloads {
		w := &f.workloads[i]
		for j := range w.pods {
			if f.dice.Float64() < podChurn {
				w.pods[j] = f.start(w, w.pods[j].node)
			}
		}
	}
	flows := make(map[endKey]*fleetFlow)
	of := func(edge int, byServer bool, pod fleetPod) *fleetFlow {
		k := endKey{edge, byServer, pod.name}
		if flows[k] == nil {
			flows[k] = &fleetFlow{node: pod.node}
		}
		return flows[k]
	}
	for i, e := range f.edges {
		servers := f.workloads[e.server].pods
		for _, pod := range f.workloads[e.client].pods {
			to := servers[f.dice.IntN(len(servers))]
			if f.dice.Float64() >= activity || pod.node >= f.agents && to.node >= f.agents {
				continue
			}
			request, response, resends := f.dice.Int64N(1e5), f.dice.Int64N(1e7), max(0, f.dice.Int64N(20)-17)
			client, server := of(i, false, pod), of(i, true, to)
			client.count(request, response, resends)
			server.count(response, request, 0)
		}
	}
	return flows
}

func (l *fleetFlow) count(sent, received, resends int64) {
	l.sent, l.received, l.resends = l.sent+sent, l.received+received, l.resends+resends
	l.opened++
	l.closed++
}

// A shipment is the metrics of one agent for the gateway of one shard.
type shipment struct {
	node, shard int
}

// metrics returns what the agents send, as increments: a resource for each container.
func (f *fleet) metrics(flows map[endKey]*fleetFlow, at time.Time, shard func(service string) int) map[shipment]pmetric.Metrics {
	all := make(map[shipment]pmetric.Metrics)
	writers := make(map[string]*fleetWriter)
	for k, l := range flows {
		if l.node >= f.agents {
			continue
		}
		e := f.edges[k.edge]
		own, peer, role := e.client, e.server, "client"
		if k.byServer {
			own, peer, role = e.server, e.client, "server"
		}
		w := writers[k.pod]
		if w == nil {
			r := shipment{l.node, shard(f.workloads[own].name)}
			if _, there := all[r]; !there {
				all[r] = pmetric.NewMetrics()
			}
			w = newFleetWriter(all[r], &f.workloads[own], k.pod, l.node, at)
			writers[k.pod] = w
		}
		w.write(l, &f.workloads[peer], role, e.port)
	}
	return all
}

// A fleetWriter writes the metrics of one container.
type fleetWriter struct {
	start, at                                 pcommon.Timestamp
	io, attempts, closed, retransmits, active pmetric.NumberDataPointSlice
	rtt                                       pmetric.HistogramDataPointSlice
}

func newFleetWriter(to pmetric.Metrics, w *fleetWorkload, pod string, node int, at time.Time) *fleetWriter {
	rm := to.ResourceMetrics().AppendEmpty()
	for key, value := range map[string]string{
		"container.id": fmt.Sprintf("%064x", pod), "k8s.pod.uid": "uid-" + pod, "k8s.pod.name": pod, "k8s.namespace.name": w.namespace,
		"k8s.deployment.name": w.name, "k8s.container.name": "app", "container.image.name": "registry.example.com/" + w.name,
		"container.image.tag": "v1", "service.name": w.name, "service.namespace": w.namespace, "service.instance.id": pod + ".app",
		"k8s.node.name": fmt.Sprintf("node-%d", node), "host.id": fmt.Sprintf("host-%d", node), "host.name": fmt.Sprintf("node-%d", node),
		"cloud.availability_zone": fmt.Sprintf("eu-west-1%c", 'a'+rune(node%3)), "cloud.region": "eu-west-1",
	} {
		rm.Resource().Attributes().PutStr(key, value)
	}
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(netconnScope)
	sum := func(name string, monotonic bool) pmetric.NumberDataPointSlice {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		s := m.SetEmptySum()
		s.SetIsMonotonic(monotonic)
		s.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		if !monotonic {
			s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		}
		return s.DataPoints()
	}
	one := &fleetWriter{
		start: pcommon.NewTimestampFromTime(at.Add(-fleetInterval)), at: pcommon.NewTimestampFromTime(at),
		io: sum("netconn.io", true), attempts: sum("netconn.attempts", true), closed: sum("netconn.closed", true),
		retransmits: sum("netconn.tcp.retransmits", true), active: sum("netconn.active", false),
	}
	m := sm.Metrics().AppendEmpty()
	m.SetName("netconn.tcp.rtt")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	one.rtt = m.Histogram().DataPoints()
	return one
}

func (w *fleetWriter) write(l *fleetFlow, peer *fleetWorkload, role string, port int) {
	common := pcommon.NewMap()
	for key, value := range map[string]string{
		"netconn.role": role, "network.transport": "tcp", "netconn.peer.type": "pod", "netconn.peer.scope": "remote", "netconn.nat": "dnat",
		"netconn.peer.name": peer.name, "netconn.peer.k8s.namespace.name": peer.namespace, "netconn.peer.container.name": "app",
		"netconn.peer.container.image.tag": "v1", "service.peer.name": peer.name, "netconn.original_destination.name": peer.name,
	} {
		common.PutStr(key, value)
	}
	common.PutInt("server.port", int64(port))
	point := func(to pmetric.NumberDataPointSlice, value int64) pcommon.Map {
		p := to.AppendEmpty()
		common.CopyTo(p.Attributes())
		p.SetStartTimestamp(w.start)
		p.SetTimestamp(w.at)
		p.SetIntValue(value)
		return p.Attributes()
	}
	point(w.io, l.sent).PutStr("network.io.direction", "transmit")
	point(w.io, l.received).PutStr("network.io.direction", "receive")
	point(w.attempts, l.opened)
	point(w.closed, l.closed)
	point(w.active, 2)
	if l.resends > 0 {
		point(w.retransmits, l.resends)
	}
	p := w.rtt.AppendEmpty()
	common.CopyTo(p.Attributes())
	p.SetStartTimestamp(w.start)
	p.SetTimestamp(w.at)
	p.SetCount(uint64(l.closed))
	p.SetSum(0.0005 * float64(l.closed))
	p.ExplicitBounds().FromRaw([]float64{0.0003, 0.001, 0.003})
	p.BucketCounts().FromRaw([]uint64{0, uint64(l.closed), 0, 0})
}
