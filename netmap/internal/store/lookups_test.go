package store

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// asks is what a client's point of DNS says of a resolver on the same host. It has no transport and no translation.
func asks(peer string) feedtest.Attributes {
	return feedtest.Attributes{
		"netconn.role": "client", "server.port": 53, "netconn.peer.type": "host", "netconn.peer.scope": "node",
		"netconn.peer.name": peer,
	}
}

// answers is what a resolver's point says of a client.
func answers(peer string) feedtest.Attributes {
	return asks(peer).With(feedtest.Attributes{"netconn.role": "server"})
}

func lookups(resource, point feedtest.Attributes, ok, absent, failed, timeouts int64, times ...float64) feedtest.Flow {
	f := feedtest.Flow{Resource: resource, Point: point, Lookups: true, Timeouts: timeouts, LookupTimes: times}
	f.Responses = map[string]int64{"NOERROR": ok, "NXDOMAIN": absent, "SERVFAIL": failed}
	return f
}

// looked returns the figures of the edges with look-ups, by their link.
func (w *world) looked() map[edge.Link]snap.Figures {
	all := map[edge.Link]snap.Figures{}
	snapshot := w.snapshot(fineSpan)
	for i := range snapshot.Edges {
		if e := &snapshot.Edges[i]; e.Lookups > 0 {
			all[e.Link] = e.Figures
		}
	}
	return all
}

// nearly compares figures: sums of times are kept to three digits, and outcomes are in no order.
func (w *world) nearly() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b float64) bool { return a == b || a-b < 1e-3*a && b-a < 1e-3*b }),
		cmp.Transformer("byKind", func(all []snap.Outcome) map[snap.Kind]uint64 {
			m := map[snap.Kind]uint64{}
			for _, o := range all {
				m[w.kinds[o.Kind]] += o.N
			}
			return m
		}),
	}
}

func (w *world) outcomes(of snap.What, counts map[string]uint64) (all []snap.Outcome) {
	for name, n := range counts {
		all = append(all, snap.Outcome{Kind: w.kind(snap.Kind{Of: of, Error: name}), N: n})
	}
	return all
}

func TestLookups(t *testing.T) {
	w := newWorld(t, 10)
	dig := program("h", "dig")
	w.collect(lookups(dig, asks("unbound"), 4, 2, 1, 0, 0.001, 0.002))
	w.collect(lookups(dig, asks("unbound"), 6, 3, 1, 2, 0.001, 0.002, 0.3))
	want := snap.Figures{
		Lookups: 12, LookupTimes: 3, LookupSum: 0.303,
		Outcomes: w.outcomes(snap.Lookups, map[string]uint64{"NXDOMAIN": 3, "SERVFAIL": 1, "timed_out": 2}),
	}
	link := edge.Link{Role: edge.Client, Scope: edge.ScopeNode, Lookups: true, Port: 53}
	if diff := cmp.Diff(map[edge.Link]snap.Figures{link: want}, w.looked(), w.nearly()); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	var sum snap.Figures
	for _, step := range w.history(w.snapshot(fineSpan), 0) {
		sum.Add(&step.Figures)
	}
	if diff := cmp.Diff(want, sum, w.nearly()); diff != "" {
		t.Errorf("sum of the steps (-want +got):\n%s", diff)
	}
}

// A resolver may have connections and look-ups of one client, with the same attributes. They are two edges: the
// client's report of the connections must not hide the resolver's report of the look-ups.
func TestLookupsAreApartFromConnections(t *testing.T) {
	w := newWorld(t, 10)
	for _, transport := range [...]feedtest.Attributes{nil, {"network.transport": "tcp"}} {
		w.collect(
			flow(program("h", "dig"), asks("unbound").With(transport), 100, 200),
			flow(program("h", "unbound"), answers("dig").With(transport), 200, 100),
			lookups(program("h", "unbound"), answers("dig").With(transport), 7, 0, 0, 0, 0.002),
		)
	}
	w.wantEdges("dig -> unbound:53 node 0/0", "dig -> unbound:53 node 0/0", "dig -> unbound:53 node 200/400")
	for link, f := range w.looked() {
		if f.Lookups != 7 || link.Role != edge.Server || !link.Lookups {
			t.Errorf("%+v: %d look-ups", link, f.Lookups)
		}
	}
	if n := len(w.looked()); n != 2 {
		t.Errorf("%d edges with look-ups, want one with the transport and one without", n)
	}
}

// The client's report counts: its time includes the network, and only it has the queries without a response.
func TestLookupsOfBothEnds(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		lookups(program("h", "dig"), asks("unbound"), 4, 0, 0, 1, 0.004),
		lookups(program("h", "unbound"), answers("dig"), 4, 0, 0, 0, 0.001),
	)
	got := slices.Collect(maps.Values(w.looked()))
	want := []snap.Figures{{
		Lookups: 5, LookupTimes: 1, LookupSum: 0.004, Outcomes: w.outcomes(snap.Lookups, map[string]uint64{"timed_out": 1}),
	}}
	if diff := cmp.Diff(want, got, w.nearly()); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

// What a map at its limit folds, it does not lose.
func TestLookupsBeyondTheLimit(t *testing.T) {
	w := newWorld(t, 1)
	w.collect(lookups(program("h", "dig"), asks("unbound"), 4, 1, 0, 0, 0.002))
	w.pass(2 * time.Minute)
	w.collect(lookups(program("h", "nslookup"), asks("dnsmasq"), 3, 0, 0, 0, 0.001))
	want := uint64(0)
	snapshot := w.snapshot(coarseSpan)
	var times float64
	for i := range snapshot.Edges {
		want += snapshot.Edges[i].Lookups
		times += snapshot.Edges[i].LookupSum
	}
	if want != 8 || times < 0.00299 || times > 0.00301 {
		t.Errorf("%d look-ups in %v s, want 8 in 3 ms", want, times)
	}
}
