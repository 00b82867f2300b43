package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A watch is a clock that a test moves.
type watch struct{ now time.Time }

func (w *watch) time() time.Time { return w.now }

func (w *watch) pass(d time.Duration) time.Time {
	w.now = w.now.Add(d)
	return w.now
}

// epoch is at the begin of a bucket of either length.
func epoch() *watch { return &watch{time.Unix(1_800_000_000, 0)} }

// A world is a store, its clock and what is told to it.
type world struct {
	*watch
	*Store
	t     *testing.T
	began time.Time // of the flows
}

func newWorld(t *testing.T, maxEdges int) *world {
	t.Helper()
	w := epoch()
	s := New(Config{MaxEdges: maxEdges, Now: w.time})
	return &world{watch: w, Store: s, t: t, began: w.now}
}

// collect passes ten seconds and adds what has been collected at their end.
func (w *world) collect(flows ...feedtest.Flow) { w.collectAs(feedtest.Cumulative, flows...) }

func (w *world) collectAs(t feedtest.Temporality, flows ...feedtest.Flow) {
	w.pass(10 * time.Second)
	for i := range flows {
		if flows[i].Start.IsZero() {
			flows[i].Start = w.began
		}
		if flows[i].At.IsZero() {
			flows[i].At = w.now
		}
	}
	w.Add(feedtest.Metrics(t, flows...))
}

// snapshot returns the edges of a window that ends now.
func (w *world) snapshot(window int64) *snap.Snapshot {
	w.t.Helper()
	snapshot, err := w.Snapshot(w.t.Context(), w.Range(window, 0))
	if err != nil {
		w.t.Fatal(err)
	}
	return snapshot
}

// history returns the steps of the sum of some edges.
func (w *world) history(snapshot *snap.Snapshot, edges ...int) []snap.Step {
	w.t.Helper()
	var steps []snap.Step
	err := snapshot.History.Read(w.t.Context(), [][]int{edges}, snap.All, func(_ int, s snap.Step) { steps = append(steps, s) })
	if err != nil {
		w.t.Fatal(err)
	}
	return steps
}

// edges describes those of the last five minutes as lines, in order.
func (w *world) edges() []string { return describe(w.snapshot(fineSpan)) }

// hour describes those of the last hour.
func (w *world) hour() []string { return describe(w.snapshot(coarseSpan)) }

// describe writes an edge as: client -> server:port scope tx/rx.
func describe(snapshot *snap.Snapshot) []string {
	lines := []string{}
	for i := range snapshot.Edges {
		e := &snapshot.Edges[i]
		lines = append(lines, fmt.Sprintf("%s -> %s:%d %v %d/%d", named(e.Client), named(e.Server), e.Link.Port, e.Link.Scope, e.Tx, e.Rx))
	}
	slices.Sort(lines)
	return lines
}

func named(e *edge.End) string {
	switch name := e.Get(names.TagName); {
	case e.Kind() == edge.Other:
		return "other"
	case name == "":
		return e.Get(names.TagType)
	case e.Has(names.TagContainer) && e.Get(names.TagContainer) != name:
		return name + "/" + e.Get(names.TagContainer)
	default:
		return name
	}
}

// program is a host's process.
func program(host, executable string) feedtest.Attributes {
	return feedtest.Attributes{"host.id": host, "host.name": host, "process.executable.name": executable}
}

// dials is what a client's point says of a server on the same host.
func dials(peer string, port int) feedtest.Attributes {
	return feedtest.Attributes{
		"netconn.role": "client", "network.transport": "tcp", "server.port": port,
		"netconn.peer.type": "host", "netconn.peer.scope": "node", "netconn.peer.name": peer,
	}
}

// serves is what a server's point says of a client on the same host.
func serves(peer string, port int) feedtest.Attributes {
	return dials(peer, port).With(feedtest.Attributes{"netconn.role": "server"})
}

// total adds up all edges of the last hour.
func (w *world) total() (tx, rx uint64) {
	snapshot := w.snapshot(coarseSpan)
	for i := range snapshot.Edges {
		tx += snapshot.Edges[i].Tx
		rx += snapshot.Edges[i].Rx
	}
	return tx, rx
}
