package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
)

func (w *world) wantEdges(want ...string) {
	w.t.Helper()
	want = append([]string{}, want...)
	if diff := cmp.Diff(want, w.edges()); diff != "" {
		w.t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func curl(tx, rx int64) feedtest.Flow {
	return feedtest.Flow{Resource: program("h", "curl"), Point: dials("nginx", 80), Tx: tx, Rx: rx}
}

func TestCumulativeCountsWhatIsNew(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(curl(100, 1000))
	w.collect(curl(150, 1700))
	w.collect(curl(150, 1700))
	w.wantEdges("curl -> nginx:80 node 150/1700")
}

func TestDeltaCountsAll(t *testing.T) {
	w := newWorld(t, 10)
	w.collectAs(feedtest.Delta, curl(100, 1000))
	w.collectAs(feedtest.Delta, curl(50, 700))
	w.wantEdges("curl -> nginx:80 node 150/1700")
}

func TestASeriesOlderThanTheStoreBeginsWithABaseline(t *testing.T) {
	w := newWorld(t, 10)
	w.began = w.began.Add(-time.Hour)
	w.collect(curl(1_000_000, 5_000_000))
	w.wantEdges()
	w.collect(curl(1_000_007, 5_000_011))
	w.wantEdges("curl -> nginx:80 node 7/11")
}

func TestASeriesWithoutAStartBeginsWithABaseline(t *testing.T) {
	w := newWorld(t, 10)
	w.began = time.Unix(0, 0)
	w.collect(curl(100, 100))
	w.collect(curl(103, 104))
	w.wantEdges("curl -> nginx:80 node 3/4")
}

func TestResets(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(curl(100, 1000))
	again := curl(30, 200)
	again.Start = w.now.Add(5 * time.Second)
	w.collect(again) // a later start: counted from zero, though it says so
	w.collect(curl(7, 250))
	// tx fell with an older start, rx rose: the one has begun anew, the other goes on.
	w.wantEdges("curl -> nginx:80 node 137/1250")
	if got := w.Status().Resets; got < 3 {
		t.Errorf("%d resets, want at least the 3 of bytes", got)
	}
}

func TestANewStartWithAHigherValueIsAReset(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(curl(100, 0))
	again := curl(400, 0)
	again.Start = w.now.Add(time.Second)
	w.collect(again)
	w.wantEdges("curl -> nginx:80 node 500/0")
}

func TestAPointThatIsNotNewerIsDropped(t *testing.T) {
	w := newWorld(t, 10)
	first := curl(100, 0)
	w.collect(first)
	late := curl(90, 0)
	late.At = w.now.Add(-5 * time.Second)
	w.collect(late)
	same := curl(120, 0)
	same.At = w.now.Add(-10 * time.Second) // the time of the first
	w.collectAs(feedtest.Cumulative, same)
	w.collect(curl(130, 0))
	w.wantEdges("curl -> nginx:80 node 130/0")
	if got := w.Status().Dropped.OutOfOrder; got == 0 {
		t.Error("dropped points are not counted")
	}
}

func TestLateDataGoesWhereItBelongs(t *testing.T) {
	w := newWorld(t, 10)
	w.pass(10 * time.Minute)
	began := w.now
	for _, ago := range []time.Duration{4 * time.Minute, 8 * time.Minute} {
		f := feedtest.Flow{Resource: program("h", "curl"), Point: dials("nginx", int(ago.Minutes())), Tx: 5, At: began.Add(-ago)}
		w.collectAs(feedtest.Delta, f)
	}
	w.wantEdges("curl -> nginx:4 node 5/0", "curl -> nginx:8 node 0/0")
	if diff := cmp.Diff([]string{"curl -> nginx:4 node 5/0", "curl -> nginx:8 node 5/0"}, w.hour()); diff != "" {
		t.Errorf("edges of the hour (-want +got):\n%s", diff)
	}
	var at []int64
	for _, s := range w.history(w.snapshot(fineSpan), 0, 1) {
		if s.Tx > 0 {
			at = append(at, s.At)
		}
	}
	if diff := cmp.Diff([]int64{began.Add(-4 * time.Minute).Unix()}, at); diff != "" {
		t.Errorf("buckets with bytes (-want +got):\n%s", diff)
	}
}

func TestDataOlderThanIsHeldIsCountedAsLate(t *testing.T) {
	w := newWorld(t, 10)
	f := curl(5, 5)
	f.At = w.now.Add(-2 * time.Hour)
	w.collectAs(feedtest.Delta, f)
	w.wantEdges()
	if got := w.Status().Dropped.Late; got != 4 { // tx, rx, retransmits, active
		t.Errorf("%d late points, want 4", got)
	}
}

func TestDataOfAnImpossibleTimeIsOfNow(t *testing.T) {
	for name, at := range map[string]time.Time{"the future": time.Unix(1<<33, 0), "no time": time.Unix(0, 0)} {
		w := newWorld(t, 10)
		f := curl(5, 6)
		f.At = at
		w.collectAs(feedtest.Delta, f)
		w.wantEdges("curl -> nginx:80 node 5/6")
		if got := w.Status().Ahead; got == 0 {
			t.Errorf("%s: the points are not counted", name)
		}
	}
}

func TestWhatIsNoCountIsDropped(t *testing.T) {
	w := newWorld(t, 10)
	negative := curl(-5, 7)
	w.collectAs(feedtest.Delta, negative)
	w.wantEdges("curl -> nginx:80 node 0/7")
	if got := w.Status().Dropped.Values; got != 1 {
		t.Errorf("%d values dropped, want 1", got)
	}
}

func TestAMetricOfAnotherTypeIsDropped(t *testing.T) {
	w := newWorld(t, 10)
	m := feedtest.Metrics(feedtest.Delta, curl(1, 1))
	io := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	io.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	w.pass(time.Second)
	w.Add(m)
	if got := w.Status().Dropped.Points; got != 1 {
		t.Errorf("%d points dropped, want 1", got)
	}
}

func TestOtherMetricsAreIgnored(t *testing.T) {
	w := newWorld(t, 10)
	m := pmetric.NewMetrics()
	other := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	other.SetName("system.network.io")
	other.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(5)
	w.Add(m)
	if s := w.Status(); s.Held.Edges != 0 || len(s.Hosts) != 0 || w.Version().Generation != 0 {
		t.Errorf("another metric changed the store: %+v", s)
	}
}

func TestAValueMayBeAFraction(t *testing.T) {
	w := newWorld(t, 10)
	m := feedtest.Metrics(feedtest.Delta, feedtest.Flow{Resource: program("h", "curl"), Point: dials("nginx", 80), At: w.now.Add(time.Second)})
	m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).SetDoubleValue(41.7)
	w.pass(time.Second)
	w.Add(m)
	w.wantEdges("curl -> nginx:80 node 42/0")
}

func TestAttributesInAnotherOrderAreTheSameStream(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(curl(100, 0))
	m := feedtest.Metrics(feedtest.Cumulative, feedtest.Flow{
		Resource: program("h", "curl"), Point: dials("nginx", 80), Tx: 110, Start: w.began, At: w.pass(time.Second),
	})
	p := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
	turned := pcommon.NewMap()
	names := []string{}
	for k := range p.Attributes().All() {
		names = append(names, k)
	}
	for i := len(names) - 1; i >= 0; i-- {
		v, _ := p.Attributes().Get(names[i])
		v.CopyTo(turned.PutEmpty(names[i]))
	}
	turned.CopyTo(p.Attributes())
	w.Add(m)
	w.wantEdges("curl -> nginx:80 node 110/0")
}

// Two sources that differ only in attributes that the map does not keep are one edge. Both are counted.
func TestTwoStreamsOfOneEdgeAddUp(t *testing.T) {
	w := newWorld(t, 10)
	for i := range 3 {
		n := int64(i + 1)
		one, two := curl(100*n, 0), curl(7*n, 0)
		one.Point = one.Point.With(feedtest.Attributes{"network.peer.port": 1000})
		two.Point = two.Point.With(feedtest.Attributes{"network.peer.port": 2000})
		one.Active, two.Active = 2, 3
		w.collect(one, two)
	}
	w.wantEdges("curl -> nginx:80 node 321/0")
	if got := w.snapshot(fineSpan).Edges[0].Active; got != 5 {
		t.Errorf("%d active, want 5", got)
	}
}

func TestFiguresOfAllMetrics(t *testing.T) {
	w := newWorld(t, 10)
	f := curl(10, 20)
	f.Retransmits = 3
	f.Attempts = map[string]int64{"": 5, "refused": 2}
	f.Closed = map[string]int64{"": 4, "reset": 1}
	f.Active = 6
	f.RTTs = []float64{0.00004, 0.0002, 0.00021}
	f.Shakes = []float64{0.001}
	w.collect(f)
	snapshot := w.snapshot(fineSpan)
	want := snap.Figures{
		Tx: 10, Rx: 20, Retransmits: 3, RTTs: 3, Handshakes: 1, RTTSum: 0.00045, HandshakeSum: 0.001, RTTMax: 0.0003,
		Attempts: 7, Closed: 5, Active: 6,
	}
	got := snapshot.Edges[0].Figures
	outcomes := map[snap.Kind]uint64{}
	for _, o := range got.Outcomes {
		outcomes[snapshot.Kinds[o.Kind]] = o.N
	}
	got.Outcomes = nil
	nearly := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })
	if diff := cmp.Diff(want, got, nearly); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[snap.Kind]uint64{{Of: snap.Attempts, Error: "refused"}: 2, {Of: snap.Closed, Error: "reset"}: 1}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestTheHighestRoundTripIsOfTheWindow(t *testing.T) {
	w := newWorld(t, 10)
	f := curl(1, 0)
	f.RTTs = []float64{0.5}
	w.collect(f)
	f.RTTs = []float64{0.5, 0.002} // the slow one was before
	w.collect(f)
	snapshot := w.snapshot(10)
	if got := snapshot.Edges[0].RTTMax; got != 0.003 {
		t.Errorf("highest round trip %v in the last ten seconds, want 0.003", got)
	}
	if got := w.snapshot(fineSpan).Edges[0].RTTMax; got != 1 {
		t.Errorf("highest round trip %v, want 1", got)
	}
}

func TestActiveIsAState(t *testing.T) {
	w := newWorld(t, 10)
	for _, n := range []int64{4, 9, 2} {
		f := curl(0, 0)
		f.Active = n
		w.collect(f)
	}
	if got := w.snapshot(fineSpan).Edges[0].Active; got != 2 {
		t.Errorf("%d active, want the last 2", got)
	}
	w.pass(4 * time.Minute) // without a report
	w.wantEdges("curl -> nginx:80 node 0/0")
	if got := w.snapshot(fineSpan).Edges[0].Active; got != 0 {
		t.Errorf("%d active after silence, want 0", got)
	}
}

func TestLargeFiguresAreExact(t *testing.T) {
	w := newWorld(t, 10)
	big := int64(1)<<40 + 7
	w.collectAs(feedtest.Delta, curl(big, 1<<32-1))
	w.collectAs(feedtest.Delta, curl(big, 1<<32-1))
	f := curl(0, 0)
	f.Attempts = map[string]int64{"": 65535}
	f.Retransmits = 70000
	w.collectAs(feedtest.Delta, f)
	w.wantEdges("curl -> nginx:80 node 2199023255566/8589934590")
	e := w.snapshot(coarseSpan).Edges[0]
	if e.Attempts != 65535 || e.Retransmits != 70000 {
		t.Errorf("%d attempts and %d retransmits, want 65535 and 70000", e.Attempts, e.Retransmits)
	}
}

func TestHalf(t *testing.T) {
	for _, ticks := range []uint64{0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 1 << 20, 1<<32 + 12345, 1 << 60} {
		got := newHalf(ticks).ticks()
		if ticks == 1<<60 { // beyond what can be held
			if want := uint64(4095) << 30; got != want {
				t.Errorf("%d ticks are %d, want %d", ticks, got, want)
			}
			continue
		}
		if off := max(got, ticks) - min(got, ticks); off*2048 > ticks {
			t.Errorf("%d ticks are %d", ticks, got)
		}
	}
}
