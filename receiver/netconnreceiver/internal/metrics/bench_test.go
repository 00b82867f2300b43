package metrics

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// manyFlows returns n flows of a node with 100 containers: what a collection has of a busy machine, each flow with a
// pod as its peer. All of their series were shown before.
func manyFlows(n int) []flow.Resource {
	const owners = 100
	all := make([]flow.Resource, owners)
	bounds := flow.DefaultBounds()
	for i := range all {
		all[i].Owner = conn.Owner{ContainerID: fmt.Sprintf("%064x", i), PodUID: fmt.Sprintf("%036x", i), Executable: "app"}
	}
	for i := range n {
		r := &all[i%owners]
		f := &flow.Flow{Start: time.Unix(1000, 0), Connections: true, Active: 3}
		f.Key = flow.Key{
			Owner: r.Owner, Role: conn.RoleClient, ServerPort: uint16(1000 + i/owners), NAT: conn.NATDestination,
			Peer: conn.Peer{
				names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "database",
				names.PeerNamespace: "shop", names.PeerWorkload: "database", names.PeerWorkloadKind: "StatefulSet",
				names.PeerService: "database", names.PeerServiceNamespace: "shop",
			},
			Original: flow.Original{Name: "database.shop", Port: 5432},
		}
		f.Counts = conn.Counts{conn.Sent: 1e6, conn.Received: 2e6, conn.SegmentsSent: 1000, conn.SegmentsReceived: 1000}
		f.Outcomes[flow.Attempts][conn.NoError], f.Outcomes[flow.Ends][conn.NoError] = 10, 7
		for m := range flow.Handshake + 1 {
			f.Histograms[m] = flow.Histogram{Counts: make([]uint64, len(bounds[m])+1), Count: 10, Sum: 1, Min: 0.1, Max: 0.1}
		}
		f.Shown = f.Parts()
		r.Flows = append(r.Flows, f)
	}
	return all
}

// The cost of the points of 20,000 flows, in cumulative sums and in deltas.
func BenchmarkPoints(b *testing.B) {
	const n = 20_000
	for name, delta := range map[string]bool{"cumulative": false, "delta": true} {
		b.Run(name, func(b *testing.B) {
			flows, o := manyFlows(n), newWriter(DefaultConfig().Metrics).options
			o.Delta = delta
			w := New(o)
			now := time.Unix(2000, 0)
			write := func() (md pmetric.Metrics) {
				for _, r := range flows {
					for _, f := range r.Flows {
						f.Counts[conn.Sent]++
						f.Counts[conn.Received]++
						f.Outcomes[flow.Attempts][conn.NoError]++
						f.Outcomes[flow.Ends][conn.NoError]++
						for m := range flow.Handshake + 1 {
							f.Histograms[m].Counts[0]++
							f.Histograms[m].Count++
						}
					}
				}
				now = now.Add(10 * time.Second)
				md = w.Write(flows, now)
				w.Accept()
				return md
			}
			write()
			points := float64(write().DataPointCount() * b.N)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b.ResetTimer()
			for range b.N {
				write()
			}
			b.StopTimer()
			runtime.ReadMemStats(&after)
			b.ReportMetric(points/float64(b.N)/n, "points/flow")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/points, "allocs/point")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/points, "B/point")
		})
	}
}
