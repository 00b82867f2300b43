package feedtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Crowd is a cluster with reports of the clients alone: that many workloads with a pod each, and edges between
// them. It is what limits and costs are measured with.
type Crowd struct {
	Workloads, Edges int
	Start            time.Time
}

// Metrics returns those of the first collection.
func (c *Crowd) Metrics(at time.Time) pmetric.Metrics { return Metrics(Cumulative, c.flows(at)...) }

// Grow makes of the metrics of collection n, from 1, those of the next one: everything has changed as much as in the
// first.
func Grow(m pmetric.Metrics, n int64, at time.Time) {
	more := func(v int64) int64 { return v / n * (n + 1) }
	now := pcommon.NewTimestampFromTime(at)
	for _, rm := range m.ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			if metric.Type() == pmetric.MetricTypeHistogram {
				for _, p := range metric.Histogram().DataPoints().All() {
					p.SetTimestamp(now)
					p.SetCount(uint64(more(int64(p.Count()))))
					p.SetSum(p.Sum() / float64(n) * float64(n+1))
					for i, c := range p.BucketCounts().All() {
						p.BucketCounts().SetAt(i, uint64(more(int64(c))))
					}
				}
				continue
			}
			for _, p := range metric.Sum().DataPoints().All() {
				p.SetTimestamp(now)
				if metric.Sum().IsMonotonic() {
					p.SetIntValue(more(p.IntValue()))
				}
			}
		}
	}
}

// flows returns all of its flows after the first collection.
func (c *Crowd) flows(at time.Time) []Flow {
	flows := make([]Flow, 0, c.Edges)
	perWorkload := (c.Edges + c.Workloads - 1) / c.Workloads
	for w := range c.Workloads {
		r := c.resource(w)
		for j := 0; j < perWorkload && len(flows) < c.Edges; j++ {
			flows = append(flows, c.flow(r, w, j, at))
		}
	}
	return flows
}

func (c *Crowd) resource(w int) Attributes {
	name := fmt.Sprintf("workload-%04d", w)
	return Attributes{
		"container.id":            fmt.Sprintf("%064x", w),
		"container.image.name":    "registry.example/shop/" + name,
		"container.image.tags":    []string{fmt.Sprintf("v1.%d.%d", w%7, w%13)},
		"host.id":                 fmt.Sprintf("%032x", w%50),
		"host.name":               fmt.Sprintf("node-%02d", w%50),
		"k8s.container.name":      "app",
		"k8s.deployment.name":     name,
		"k8s.namespace.name":      fmt.Sprintf("namespace-%02d", w%20),
		"k8s.node.name":           fmt.Sprintf("node-%02d", w%50),
		"k8s.pod.name":            fmt.Sprintf("%s-%08x-%05x", name, w*2654435761, w*40503),
		"k8s.pod.uid":             fmt.Sprintf("%08x-0000-4000-8000-%012x", w, w),
		"process.executable.name": "server",
		"service.name":            name,
		"cloud.region":            "region",
	}
}

func (c *Crowd) flow(r Attributes, w, j int, at time.Time) Flow {
	peer := (w + 1 + j*(j+7)) % c.Workloads
	dice := rand.New(rand.NewPCG(uint64(w), uint64(j))) // the same flow each time, and no two alike
	return Flow{
		Resource: r,
		Point: Attributes{
			"netconn.role":                      "client",
			"network.transport":                 "tcp",
			"server.port":                       8000 + j,
			"netconn.nat":                       "dnat",
			"netconn.original_destination.name": fmt.Sprintf("service-%04d", peer),
			"netconn.original_destination.port": 80,
			"netconn.peer.type":                 "pod",
			"netconn.peer.scope":                "remote",
			"netconn.peer.name":                 fmt.Sprintf("workload-%04d", peer),
			"netconn.peer.k8s.namespace.name":   fmt.Sprintf("namespace-%02d", peer%20),
			"netconn.peer.k8s.workload.name":    fmt.Sprintf("workload-%04d", peer),
			"netconn.peer.k8s.workload.kind":    "Deployment",
			"netconn.peer.container.name":       "app",
			"netconn.peer.container.image.tag":  fmt.Sprintf("v1.%d.%d", peer%7, peer%13),
			"service.peer.name":                 fmt.Sprintf("workload-%04d", peer),
		},
		Start: c.Start, At: at,
		Tx: dice.Int64N(1 << 22), Rx: dice.Int64N(1 << 26), Retransmits: dice.Int64N(100),
		Attempts: map[string]int64{"": dice.Int64N(300), "refused": dice.Int64N(2)},
		Closed:   map[string]int64{"": dice.Int64N(300)},
		Active:   dice.Int64N(50),
		RTTs:     []float64{dice.Float64() / 100}, Shakes: []float64{dice.Float64() / 100},
	}
}
