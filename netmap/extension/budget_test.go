package netmapextension

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/netmap/internal/feed"
)

// The budgets of the API: see docs/performance.md.
const (
	largestGraph = 100_000 // bytes, compressed
	storedEdges  = 20_000
)

// crowd gives the map that many edges, by a collection of now and one ten seconds before.
func (s *served) crowd(workloads, edges int) {
	now := time.Now()
	c := feed.Crowd{Workloads: workloads, Edges: edges, Start: time.Unix(0, s.store.Opened())}
	m := c.Metrics(now.Add(-10 * time.Second))
	_ = s.ConsumeMetrics(s.t.Context(), m)
	feed.Grow(m, 1, now)
	_ = s.ConsumeMetrics(s.t.Context(), m)
}

// The largest graph that can be asked for: every limit reached, and every figure another one.
func TestTheLargestGraphIsSmallEnough(t *testing.T) {
	s := serve(t)
	s.crowd(1000, 5000)
	r := s.get("/api/v1/graph?by=workload&group=namespace", "Accept-Encoding", "gzip")
	plain := unpack(t, strings.NewReader(r.body))
	if r.status != http.StatusOK || strings.Count(plain, `"workload-`) != 1000 {
		t.Fatalf("%d, %d nodes", r.status, strings.Count(plain, `"workload-`))
	}
	t.Logf("%d bytes, %d compressed", len(plain), len(r.body))
	if len(r.body) > largestGraph {
		t.Errorf("%d bytes compressed, want at most %d", len(r.body), largestGraph)
	}
}

// BenchmarkRequests answers the requests of the page from a full store. Each finds the store changed, so nothing is remembered.
func BenchmarkRequests(b *testing.B) {
	s := serve(b)
	s.crowd(1000, storedEdges)
	for name, target := range map[string]string{
		"graph":          "/api/v1/graph?by=workload&group=namespace&nodes=150&edges=500",
		"graph-largest":  "/api/v1/graph?by=workload&group=namespace",
		"graph-filtered": "/api/v1/graph?by=workload&filter=client.namespace%3Dnamespace-0*+!*workload-00*+nat%3Ddnat",
		"graph-hour":     "/api/v1/graph?by=namespace&window=3600",
		"flows":          "/api/v1/flows?clients=namespace,workload&servers=namespace,workload,port",
		"series":         "/api/v1/series?filter=client.workload%3D%22workload-0001%22",
		"values":         "/api/v1/tags/workload/values?search=77",
		"status":         "/api/v1/status",
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			change := curl()
			for i := range b.N {
				b.StopTimer()
				change.Tx = int64(i)
				s.give(change)
				b.StartTimer()
				before := time.Now()
				if r := s.get(target, "Accept-Encoding", "gzip"); r.status != http.StatusOK {
					b.Fatal(r.status, r.body)
				}
				took = append(took, time.Since(before))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}
