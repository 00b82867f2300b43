package store

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// live returns the bytes of the heap that are in use. Interned labels are given up one collection after another, so it
// collects until nothing more goes.
func live() uint64 {
	var m runtime.MemStats
	for before := uint64(math.MaxUint64); ; before = m.HeapAlloc {
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // the runtime removes what nothing refers to in the background
		runtime.ReadMemStats(&m)
		if m.HeapAlloc+1<<12 > before {
			return m.HeapAlloc
		}
	}
}

// long returns a flow whose labels are as long as they may be, each another one.
func long(i int, began, at time.Time) feedtest.Flow {
	label := func(name string) string { return fmt.Sprintf("%s-%06d-%s", name, i, strings.Repeat("Ab", 100)) }
	resource, point := feedtest.Attributes{"host.id": "h"}, feedtest.Attributes{
		"netconn.role": "client", "network.transport": "tcp", "server.port": 80, "netconn.peer.type": "pod",
		"netconn.peer.scope": "remote",
	}
	for _, name := range []string{
		"container.id", "container.image.name", "container.image.tags", "k8s.container.name", "k8s.deployment.name",
		"k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "service.name", "service.namespace", "process.executable.name",
	} {
		resource[name] = label(name)
	}
	for _, name := range []string{
		"netconn.peer.name", "netconn.peer.k8s.namespace.name", "netconn.peer.k8s.workload.name", "netconn.peer.container.name",
		"netconn.peer.container.image.tag", "service.peer.name", "service.peer.namespace", "netconn.original_destination.name",
	} {
		point[name] = label(name)
	}
	return feedtest.Flow{Resource: resource, Point: point, Start: began, At: at, Tx: 10, Rx: 20, RTTs: []float64{0.001}}
}

// feed adds flows in messages of a size that a batch has, and collects what they leave behind.
func feed(s *Store, n int, flow func(i int) feedtest.Flow) {
	var flows []feedtest.Flow
	for i := range n {
		if flows = append(flows, flow(i)); len(flows) == 50 || i == n-1 {
			s.Add(feedtest.Metrics(feedtest.Cumulative, flows...))
			flows = flows[:0]
		}
	}
}

// What the status reports is what the heap holds, whatever the labels are.
func TestBytesAreThoseOfTheHeap(t *testing.T) {
	const edges = 4000
	crowd := feedtest.Crowd{Workloads: 500, Edges: edges}
	for name, fill := range map[string]func(s *Store, w *watch){
		"labels of a cluster": func(s *Store, w *watch) {
			crowd.Start = w.now
			m := crowd.Metrics(w.now)
			for n := range int64(30) {
				s.Add(m)
				feedtest.Grow(m, n+1, w.pass(10*time.Second))
			}
		},
		"long labels": func(s *Store, w *watch) {
			began := w.now
			for range 3 {
				at := w.pass(10 * time.Second)
				feed(s, edges, func(i int) feedtest.Flow { return long(i, began, at) })
			}
		},
	} {
		before := live()
		w := epoch()
		s := New(Config{MaxEdges: edges, Now: w.time})
		fill(s, w)
		for _, window := range []int64{fineSpan, coarseSpan, 60} {
			_, _ = s.Snapshot(t.Context(), s.Range(window, 0))
		}
		status := s.Status().Held
		heap := float64(live() - before)
		t.Logf("%s: %d edges, %.1f MB, and %.1f MB by the status", name, status.Edges, heap/1e6, float64(status.Bytes)/1e6)
		if off := math.Abs(float64(status.Bytes)-heap) / heap; off > 0.2 {
			t.Errorf("%s: the status is off by %.0f %%, want at most 20 %%", name, 100*off)
		}
		runtime.KeepAlive(s)
	}
}

// The budget holds whatever the labels are. Edges beyond it are counted as others, and idle ones make room for new ones.
func TestTheBudgetHolds(t *testing.T) {
	const budget, edges = 8 << 20, 4000
	before := live()
	w := epoch()
	s := New(Config{MaxEdges: 100_000, MaxBytes: budget, Now: w.time})
	began := w.now
	at := w.pass(10 * time.Second)
	feed(s, edges, func(i int) feedtest.Flow { return long(i, began, at) })
	status := s.Status()
	if status.Held.Edges < 500 || status.Held.Edges >= edges || status.Held.MaxBytes != budget {
		t.Errorf("%d edges are held, want a part of %d", status.Held.Edges, edges)
	}
	if heap := int(live() - before); heap > budget*6/5 || status.Held.Bytes > budget {
		t.Errorf("%d bytes on the heap, %d by the status, want at most %d", heap, status.Held.Bytes, budget)
	}
	if tx := totalOf(t, s); tx != 10*edges {
		t.Errorf("%d bytes of payload, want all %d", tx, 10*edges)
	}
	for i := range 20 { // the others have long been idle
		at := w.pass(time.Minute)
		feed(s, 10, func(j int) feedtest.Flow { return long(edges+10*i+j, at.Add(-time.Second), at) })
	}
	status = s.Status()
	last := long(edges+199, at, at).Resource["k8s.pod.name"].(string)
	held := false
	for slot := range s.reports {
		held = held || s.reports[slot].Local != nil && strings.HasPrefix(last, s.reports[slot].Local.Get(names.TagPod))
	}
	if !held || status.Held.Folded == 0 || status.Held.Bytes > budget {
		t.Errorf("the newest edge is held: %v; %+v", held, status.Held)
	}
	if tx := totalOf(t, s); tx != 10*(edges+200) {
		t.Errorf("%d bytes of payload, want all %d", tx, 10*(edges+200))
	}
	runtime.KeepAlive(s)
}

func totalOf(t *testing.T, s *Store) (tx uint64) {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), s.Range(coarseSpan, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range snapshot.Edges {
		tx += snapshot.Edges[i].Tx
	}
	return tx
}

// After all has expired, nothing is counted any longer.
func TestBytesOfAnEmptyStore(t *testing.T) {
	w := newWorld(t, 100)
	empty := w.Status().Held.Bytes
	f := curl(1, 1)
	f.Attempts = map[string]int64{"": 1, "refused": 2, "reset": 3}
	f.RTTs, f.Shakes = []float64{0.1}, []float64{0.2}
	w.collect(f, long(1, w.began, w.now))
	if w.memory.text == 0 || w.memory.streams == 0 || w.memory.keys == 0 || w.Status().Held.Bytes <= empty {
		t.Errorf("nothing is counted: %+v", w.memory)
	}
	w.pass(2 * time.Hour)
	w.Status()
	if m := &w.memory; len(m.texts) != 0 || m.text != 0 || m.streams != 0 || m.keys != 0 {
		t.Errorf("an empty store has %d texts of %d bytes, %d bytes of streams, %d of keys", len(m.texts), m.text, m.streams, m.keys)
	}
}

// At its limit, a bucket counts other errors of each slot, and loses none.
func TestOutcomesAreBounded(t *testing.T) {
	const limit = 2 * chunk
	var b bucket
	total := uint64(0)
	for slot := range uint32(limit) {
		for kind := range uint8(4) {
			b.count(slot, kind, 9, 1, limit)
		}
	}
	for _, o := range b.outcomes {
		total += uint64(o.n)
	}
	b.compact()
	if total != 4*limit || len(b.outcomes) > 2*limit {
		t.Errorf("%d outcomes of %d, want all of %d", len(b.outcomes), total, 4*limit)
	}
}

// A stream that is not kept is not counted.
func TestStreamsThatAreNotKept(t *testing.T) {
	w := newWorld(t, 1)
	for range 5 {
		flows := towards(7, 10)
		for i := range flows {
			flows[i].Attempts = map[string]int64{"": 1, "refused": 1}
		}
		w.collectAs(feedtest.Delta, flows...)
	}
	sum := 0
	for _, s := range w.streams {
		sum += s.bytes()
	}
	if len(w.streams) != 2 || w.memory.streams != sum {
		t.Errorf("%d streams of %d bytes are counted as %d", len(w.streams), sum, w.memory.streams)
	}
}
