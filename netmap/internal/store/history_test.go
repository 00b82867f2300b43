package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A snapshot may be read after its reports were evicted and their slots given to others.
func TestHistoryDoesNotShowTheEdgeThatHasTheSlotNow(t *testing.T) {
	w := newWorld(t, 1)
	w.collect(flow(program("h", "scan"), dials("target", 1), 10, 20))
	before := w.snapshot(fineSpan)
	at := w.now
	w.pass(2 * time.Minute)
	late := flow(program("h", "scan"), dials("target", 2), 300, 400) // takes the slot of the first, and its buckets
	late.At = at
	w.collectAs(feedtest.Delta, late)
	if len(w.reports) != int(reserved)+1 {
		t.Fatalf("%d slots, want one", len(w.reports)-int(reserved))
	}
	for _, step := range w.history(before, 0) {
		if step.Tx+step.Rx != 0 {
			t.Errorf("the evicted edge has %d/%d at %d, which are of the other edge", step.Tx, step.Rx, step.At)
		}
	}
	after := w.snapshot(fineSpan)
	total := snap.Figures{}
	for i := range after.Edges {
		for _, step := range w.history(after, i) {
			total.Tx, total.Rx = total.Tx+step.Tx, total.Rx+step.Rx
		}
	}
	if total.Tx != 310 || total.Rx != 420 {
		t.Errorf("history of the new snapshot has %d/%d, want 310/420 with the overflow", total.Tx, total.Rx)
	}
}

// The same for a report that adds its retransmits to another one.
func TestHistoryDoesNotShowRetransmitsOfAnotherReport(t *testing.T) {
	w := newWorld(t, 10)
	s := flow(program("h", "nginx"), serves("curl", 80), 0, 0)
	s.Retransmits = 5
	c := flow(program("h", "curl"), dials("nginx", 80), 1, 1)
	w.collect(c, s)
	before := w.snapshot(fineSpan)
	shadow := uint32(reserved) + 1
	w.fold([]uint32{shadow})
	other := flow(program("h", "scan"), dials("target", 1), 1, 1)
	other.Retransmits, other.At = 700, w.now
	w.collectAs(feedtest.Delta, other)
	if r := w.reports[shadow]; r.Link.Port != 1 {
		t.Fatalf("the slot has port %d, want that of the new report", r.Link.Port)
	}
	for _, step := range w.history(before, 0) {
		if step.Retransmits != 0 {
			t.Errorf("%d retransmits, which are of another report", step.Retransmits)
		}
	}
}

// What the steps add up to is what the edge has.
func TestHistoryAddsUpToTheEdge(t *testing.T) {
	w := newWorld(t, 10)
	for i := range int64(3) {
		n := i + 1
		f := flow(program("h", "nginx"), serves("curl", 80), 100*n, 10*n)
		f.Retransmits, f.Active = n, 2+i
		f.Attempts, f.Closed = map[string]int64{"": 2 * n, "refused": n}, map[string]int64{"": n, "reset": n}
		f.RTTs, f.Shakes = make([]float64, n), make([]float64, n)
		for j := range f.RTTs {
			f.RTTs[j], f.Shakes[j] = 0.0002, 0.002
		}
		w.collect(f)
	}
	snapshot := w.snapshot(fineSpan)
	steps := w.history(snapshot, 0)
	var sum snap.Figures
	for _, step := range steps {
		sum.Add(&step.Figures)
	}
	sum.Active = steps[len(steps)-1].Active
	want := snap.Figures{
		Tx: 30, Rx: 300, Retransmits: 3, RTTs: 3, RTTSum: 0.0006, RTTMax: 0.0003, Handshakes: 3, HandshakeSum: 0.006,
		Attempts: 9, Closed: 6, Active: 4,
		Outcomes: []snap.Outcome{{Kind: w.kind(snap.Kind{Of: snap.Attempts, Error: "refused"}), N: 3}, {Kind: w.kind(snap.Kind{Of: snap.Closed, Error: "reset"}), N: 3}},
	}
	nearly := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })
	byKind := cmp.Transformer("byKind", func(all []snap.Outcome) map[uint8]uint64 {
		m := map[uint8]uint64{}
		for _, o := range all {
			m[o.Kind] += o.N
		}
		return m
	})
	if diff := cmp.Diff(want, sum, nearly, byKind); diff != "" {
		t.Errorf("sum of the steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(snapshot.Edges[0].Figures, sum, nearly, byKind); diff != "" {
		t.Errorf("the edge (-want) and the sum of its steps (+got):\n%s", diff)
	}
	for i, step := range steps {
		if step.At != w.began.Unix()+10*int64(i+1) || !step.Reported || step.Active != uint64(2+i) {
			t.Errorf("step %d: at %d, %d active (%v)", i, step.At, step.Active, step.Reported)
		}
	}
}

func TestHistoryOfRows(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(towards(4, 10)...)
	w.collect(towards(4, 13)...)
	snapshot := w.snapshot(fineSpan)
	got := map[int][]uint64{}
	err := snapshot.History.Read(t.Context(), [][]int{{0, 1}, {}, {2}}, snap.All, func(row int, s snap.Step) {
		got[row] = append(got[row], s.Tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int][]uint64{0: {20, 6}, 1: {0, 0}, 2: {10, 3}}, got); diff != "" {
		t.Errorf("bytes of the rows (-want +got):\n%s", diff)
	}
}

func TestHistoryEndsWithItsContext(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(towards(1, 10)...)
	w.collect(towards(1, 20)...)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := w.snapshot(fineSpan).History.Read(ctx, [][]int{{0}}, snap.All, func(int, snap.Step) {
		calls++
		cancel()
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%d steps and %v, want one and that the context was canceled", calls, err)
	}
}

// A kind that was first received after the snapshot is none of its kinds.
func TestHistoryLeavesOutKindsThatTheSnapshotDoesNotHave(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(curl(1, 1))
	before := w.snapshot(fineSpan)
	f := curl(2, 2)
	f.Attempts = map[string]int64{"refused": 3}
	w.collectAs(feedtest.Cumulative, f)
	for _, step := range w.history(before, 0) {
		for _, o := range step.Outcomes {
			if int(o.Kind) >= len(before.Kinds) {
				t.Errorf("an outcome of kind %d, but the snapshot has %d kinds", o.Kind, len(before.Kinds))
			}
		}
	}
	var failed uint64
	for _, step := range w.history(w.snapshot(fineSpan), 0) {
		for _, o := range step.Outcomes {
			failed += o.N
		}
	}
	if failed != 3 {
		t.Errorf("%d failures in the new snapshot, want 3", failed)
	}
}
