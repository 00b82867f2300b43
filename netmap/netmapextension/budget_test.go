//go:build unix

package netmapextension

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// The budgets of the API: see docs/performance.md.
const (
	largestGraph = 105_000 // bytes, compressed
	storedEdges  = 20_000
)

// crowd gives the map a number of edges, by a number of collections. The last one is now.
func (s *served) crowd(workloads, edges, collections int) {
	at := time.Now().Add(-time.Duration(collections-1) * 10 * time.Second)
	c := feedtest.Crowd{Workloads: workloads, Edges: edges, Start: time.Unix(0, s.source.Version().Opened)}
	m := c.Metrics(at)
	for n := 1; ; n++ {
		_ = s.ConsumeMetrics(s.t.Context(), m)
		if n == collections {
			return
		}
		at = at.Add(10 * time.Second)
		feedtest.Grow(m, int64(n), at)
	}
}

// The largest graph that can be asked for: every limit reached, and every figure another one.
func TestTheLargestGraphIsSmallEnough(t *testing.T) {
	s := serve(t)
	s.crowd(1000, 5000, 2)
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

// BenchmarkRequests answers the requests of the page from a full store. Each finds the store changed, so nothing is
// remembered.
func BenchmarkRequests(b *testing.B) {
	s := serve(b)
	s.crowd(1000, storedEdges, 29)
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
			var computed time.Duration
			change := curl()
			for i := range b.N {
				b.StopTimer()
				change.Tx = int64(i)
				s.give(change)
				b.StartTimer()
				before, busy := time.Now(), processor(b)
				if r := s.get(target, "Accept-Encoding", "gzip"); r.status != http.StatusOK {
					b.Fatal(r.status, r.body)
				}
				took = append(took, time.Since(before))
				computed += processor(b) - busy
			}
			slices.Sort(took)
			b.ReportMetric(float64(computed.Microseconds())/1000/float64(b.N), "cpu-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}

// processor is the time that this process was computing, the client and the garbage collector with it.
func processor(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
