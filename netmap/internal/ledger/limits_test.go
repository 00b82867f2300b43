package ledger

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// What is beyond the edges is one edge. What is beyond the flows is not counted, but for deltas, which need no memory.
func TestLimits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxEdges, c.MaxFlows = 2, 4 })
	flows := []feedtest.Flow{}
	for port := range 6 {
		flows = append(flows, feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", port+1), Tx: 1})
	}
	w.collect(cumulative, flows...)
	_, got := w.flush()
	if diff := gocmp.Diff(shown{
		"io web:v1 -> db:v1 port 1 by client, transmit": "1", "io web:v1 -> db:v1 port 2 by client, transmit": "1",
		"io other -> other by client, transmit":   "2",
		"active web:v1 -> db:v1 port 1 by client": "0", "active web:v1 -> db:v1 port 2 by client": "0",
		"active other -> other by client": "0",
	}, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if s := w.Stats(); s.Flows != 4 || s.Edges != 3 || s.Beyond == 0 || s.Overflow != 2 {
		t.Errorf("%+v", s)
	}
	w.collect(delta, flows...)
	if _, got := w.flush(); got["io other -> other by client, transmit"] != "6" {
		t.Errorf("with deltas of all flows there are %s bytes of others, want 4 more", got["io other -> other by client, transmit"])
	}
	if got := w.Stats().Flows; got != 4 {
		t.Errorf("%d flows are held, want 4", got)
	}
}

// What is silent is forgotten with its open connections, and its edge with it. When it comes back nothing counts twice.
func TestWhatIsSilentIsForgotten(t *testing.T) {
	w := newWorld(t, nil)
	f := feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", 5432), Start: w.now, Tx: 10, Active: 2}
	w.collect(cumulative, f)
	w.flush()
	w.now = w.now.Add(9 * time.Minute)
	if _, got := w.flush(); got["active web:v1 -> db:v1 port 5432 by client"] != "2" {
		t.Errorf("after nine minutes: %v", got)
	}
	w.now = w.now.Add(time.Minute)
	if _, got := w.flush(); len(got) != 0 {
		t.Errorf("after ten minutes: %v", got)
	}
	if s := w.Stats(); s.Flows != 0 || s.Edges != 0 {
		t.Errorf("%+v is held", s)
	}
	f.Tx = 25
	w.collect(cumulative, f)
	f.Tx = 30
	w.collect(cumulative, f)
	if _, got := w.flush(); got["io web:v1 -> db:v1 port 5432 by client, transmit"] != "5" {
		t.Errorf("after its return: %v, want what was counted since", got)
	}
}

// One edge cannot be made to hold any number of errors.
func TestErrorsAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	attempts := map[string]int64{}
	for i := range 100 {
		attempts[fmt.Sprint("error", i)] = 1
	}
	w.collect(delta, feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", 5432), Attempts: attempts})
	_, got := w.flush()
	if n, other := len(got), got["attempts web:v1 -> db:v1 port 5432 by client, _OTHER"]; n > maxErrors+2 || other != "68" {
		t.Errorf("%d points, %s of other errors", n, other)
	}
}

// An agent that is silent for a moment, or a series that moves from edge to edge, leaves no edge and no open connection
// behind.
func TestNothingIsLeftBehind(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 50 {
		f := feedtest.Flow{
			Resource: pod("web", 1).With(feedtest.Attributes{"container.image.tags": []string{fmt.Sprint("v", i)}}),
			Point:    sees("client", "db", 5432), Tx: int64(i + 1), Active: int64(i % 3),
		}
		w.collect(cumulative, f)
	}
	open, sent := int64(0), uint64(0)
	for _, a := range w.accounts {
		open, sent = open+a.open, sent+a.sent.value
	}
	if open != 49%3 || sent != 50 || len(w.accounts) != 50 || len(w.flows) != 1 {
		t.Errorf("%d open connections, %d bytes, %d edges, %d flows", open, sent, len(w.accounts), len(w.flows))
	}
	w.now = w.now.Add(10 * time.Minute)
	if _, got := w.flush(); len(got) != 0 || len(w.ends) != 0 {
		t.Errorf("ten minutes later there are %v, and %d ends", got, len(w.ends))
	}
}

// A crowd is what the agents of a cluster report: by default of 20,000 edges.
func crowd(start time.Time) *feedtest.Crowd {
	return &feedtest.Crowd{Workloads: 1000, Edges: 20_000, Start: start}
}

// BenchmarkAdd takes in one collection of 20,000 flows.
func BenchmarkAdd(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	l := New(Config{Bounds: bounds, MaxEdges: 1 << 20, MaxFlows: 1 << 20, Expiry: time.Hour, Now: func() time.Time { return now }})
	m := crowd(now).Metrics(now.Add(time.Second))
	l.Add(m)
	for i := range b.N {
		feedtest.Grow(m, int64(i+1), now.Add(time.Duration(i+2)*time.Second))
		l.Add(m)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/flow")
}

// BenchmarkFlush makes the message of 20,000 edges.
func BenchmarkFlush(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	l := New(Config{Bounds: bounds, MaxEdges: 1 << 20, MaxFlows: 1 << 20, Expiry: time.Hour, Now: func() time.Time { return now }})
	l.Add(crowd(now).Metrics(now.Add(time.Second)))
	for b.Loop() {
		l.Flush()
	}
	b.ReportMetric(float64(len(l.accounts)), "edges")
}

// BenchmarkMemory measures what a flow takes, with its edge: each has one of its own here.
func BenchmarkMemory(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	m := crowd(now).Metrics(now.Add(time.Second))
	for b.Loop() {
		before := heap()
		l := New(Config{Bounds: bounds, MaxEdges: 1 << 20, MaxFlows: 1 << 20, Expiry: time.Hour, Now: func() time.Time { return now }})
		l.Add(m)
		b.ReportMetric(float64(heap()-before)/float64(len(l.flows)), "B/flow")
		runtime.KeepAlive(l)
	}
}

// A state that is a delta, of a flow that is not held, cannot be added to anything.
func TestStatesBeyondTheFlows(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxFlows = 1 })
	w.collect(delta, feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", 1), Tx: 1, Active: 2},
		feedtest.Flow{Resource: pod("web", 2), Point: sees("client", "db", 1), Tx: 1, Active: 2})
	_, got := w.flush()
	if got["active web:v1 -> db:v1 port 1 by client"] != "2" || got["io web:v1 -> db:v1 port 1 by client, transmit"] != "2" {
		t.Errorf("%v, want the bytes of both, and the open connections of the one that is held", got)
	}
	if s := w.Stats(); s.Beyond != 1 || s.Flows != 1 {
		t.Errorf("%+v", s)
	}
}

// The clock is that of the machine, unless a test brings its own.
func TestTheClockIsTheMachines(t *testing.T) {
	if l := New(Config{}); time.Since(l.flushed) > time.Minute {
		t.Errorf("the ledger began at %v", l.flushed)
	}
}
