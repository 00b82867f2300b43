package flow

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// sums are what the flows of all resources add up to.
type sums struct {
	Counts   conn.Counts
	Outcomes OutcomeCounts
	Active   int64
	Drops    uint64
	Samples  uint64
}

func (s *sums) add(f Flow) {
	s.Counts = s.Counts.Add(f.Counts)
	for k := range f.Outcomes {
		for e := range f.Outcomes[k] {
			s.Outcomes[k][e] += f.Outcomes[k][e]
		}
	}
	s.Active += f.Active
	s.Drops += f.ListenDrops
	s.Samples += f.Histograms[Handshake].Count
}

// expected returns what all flows, shown and retired, must add up to.
func (w *world) expected() sums {
	var n sums
	n.Counts[conn.Sent], n.Counts[conn.Received] = w.losses[conn.LostSent], w.losses[conn.LostReceived]
	n.Counts[conn.Retransmits] = w.losses[conn.LostRetransmits]
	attempts, ends := &n.Outcomes[Attempts], &n.Outcomes[Ends]
	attempts[conn.NoError], attempts[conn.Lost] = w.losses[conn.LostOpenings], w.losses[conn.LostFailures]
	ends[conn.Lost] = w.losses[conn.LostCloses]
	for _, d := range w.reported {
		n.Drops += d
	}
	for _, s := range w.sockets {
		if !s.kept || !s.credit(w.now) {
			continue
		}
		n.Counts = n.Counts.Add(s.creditedC)
		if s.reported.SeenOpening {
			attempts[s.attempt()]++
		}
		if s.reported.Handshake > 0 {
			n.Samples++
		}
		switch {
		case s.lost:
			ends[conn.Lost]++
		case s.reportedEnd && s.reported.Phase == conn.Closed:
			ends[s.reported.Error]++
		case !s.reportedEnd:
			n.Active++
		}
	}
	return n
}

// credit reports whether a socket is credited by now, and remembers the totals: the sent bytes of its end may be lower.
func (s *socket) credit(now time.Time) bool {
	s.credited = s.credited || !now.Before(s.settles) || now.Sub(s.first) >= 2*time.Second
	if s.credited {
		before := s.creditedC[conn.Sent]
		s.creditedC = s.reported.Counts
		s.creditedC[conn.Sent] = max(before, s.creditedC[conn.Sent])
	}
	return s.credited
}

func (s *socket) attempt() conn.Error {
	if s.reported.Phase == conn.Failed {
		return s.reported.Error
	}
	return conn.NoError
}

// check compares a collection with what it must be.
func (w *world) check(rs []Resource) {
	w.t.Helper()
	shown := make(map[identity]Flow)
	for _, r := range rs {
		w.checkLimits(r)
		for _, f := range r.Flows {
			shown[identity{key: f.Key, overflow: f.Overflow}] = *f
		}
	}
	if len(rs) > w.config.MaxResources+1 {
		w.t.Fatalf("%d resources, limit %d", len(rs), w.config.MaxResources)
	}
	for id, old := range w.shown {
		w.checkSuccession(old, shown[id])
	}
	w.shown = shown

	got := w.retired
	for _, f := range shown {
		got.add(f)
	}
	if diff := cmp.Diff(w.expected(), got); diff != "" {
		w.t.Fatalf("collection %d (-want +got):\n%s", w.round, diff)
	}
	if s := w.table.Stats(); s.Late != w.late || s.Deferred != w.deferred || s.Beyond[ByConnections] != w.beyond {
		w.t.Fatalf("%d late, %d deferred, %d beyond the limit; want %d, %d, %d",
			s.Late, s.Deferred, s.Beyond, w.late, w.deferred, w.beyond)
	}
	if n := len(w.table.connections); n > w.config.MaxConnections {
		w.t.Fatalf("%d connections are kept, limit %d", n, w.config.MaxConnections)
	}
}

// checkDifferences adds up what each collection has that is new: that is everything, once.
func (w *world) checkDifferences(rs []Resource) {
	w.t.Helper()
	for _, r := range rs {
		for _, f := range r.Flows {
			nothing := Flow{
				Key: f.Key, Overflow: f.Overflow, Start: w.last, Connections: f.Connections, Listens: f.Listens,
			}
			if !f.Start.Equal(w.last) || f.Active != 0 || cmp.Equal(*f, nothing, options()...) {
				w.t.Fatalf("nothing new, or not since the last collection: %+v", *f)
			}
			w.moved.add(*f)
		}
	}
	want := w.expected()
	want.Active = 0
	if diff := cmp.Diff(want, w.moved); diff != "" {
		w.t.Fatalf("differences up to collection %d (-want +got):\n%s", w.round, diff)
	}
}

func (w *world) checkLimits(r Resource) {
	named, listens := 0, 0
	for _, f := range r.Flows {
		if f.Key.Owner != r.Owner || f.Active < 0 || f.Start.After(w.last) {
			w.t.Fatalf("impossible flow of %v: %+v", r.Owner, *f)
		}
		switch {
		case f.Overflow:
		case f.Connections:
			named++
		default:
			listens++
		}
	}
	if max(named, listens) > w.config.LimitPerResource || len(r.Flows) == 0 {
		w.t.Fatalf("%v has %d flows and %d of listeners, limit %d", r.Owner, named, listens, w.config.LimitPerResource)
	}
}

// checkSuccession compares a flow with what is shown in its place in the next collection: itself with nothing
// that has fallen, nothing, or a new flow that starts no earlier than the last point of the old one.
func (w *world) checkSuccession(old, f Flow) {
	w.t.Helper()
	if !f.Start.Equal(old.Start) {
		if old.Active != 0 || !f.Start.IsZero() && f.Start.Before(w.last) {
			w.t.Fatalf("%+v came after %+v", f, old)
		}
		w.retired.add(old)
		return
	}
	fell := f.ListenDrops < old.ListenDrops
	for c := range f.Counts {
		fell = fell || f.Counts[c] < old.Counts[c]
	}
	for k := range f.Outcomes {
		for e := range f.Outcomes[k] {
			fell = fell || f.Outcomes[k][e] < old.Outcomes[k][e]
		}
	}
	for m := range f.Histograms {
		fell = fell || f.Histograms[m].Count < old.Histograms[m].Count
	}
	if fell {
		w.t.Fatalf("a counter fell (-before +after):\n%s", cmp.Diff(old, f, options()...))
	}
}

// finish lets time pass until everything is reported, and compares with the truth, not only with the reports.
func (w *world) finish() {
	for range 20 { // with a full pass in every other one: the fourth makes room for what was beyond the limit
		w.now = w.now.Add(6 * time.Minute)
		w.scrape()
	}
	open, kept := int64(0), int64(0)
	for _, s := range w.sockets {
		if !s.done {
			open++
		}
		if !s.done && s.kept {
			kept++
		}
	}
	var got sums
	for _, f := range w.shown {
		got.add(f)
	}
	if got.Active != kept || kept != min(open, int64(w.config.MaxConnections)) {
		w.t.Fatalf("%d active, %d open, %d kept", got.Active, open, kept)
	}
	if s := w.table.Stats(); s.Connections != int(kept) || s.Pending != 0 {
		w.t.Fatalf("%d kept, and %+v", kept, s)
	}
}
