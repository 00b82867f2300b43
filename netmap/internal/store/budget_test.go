//go:build unix

package store

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// The budgets are for that many edges, which all change at each collection.
const budgetEdges = 20_000

// BenchmarkAdd takes in one collection, which comes every 10 s.
func BenchmarkAdd(b *testing.B) {
	w := epoch()
	s := New(Config{MaxEdges: budgetEdges, Now: w.time})
	crowd := feedtest.Crowd{Workloads: 1000, Edges: budgetEdges, Start: w.now}
	m := crowd.Metrics(w.pass(10 * time.Second))
	s.Add(m)
	b.ResetTimer()
	var spent time.Duration
	for i := range b.N {
		b.StopTimer()
		feedtest.Grow(m, int64(i+1), w.pass(10*time.Second))
		b.StartTimer()
		before := processor(b)
		s.Add(m)
		spent += processor(b) - before
	}
	b.ReportMetric(float64(spent)/float64(b.N)/float64(10*time.Second)*100, "%core")
}

// BenchmarkSnapshot adds up windows of both lengths of buckets.
func BenchmarkSnapshot(b *testing.B) {
	s, w := crowded(budgetEdges)
	for _, window := range [...]int64{fineSpan, coarseSpan} {
		b.Run(fmt.Sprint(window, "s"), func(b *testing.B) {
			r := s.Range(window, 0)
			for b.Loop() {
				clear(s.snapshots)
				snapshot, err := s.Snapshot(b.Context(), r)
				if err != nil || len(snapshot.Edges) < budgetEdges {
					b.Fatalf("%d edges at %v, want %d (%v)", len(snapshot.Edges), w.now, budgetEdges, err)
				}
			}
		})
	}
}

// crowded returns a store that has figures of every edge in every bucket.
func crowded(edges int) (*Store, *watch) {
	w := epoch()
	s := New(Config{MaxEdges: edges, Now: w.time})
	crowd := feedtest.Crowd{Workloads: 1000, Edges: edges, Start: w.now}
	m := crowd.Metrics(w.now)
	n := int64(0)
	add := func(step time.Duration) {
		if n++; n > 1 {
			feedtest.Grow(m, n-1, w.pass(step))
		}
		s.Add(m)
	}
	for range coarseSpan/coarseStep - fineSpan/coarseStep {
		add(coarseStep * time.Second)
	}
	for range fineSpan / fineStep {
		add(fineStep * time.Second)
	}
	return s, w
}

// BenchmarkMemory measures what a full store takes, as the runtime sees it, with a snapshot that a page is drawn from.
// Once is enough.
func BenchmarkMemory(b *testing.B) {
	before := live()
	s, _ := crowded(budgetEdges)
	_, _ = s.Snapshot(b.Context(), s.Range(fineSpan, 0))
	b.ReportMetric(float64(live()-before)/1e6, "MB")
	b.ReportMetric(float64(s.Status().Held.Bytes)/1e6, "MB-by-status")
	runtime.KeepAlive(s)
}

// processor is the time that this process was computing: the machine may have more to do than this.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
