package store

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
)

func (w *world) hosts() []snap.Host {
	return slices.SortedFunc(slices.Values(w.Status().Hosts), func(a, b snap.Host) int { return cmp.Compare(a.ID, b.ID) })
}

func TestHosts(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		flow(program("h", "curl"), dials("nginx", 80), 1, 1), flow(program("h", "curl"), dials("nginx", 81), 1, 1),
		flow(program("g", "curl").With(feedtest.Attributes{"k8s.node.name": "node-g"}), dials("nginx", 80), 1, 1),
	)
	w.collect(flow(program("h", "curl"), dials("nginx", 80), 2, 2))
	last := float64(w.now.Unix())
	want := []snap.Host{
		{Name: "g", ID: "g", Node: "node-g", Last: last - 10, Age: 10, Points: 4, Edges: 1},
		{Name: "h", ID: "h", Last: last, Interval: 10, Points: 12, Edges: 2},
	}
	if diff := gocmp.Diff(want, w.hosts()); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	for _, step := range []struct {
		pass  time.Duration
		stale []bool
	}{{20 * time.Second, []bool{false, false}}, {time.Second, []bool{true, false}}, {10 * time.Second, []bool{true, true}}} {
		w.pass(step.pass)
		for i, h := range w.hosts() {
			if h.Stale != step.stale[i] {
				t.Errorf("%v after it was last received, %s is stale: %v", w.now.Sub(w.began), h.Name, h.Stale)
			}
		}
	}
	w.collect(flow(program("h", "curl"), dials("nginx", 80), 3, 3))
	if h := w.hosts()[1]; h.Stale || h.Interval != 41 {
		t.Errorf("back after a while: %+v", h)
	}
}

func TestHostsBeyondTheLimitAreOne(t *testing.T) {
	w := newWorld(t, 10)
	for i := range maxHosts {
		w.hostNamed(fmt.Sprint("host-", i))
	}
	if a, b := w.hostNamed("one-more"), w.hostNamed("and-another"); a != b || a.name != "" {
		t.Errorf("hosts beyond the limit are %q and %q", a.name, b.name)
	}
	if got := w.hostNamed("host-0"); got.name != "host-0" {
		t.Errorf("a host that is known is %q", got.name)
	}
}

// hostNamed returns the host of this name.
func (w *world) hostNamed(name string) *host {
	e := edge.ReadLocal(func(key string) (string, bool) { return name, key == names.HostName })
	return w.hostOf(&e, w.now.Unix())
}

func TestStatus(t *testing.T) {
	w := newWorld(t, 2)
	w.config.Learning = time.Minute
	w.collect(towards(4, 10)...)
	opened := float64(w.began.Unix())
	got := w.Status()
	if got.Opened != opened || got.Learning != opened+60 {
		t.Errorf("opened %v, learning until %v", got.Opened, got.Learning)
	}
	if got.Held.Bytes <= 0 {
		t.Errorf("%d bytes are held", got.Held.Bytes)
	}
	got.Held.Bytes = 0
	want := snap.Held{Edges: 2, MaxEdges: 2, Ends: 2, Streams: 4, MaxStreams: 4}
	if diff := gocmp.Diff(want, got.Held); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	w.pass(2 * time.Hour)
	if got := w.Status().Held; got.Edges != 0 || got.Ends != 0 || got.Streams != 0 || got.Expired != 2 {
		t.Errorf("two hours later: %+v", got)
	}
}

// Ends are kept as long as a report has them, and equal ends stay one.
func TestEndsAreSwept(t *testing.T) {
	w := newWorld(t, 100)
	for i := range 30 {
		w.collect(flow(program("h", "scan"), dials(fmt.Sprint("target-", i), 80), 1, 1))
	}
	kept := w.snapshot(coarseSpan).Edges[0].Client
	w.pass(55 * time.Minute)
	w.collect(flow(program("h", "scan"), dials("target-new", 80), 1, 1))
	w.pass(10 * time.Minute)
	w.snapshot(fineSpan)
	if got := w.Status().Held; got.Edges != 1 || got.Ends > 4 {
		t.Errorf("%d ends of %d edges are held", got.Ends, got.Edges)
	}
	if e := w.intern(*kept); e != kept {
		t.Error("an end that is in use is there twice")
	}
}

func TestKindsBeyondTheLimitAreOne(t *testing.T) {
	w := newWorld(t, 10)
	f := curl(1, 1)
	f.Attempts, f.Closed = map[string]int64{}, map[string]int64{}
	for i := range 100 {
		f.Attempts[fmt.Sprint("error-", i)] = 1
		f.Closed[fmt.Sprint("error-", i)] = 2
	}
	w.collect(f)
	snapshot := w.snapshot(fineSpan)
	if got := len(snapshot.Kinds); got > maxKinds+2 {
		t.Errorf("%d kinds, want at most %d and two others", got, maxKinds)
	}
	kinds, counted := map[snap.What]int{}, 0
	for _, o := range snapshot.Edges[0].Outcomes {
		kinds[snapshot.Kinds[o.Kind].Of]++
		counted++
	}
	if kinds[snap.Attempts] == 0 || kinds[snap.Closed] == 0 || counted > maxKinds+2 {
		t.Errorf("%v kinds of failures and breaks", kinds)
	}
	// Series of the last kind cannot be told apart, so one of them counts and the others are dropped.
	if got := w.Status().Dropped.OutOfOrder; int(got) != 200-counted {
		t.Errorf("%d points counted and %d dropped, want 200 together", counted, got)
	}
}

// The open connections are a state: a gauge of them counts, a gauge of a counter does not.
func TestGauges(t *testing.T) {
	w := newWorld(t, 10)
	f := curl(5, 6)
	f.Active, f.Start, f.At = 7, w.began, w.pass(10*time.Second)
	m := feedtest.Metrics(feedtest.Cumulative, f)
	for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if name := metric.Name(); name == names.Active || name == names.IO {
			points := pmetric.NewNumberDataPointSlice()
			metric.Sum().DataPoints().CopyTo(points)
			points.CopyTo(metric.SetEmptyGauge().DataPoints())
		}
	}
	w.Add(m)
	e := w.snapshot(fineSpan).Edges[0]
	if e.Active != 7 || e.Tx != 0 {
		t.Errorf("%d active and %d bytes, want 7 and 0", e.Active, e.Tx)
	}
	if got := w.Status().Dropped.Points; got != 2 {
		t.Errorf("%d points dropped, want the 2 of bytes", got)
	}
}

// A delta of open connections is added to those that were open.
func TestDeltasOfOpenConnections(t *testing.T) {
	w := newWorld(t, 10)
	for _, step := range []struct{ delta, want int64 }{{4, 4}, {3, 7}, {-2, 5}, {-100, 0}, {1, 1}} {
		f := curl(1, 1)
		f.Active, f.At = step.delta, w.pass(10*time.Second)
		m := feedtest.Metrics(feedtest.Delta, f)
		for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() == names.Active {
				metric.Sum().SetAggregationTemporality(feedtest.Delta)
			}
		}
		w.Add(m)
		if got := w.snapshot(fineSpan).Edges[0].Active; int64(got) != step.want {
			t.Errorf("%+d: %d are open, want %d", step.delta, got, step.want)
		}
	}
}

func TestHistogramsThatCannotBeCounted(t *testing.T) {
	w := newWorld(t, 10)
	for i, sum := range []float64{math.NaN(), math.Inf(1), -1} {
		f := curl(1, 1)
		f.RTTs = []float64{0.001}
		f.At = w.pass(10 * time.Second)
		m := feedtest.Metrics(feedtest.Delta, f)
		for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() == names.RTT {
				metric.Histogram().DataPoints().At(0).SetSum(sum)
			}
		}
		w.Add(m)
		if got := w.Status().Dropped.Values; got != uint64(i+1) {
			t.Errorf("sum %v: %d values dropped", sum, got)
		}
	}
	m := feedtest.Metrics(feedtest.Delta, curl(1, 1))
	metric := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	metric.SetName(names.RTT)
	metric.SetEmptySum().DataPoints().AppendEmpty()
	w.Add(m)
	if got := w.Status().Dropped.Points; got != 1 {
		t.Errorf("%d points of another type dropped, want 1", got)
	}
	if got := w.snapshot(fineSpan).Edges[0].RTTs; got != 0 {
		t.Errorf("%d samples, want none", got)
	}
}

// A point without a value, and a value that is not a number, change nothing.
func TestPointsWithoutAValue(t *testing.T) {
	w := newWorld(t, 10)
	f := curl(9, 9)
	f.At, f.RTTs = w.pass(10*time.Second), []float64{0.1}
	m := feedtest.Metrics(feedtest.Delta, f)
	for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		switch metric.Name() {
		case names.IO:
			metric.Sum().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
			metric.Sum().DataPoints().At(1).SetDoubleValue(math.NaN())
		case names.RTT:
			metric.Histogram().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		}
	}
	w.Add(m)
	e := w.snapshot(fineSpan).Edges[0]
	if e.Tx != 0 || e.Rx != 0 || e.RTTs != 0 {
		t.Errorf("%d/%d bytes and %d samples, want none", e.Tx, e.Rx, e.RTTs)
	}
	if got := w.Status().Dropped.Values; got != 1 {
		t.Errorf("%d values dropped, want the one that is not a number", got)
	}
}

// An evicted report that changes again is held again once there is room, with its open connections.
func TestAnEvictedReportIsHeldAgain(t *testing.T) {
	w := newWorld(t, 2)
	scan := func(port int, tx, active int64) feedtest.Flow {
		f := flow(program("h", "scan"), dials("target", port), tx, 0)
		f.Active = active
		return f
	}
	w.collect(scan(1, 10, 3), scan(2, 10, 0))
	w.pass(2 * time.Minute)
	w.collect(scan(1, 10, 3), scan(2, 10, 0), scan(3, 1, 5)) // the first two are idle; one of them is evicted
	if got := w.Status().Held; got.Folded != 1 || got.Edges != 2 {
		t.Fatalf("%+v, want one folded", got)
	}
	w.expire(w.slots[reportKey{w.reports[w.slotOf(3)].Local, w.reports[w.slotOf(3)].Peer, w.reports[w.slotOf(3)].Link}])
	w.collect(scan(1, 14, 3), scan(2, 14, 0))
	active := map[uint16]uint64{}
	for _, e := range w.snapshot(fineSpan).Edges {
		if e.Client.Kind() != edge.Other {
			active[e.Link.Port] = e.Active
		}
	}
	if diff := gocmp.Diff(map[uint16]uint64{1: 3, 2: 0}, active); diff != "" {
		t.Errorf("open connections by port (-want +got):\n%s", diff)
	}
	for slot := range reserved {
		if open := w.states[slot].open; open != 0 && slot != uint32(edge.Client) {
			t.Errorf("%d connections are left open in reserved slot %d", open, slot)
		}
	}
}

// slotOf returns the slot of the report with a port.
func (w *world) slotOf(port uint16) uint32 {
	for slot := range w.reports {
		if w.reports[slot].Local != nil && w.reports[slot].Link.Port == port {
			return uint32(slot)
		}
	}
	w.t.Fatalf("no report of port %d", port)
	return 0
}

// Snapshots are made once for each state of the store, and a few are kept.
func TestSnapshotsAreKeptUntilSomethingChanges(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(curl(1, 1))
	first, version := w.snapshot(fineSpan), w.Version()
	if w.snapshot(fineSpan) != first || w.snapshot(coarseSpan) == first {
		t.Error("one range has two snapshots, or two have one")
	}
	if first.Generation != version.Generation || version.Opened != w.began.UnixNano() {
		t.Errorf("generation %d, version %+v", first.Generation, version)
	}
	for window := range int64(2 * maxSnapshots) {
		w.snapshot(10 * (window + 1))
		if len(w.snapshots) > maxSnapshots {
			t.Fatalf("%d snapshots are kept", len(w.snapshots))
		}
	}
	w.collect(curl(2, 2))
	if again := w.snapshot(fineSpan); again == first || w.Version().Generation <= version.Generation {
		t.Error("a change is not seen")
	}
	if got := w.Spans(); len(got) != 2 || got.Longest() != 3600 {
		t.Errorf("spans %+v", got)
	}
}

// The seconds of a snapshot are those in which the store was there.
func TestSecondsOfASnapshot(t *testing.T) {
	for after, want := range map[time.Duration]float64{0: 1, 4 * time.Second: 4, 30 * time.Second: 30, time.Hour: 290} {
		w := newWorld(t, 10)
		w.pass(after)
		if got := w.snapshot(fineSpan).Seconds; got != want {
			t.Errorf("%v after it began: %v s, want %v", after, got, want)
		}
	}
	if s := New(Config{MaxEdges: 1}); s.Version().Opened == 0 {
		t.Error("without a clock the store has no time")
	}
}

// Up to the limit each error type is a kind of its own, and beyond it all are the other one.
func TestKindsUpToTheLimit(t *testing.T) {
	w := newWorld(t, 10)
	for i := range maxKinds - len(w.kinds) {
		w.kind(snap.Kind{Of: snap.Attempts, Error: fmt.Sprint("error-", i)})
	}
	if n := len(w.kinds); n != maxKinds {
		t.Fatalf("%d kinds, want %d", n, maxKinds)
	}
	beyond := w.kinds[w.kind(snap.Kind{Of: snap.Attempts, Error: "one more"})]
	if want := (snap.Kind{Of: snap.Attempts, Error: names.OtherError}); beyond != want {
		t.Errorf("a kind beyond the limit is %+v, want %+v", beyond, want)
	}
	if i, j := w.kind(snap.Kind{Of: snap.Attempts, Error: "one more"}), w.kind(snap.Kind{Of: snap.Attempts, Error: "another"}); i != j {
		t.Errorf("two kinds beyond the limit are %d and %d", i, j)
	}
}
