package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// starting returns f with another start.
func starting(f Flow, at time.Time) Flow {
	f.Start = at
	return f
}

// differing are states of one flow: at first, later, as differences, and beside others.
type differing struct{ named, more, overflow, whole, part, listens Flow }

func newDiffering() (f differing) {
	f.named = Flow{
		Key:         toPort(shop, 80),
		Start:       at(0),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 10},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError, conn.NoError)},
		Active:      2,
		Histograms:  [Measures]Histogram{RTT: histogram(1e-3, 2e-3)},
	}
	f.more = f.named
	f.more.Counts[conn.Sent], f.more.Active = 15, 1
	f.more.Outcomes[Ends], f.more.Histograms[RTT] = outcomes(conn.Reset), histogram(1e-3, 2e-3, 4)
	f.overflow = Flow{
		Key: Key{Owner: shop}, Overflow: true, Start: at(0), Connections: true,
		Counts: conn.Counts{conn.SegmentsLost: 1},
	}
	f.whole = f.named
	f.whole.Active, f.whole.Histograms[RTT].Min, f.whole.Histograms[RTT].Max = 0, 0, 0
	f.part = Flow{
		Key: f.named.Key, Start: at(10), Connections: true, Counts: conn.Counts{conn.Sent: 5},
		Outcomes: OutcomeCounts{Ends: outcomes(conn.Reset)}, Histograms: [Measures]Histogram{RTT: histogram(4)},
	}
	f.part.Histograms[RTT].Min, f.part.Histograms[RTT].Max = 0, 0
	f.listens = Flow{Key: Key{Owner: shop, Role: conn.RoleServer}, Start: at(0), Listens: true}
	return f
}

func TestDifferences(t *testing.T) {
	f := newDiffering()
	rows := []struct {
		what        string
		collections [][]Resource // at 10 s, 20 s...
		want        []Resource   // of the last one
	}{
		{"the first one", [][]Resource{{flows(shop, f.named)}}, []Resource{flows(shop, f.whole)}},
		{"what is new", [][]Resource{{flows(shop, f.named)}, {flows(shop, f.more)}}, []Resource{flows(shop, f.part)}},
		{"nothing", [][]Resource{{flows(shop, f.named)}, {flows(shop, f.named)}}, []Resource{flows(shop)}},
		{
			"only active has changed", [][]Resource{{flows(shop, f.named)}, {flows(shop, active(f.named, 7))}},
			[]Resource{flows(shop)},
		},
		{"a listener that drops nothing", [][]Resource{{flows(shop, f.listens)}}, []Resource{flows(shop)}},
		{
			"each resource in its place", [][]Resource{{flows(shop, f.named), flows(bank)}, {flows(shop, f.named), flows(bank, f.named)}},
			[]Resource{flows(shop), flows(bank, starting(f.whole, at(10)))},
		},
		{
			"the overflow is another flow", [][]Resource{{flows(shop, Flow{
				Start: at(0),
			})}, {flows(shop, Flow{Start: at(0)}, f.overflow)}},
			[]Resource{flows(shop, starting(f.overflow, at(10)))},
		},
		{
			"a return", [][]Resource{{flows(shop, f.more)}, {}, {flows(shop, starting(f.named, at(20)))}},
			[]Resource{flows(shop, starting(f.whole, at(20)))},
		},
		{
			"a return at once", [][]Resource{{flows(shop, f.more)}, {flows(shop, starting(f.named, at(10)))}},
			[]Resource{flows(shop, starting(f.whole, at(10)))},
		},
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			d := NewDifferences(at(0))
			var got []Resource
			for i, c := range row.collections {
				got = d.Of(c, at(float64(i+1)*10))
			}
			expect(t, "last", got, row.want...)
		})
	}
}

func active(f Flow, n int64) Flow {
	f.Active = n
	return f
}

// histogram returns one of round-trip times in seconds.
func histogram(samples ...float64) Histogram { return measured(RTT, samples...) }

// measured returns a histogram of samples in seconds, with the default bounds of a measure.
func measured(m Measure, samples ...float64) (h Histogram) {
	for _, s := range samples {
		h.observe(DefaultBounds()[m], time.Duration(s*float64(time.Second)))
	}
	return h
}

// The table goes on counting in the flows that it returned, and the caller may keep what it got.
func TestDifferencesShareNothing(t *testing.T) {
	d := NewDifferences(at(0))
	f := Flow{Key: toPort(shop, 80), Connections: true}
	for m := range f.Histograms {
		f.Histograms[m] = histogram(1)
	}
	rs := []Resource{{Owner: shop, Flows: []*Flow{&f}}}
	first := d.Of(rs, at(10))
	for m := range f.Histograms {
		f.Histograms[m].observe(DefaultBounds()[RTT], time.Second)
	}
	second := d.Of(rs, at(20))
	for _, of := range [][]Resource{first, second} {
		n := of[0].Flows[0]
		for i, h := range n.Histograms {
			if want := histogram(1).Counts; h.Count != 1 || !cmp.Equal(h.Counts, want) {
				t.Errorf("histogram %d since %v: %+v, want counts %v", i, n.Start, h, want)
			}
		}
	}
}

func TestDifferencesForgetWhatIsGone(t *testing.T) {
	d := NewDifferences(at(0))
	d.Of([]Resource{flows(shop, Flow{Key: toPort(shop, 80)}, Flow{Key: toPort(shop, 81)})}, at(10))
	d.Of([]Resource{flows(shop, Flow{Key: toPort(shop, 81)})}, at(20))
	if n := len(d.last); n != 1 {
		t.Errorf("%d flows are remembered, want 1", n)
	}
}

// What was refused is a part of the next differences, also of flows and resources that have expired since. Accepted
// differences are not.
func TestRefusedDifferences(t *testing.T) {
	sent := func(port uint16, n uint64, since float64) Flow {
		return Flow{Key: toPort(shop, port), Start: at(since), Connections: true, Counts: conn.Counts{conn.Sent: n}}
	}
	d := NewDifferences(at(0))
	for i, c := range []struct {
		flows  []Resource
		refuse bool
	}{
		{[]Resource{flows(shop, sent(80, 5, 0), sent(81, 7, 0)), flows(bank, sent(80, 9, 0))}, true},
		{[]Resource{flows(shop, sent(80, 6, 0), sent(81, 7, 0)), flows(bank, sent(80, 9, 0))}, true},
	} {
		d.Of(d.Cover(c.flows), at(float64(i+1)*10))
		if c.refuse {
			d.Refuse()
			d.Refuse() // twice is once
		}
	}
	covered := d.Cover([]Resource{flows(shop, sent(80, 8, 0))})
	got := d.Of(covered, at(30))
	if len(covered) != 2 || covered[1].Owner != bank || len(covered[1].Flows) != 0 {
		t.Fatalf("covered %+v", covered)
	}
	want := map[Key]Flow{
		toPort(shop, 80): sent(80, 8, 0), toPort(shop, 81): sent(81, 7, 0),
		toPort(bank, 80): {Key: toPort(bank, 80), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 9}},
	}
	for _, r := range got {
		for _, f := range r.Flows {
			if w := want[f.Key]; f.Counts != w.Counts || !f.Start.Equal(w.Start) || f.Key.Owner != r.Owner {
				t.Errorf("%v on %v: %v since %v, want %v since %v", f.Key, r.Owner, f.Counts, f.Start, w.Counts, w.Start)
			}
			delete(want, f.Key)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	d.Accept()
	d.Refuse()
	if got := d.Of(d.Cover([]Resource{flows(shop, sent(80, 8, 0))}), at(40)); len(got) != 1 || len(got[0].Flows) != 0 {
		t.Errorf("after they were accepted: %+v", got)
	}
}

// Beyond the limit refused flows are one, so that memory is bounded and the sum holds.
func TestRefusedDifferencesAreBounded(t *testing.T) {
	d := NewDifferences(at(0))
	const each = 1000
	carried := uint64(0)
	for round := range 2 * maxOwed / each { // each round has flows of its own, which expire at once
		r := Resource{Owner: shop}
		for i := range each {
			k := toPort(shop, uint16(i))
			k.Peer[0] = string(rune('a' + round))
			r.Flows = append(r.Flows, &Flow{Key: k, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 1}})
			carried++
		}
		d.Of(d.Cover([]Resource{r}), at(float64(round+1)*10))
		d.Refuse()
	}
	if len(d.owed) > maxOwed+1 {
		t.Errorf("%d flows are kept", len(d.owed))
	}
	sum := uint64(0)
	for _, r := range d.Of(d.Cover(nil), at(1e6)) {
		for _, f := range r.Flows {
			sum += f.Counts[conn.Sent]
		}
	}
	if sum != carried {
		t.Errorf("the sum is %d, want %d", sum, carried)
	}
}

// One refused flow of a resource that has nothing else is enough to cover the resource.
func TestOneRefusedFlowIsCovered(t *testing.T) {
	d := NewDifferences(at(0))
	d.Of([]Resource{flows(shop, Flow{
		Key: toPort(shop, 80), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 5},
	})}, at(10))
	d.Refuse()
	got := d.Of(d.Cover(nil), at(20))
	if len(got) != 1 || len(got[0].Flows) != 1 || got[0].Flows[0].Counts[conn.Sent] != 5 {
		t.Errorf("after it was refused: %+v", got)
	}
}
