package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/edge"
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

func TestSeriesThatEndAreForgotten(t *testing.T) {
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
	for round := range 190 { // 388 edges, and room for 400 streams
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

// A report that changed less than a minute ago stays, and the new one is counted as overflow.
func TestWhatHasJustChangedIsNotEvicted(t *testing.T) {
	for idle, folded := range map[time.Duration]uint64{0: 0, 50 * time.Second: 0, 51 * time.Second: 1} {
		w := newWorld(t, 1)
		w.collect(flow(program("h", "scan"), dials("target", 1), 1, 1))
		w.pass(idle)
		w.collect(flow(program("h", "scan"), dials("target", 2), 1, 1)) // ten seconds more
		if got := w.Status().Held.Folded; got != folded {
			t.Errorf("%d folded after %v, want %d", got, idle+10*time.Second, folded)
		}
	}
}

// open returns the open connections that the overflow and the others have.
func (w *world) open() (overflow, others uint64) {
	for _, e := range w.snapshot(fineSpan).Edges {
		if e.Client.Kind() == edge.Other {
			overflow += e.Active
		} else {
			others += e.Active
		}
	}
	return overflow, others
}

// Connections of evicted reports are still open, and are not mixed up when their streams go on.
func TestOpenConnectionsOfEvictedReports(t *testing.T) {
	w := newWorld(t, 2)
	scan := func(port int, peer int, tx, active int64) feedtest.Flow {
		f := flow(program("h", "scan"), dials("target", port).With(feedtest.Attributes{"network.peer.port": peer}), tx, 0)
		f.Active = active
		return f
	}
	w.collect(scan(1, 10, 1, 3), scan(1, 11, 1, 5), scan(2, 10, 1, 7)) // two streams of one report
	w.fold([]uint32{w.slotOf(1), w.slotOf(2)})
	w.config.MaxEdges = 0 // there is no room
	w.collect(scan(1, 10, 1, 4))
	if overflow, others := w.open(); overflow != 4+5+7 || others != 0 {
		t.Errorf("%d and %d are open, want 16 of the overflow", overflow, others)
	}
	w.config.MaxEdges = 2
	w.collect(scan(1, 10, 2, 4), scan(1, 11, 2, 5), scan(2, 10, 1, 7))
	if overflow, others := w.open(); overflow != 7 || others != 4+5 {
		t.Errorf("%d and %d are open, want 7 of the overflow and 9 of the report that is held again", overflow, others)
	}
}

// If the report that does not count is evicted alone, its figures are not added to those of the one that does.
func TestTheShadowAloneIsEvicted(t *testing.T) {
	w := newWorld(t, 2)
	w.collect(flow(program("h", "curl"), dials("nginx", 80), 100, 1000), flow(program("h", "nginx"), serves("curl", 80), 1000, 100))
	w.pass(55 * time.Second)
	w.collect(flow(program("h", "curl"), dials("nginx", 80), 101, 1001))
	w.collect(flow(program("h", "scan"), dials("target", 1), 5, 6)) // the server's report is idle
	w.wantEdges("curl -> nginx:80 node 101/1001", "scan -> target:1 node 5/6")
	if got := w.Status().Held.Folded; got != 1 {
		t.Errorf("%d folded, want the server's report", got)
	}
}

// Beyond the limit, a server's report of a client on the same host is left to the client.
func TestBeyondTheLimitLocalServersDoNotCount(t *testing.T) {
	for scope, want := range map[string]uint64{"node": 1, "remote": 1 + 100} {
		w := newWorld(t, 1)
		w.collect(
			flow(program("h", "scan"), dials("target", 1), 1, 1),
			flow(program("h", "nginx"), serves("curl", 80).With(feedtest.Attributes{"netconn.peer.scope": scope}), 1000, 100),
		)
		if tx, _ := w.total(); tx != want {
			t.Errorf("scope %s: %d bytes, want %d", scope, tx, want)
		}
	}
}

// A report that expires leaves nothing to the report that gets its slot, even if its clock was ahead.
func TestAnExpiredReportLeavesNothing(t *testing.T) {
	w := newWorld(t, 10)
	f := curl(100, 1000)
	f.At = w.now.Add(70 * time.Second)
	w.collectAs(feedtest.Delta, f)
	w.pass(retention*time.Second + time.Second)
	if got := w.Status().Held; got.Expired != 1 || got.Edges != 0 {
		t.Fatalf("%+v, want one expired", got)
	}
	w.collectAs(feedtest.Delta, flow(program("h", "scan"), dials("target", 1), 1, 2))
	if diff := cmp.Diff([]string{"scan -> target:1 node 1/2"}, w.hour()); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}
