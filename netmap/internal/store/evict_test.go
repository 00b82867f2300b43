package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// towards makes flows to so many ports.
func towards(ports int, tx int64) []feedtest.Flow {
	var flows []feedtest.Flow
	for port := range ports {
		flows = append(flows, flow(program("h", "scan"), dials("target", port+1), tx, 2*tx))
	}
	return flows
}

func TestWhatIsBeyondTheLimitIsOther(t *testing.T) {
	w := newWorld(t, 3)
	w.collect(towards(5, 10)...)
	w.collect(towards(5, 15)...)
	w.wantEdges("other -> other:0 unknown 30/60",
		"scan -> target:1 node 15/30", "scan -> target:2 node 15/30", "scan -> target:3 node 15/30")
}

func TestTheLeastRecentlyChangedLeaves(t *testing.T) {
	w := newWorld(t, 3)
	w.collect(towards(3, 10)...)
	for i := range int64(8) {
		w.collect(flow(program("h", "scan"), dials("target", 1), 11+i, 20), flow(program("h", "scan"), dials("target", 3), 11+i, 20))
	}
	w.collect(flow(program("h", "scan"), dials("target", 4), 1, 1))
	w.wantEdges("other -> other:0 unknown 10/20",
		"scan -> target:1 node 18/20", "scan -> target:3 node 18/20", "scan -> target:4 node 1/1")
	if got := w.Status().Held.Folded; got != 1 {
		t.Errorf("%d folded, want 1", got)
	}
	if tx, rx := w.total(); tx != 10+18+18+1 || rx != 20+20+20+1 {
		t.Errorf("totals %d/%d, want 47/61", tx, rx)
	}
}

func TestWhatLeftComesBackWithAChange(t *testing.T) {
	w := newWorld(t, 2)
	w.collect(towards(2, 10)...)
	w.pass(2 * time.Minute)
	w.collect(flow(program("h", "scan"), dials("target", 3), 1, 1)) // target:1 leaves
	w.pass(2 * time.Minute)
	w.collect(flow(program("h", "scan"), dials("target", 4), 1, 1)) // target:2 leaves
	w.pass(coarseSpan * time.Second)
	w.collect(flow(program("h", "scan"), dials("target", 2), 12, 24)) // all is forgotten, this is new
	if diff := cmp.Diff([]string{"scan -> target:2 node 12/24"}, w.hour()); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func TestReadmission(t *testing.T) {
	w := newWorld(t, 2)
	w.collect(towards(2, 10)...)
	w.pass(2 * time.Minute)
	w.collect(flow(program("h", "scan"), dials("target", 3), 1, 1)) // one of the two leaves
	// Both send again: one is held, the other one's growth is other's, as there is no room.
	w.pass(10 * time.Second)
	w.collect(towards(2, 13)...)
	if tx, rx := w.total(); tx != 13+13+1 || rx != 26+26+1 {
		t.Errorf("totals %d/%d, want 27/53", tx, rx)
	}
	if got := len(w.slots); got != 2 {
		t.Errorf("%d edges held, want 2", got)
	}
}

// Both reports of an edge leave together: what remains of it is counted once.
func TestBothReportsOfAnEdgeLeave(t *testing.T) {
	w := newWorld(t, 3)
	w.collect(
		flow(program("h", "curl"), dials("nginx", 80), 100, 1000),
		flow(program("h", "nginx"), serves("curl", 80), 1000, 100),
		flow(program("h", "scan"), dials("target", 1), 1, 1),
	)
	w.pass(90 * time.Second)
	w.collect(flow(program("h", "scan"), dials("target", 1), 2, 2), flow(program("h", "scan"), dials("target", 2), 1, 1))
	w.collect(
		flow(program("h", "scan"), dials("target", 1), 3, 3), flow(program("h", "scan"), dials("target", 2), 2, 2),
		flow(program("h", "scan"), dials("target", 3), 4, 4),
	)
	if tx, rx := w.total(); tx != 100+3+2+4 || rx != 1000+3+2+4 {
		t.Errorf("totals %d/%d, want 109/1009:\n%v", tx, rx, w.hour())
	}
}

// A server's report that finds no room is not added to what its client says of the same edge.
func TestBeyondTheLimitAnEdgeIsCountedOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.collect(
		flow(program("h", "curl"), dials("nginx", 80), 100, 1000),
		flow(program("h", "nginx"), serves("curl", 80), 1000, 100),
	)
	w.wantEdges("curl -> nginx:80 node 100/1000")
	w = newWorld(t, 1)
	w.collect(
		flow(program("h", "scan"), dials("target", 1), 1, 1),
		flow(program("h", "curl"), dials("nginx", 80), 100, 1000),
		flow(program("h", "nginx"), serves("curl", 80), 1000, 100),
	)
	w.wantEdges("other -> other:0 unknown 100/1000", "scan -> target:1 node 1/1")
}

func TestAtTheLimitOfStreamsPointsAreCounted(t *testing.T) {
	w := newWorld(t, 2)
	w.collect(towards(5, 10)...)
	s := w.Status()
	if s.Held.Streams != 4 || s.Dropped.Streams != 4 { // tx, rx, retransmits, active
		t.Errorf("%d streams and %d points of others, want 4 and 4", s.Held.Streams, s.Dropped.Streams)
	}
}

func TestWhatNobodySendsIsForgotten(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(towards(3, 10)...)
	w.pass(2 * time.Hour)
	s := w.Status()
	if s.Held.Edges != 0 || s.Held.Streams != 0 || len(s.Hosts) != 0 || s.Held.Expired != 3 {
		t.Errorf("held: %+v", s)
	}
	w.collect(towards(1, 3)...)
	w.wantEdges("scan -> target:1 node 3/6")
}

// Edges come and go far beyond the limit; whatever is folded, totals are those that were sent.
func TestTotalsHoldUnderChurn(t *testing.T) {
	w := newWorld(t, 200)
	var tx, rx int64
	open := map[int]int64{}
	for round := range 190 { // 388 edges, of which 400 streams are remembered
		var flows []feedtest.Flow
		for i := range 10 {
			id := round*2 + i
			open[id] += int64(id%7 + 1)
			flows = append(flows, flow(program("h", "churn"), dials(fmt.Sprint("target-", id), 80), open[id], 2*open[id]))
			tx += int64(id%7 + 1)
			rx += 2 * int64(id%7+1)
		}
		w.collect(flows...)
		if len(w.slots) > 200 {
			t.Fatalf("%d edges held, want at most 200", len(w.slots))
		}
	}
	gotTx, gotRx := w.total()
	if int64(gotTx) != tx || int64(gotRx) != rx {
		t.Errorf("totals %d/%d, want %d/%d", gotTx, gotRx, tx, rx)
	}
	if w.Status().Held.Folded == 0 || !slices.ContainsFunc(w.hour(), func(line string) bool { return line[:5] == "other" }) {
		t.Error("nothing was folded")
	}
}

func TestTwentyThousandEdges(t *testing.T) {
	w := newWorld(t, 20_000)
	crowd := feedtest.Crowd{Workloads: 1000, Edges: 20_000, Start: w.now}
	m := crowd.Metrics(w.pass(10 * time.Second))
	w.Add(m)
	feedtest.Grow(m, 1, w.pass(10*time.Second))
	w.Add(m)
	snapshot := w.snapshot(fineSpan)
	if len(snapshot.Edges) != 20_000 || w.Status().Held.Folded != 0 {
		t.Fatalf("%d edges, %d folded; want 20000 and none", len(snapshot.Edges), w.Status().Held.Folded)
	}
	var got, want uint64
	for i := range snapshot.Edges {
		got += snapshot.Edges[i].Tx
	}
	for _, rm := range m.ResourceMetrics().All() {
		for _, p := range rm.ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().All() {
			if d, _ := p.Attributes().Get("network.io.direction"); d.Str() == "transmit" {
				want += uint64(p.IntValue())
			}
		}
	}
	if got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}
