package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// Resources may change with each collection, for instance if they contain a time.
func TestResourcesAreBounded(t *testing.T) {
	w := newWorld(t, 5)
	empty := w.Status().Held.Bytes
	for i := range 50 {
		w.collect(flow(program("h", "curl").With(feedtest.Attributes{"now": fmt.Sprint(i)}), dials("nginx", 80), int64(i+1)*10, 0))
	}
	if got := len(w.resources); got > 10 {
		t.Errorf("%d resources are held, want at most 10", got)
	}
	w.wantEdges("curl -> nginx:80 node 300/0") // of the last five minutes
	if tx, _ := w.total(); tx != 500 {
		t.Errorf("%d bytes, want 500", tx)
	}
	if got := w.Status().Held.Bytes - empty; got < 10*resourceBytes {
		t.Errorf("%d bytes more are in use, which is less than the resources are", got)
	}
}

// Who has been silent for long makes room for who is there, and is counted once when it comes back.
func TestSilentStreamsMakeRoomForNewOnes(t *testing.T) {
	w := newWorld(t, 2)
	w.collect(towards(1, 10)...)
	w.collect(towards(4, 10)[1:]...)
	w.pass(200 * time.Second)
	late := towards(5, 10)[4:]
	late[0].Start = w.now
	w.collect(late...)
	if got := w.Status().Dropped.Streams; got == 0 {
		t.Error("a stream that was seen a short while ago has made room")
	}
	w.pass(200 * time.Second)
	late = towards(6, 10)[5:]
	late[0].Start = w.now
	before := w.Status().Dropped.Streams
	w.collect(late...)
	if got := w.Status(); got.Dropped.Streams != before || got.Held.Streams > 4 {
		t.Errorf("%d points had no room after %d, with %d streams", got.Dropped.Streams, before, got.Held.Streams)
	}
	w.collect(towards(1, 13)...) // what it had counted before is in other, or where it was
	w.collect(towards(1, 15)...)
	if tx, _ := w.total(); tx != 4*10+10+2 {
		t.Errorf("%d bytes, want 52", tx)
	}
}

// A delta needs no memory of the one before.
func TestAtTheLimitOfStreamsDeltasAreCounted(t *testing.T) {
	w := newWorld(t, 2)
	for range 3 {
		flows := towards(7, 10)
		for i := range flows {
			flows[i].RTTs = []float64{0.001}
		}
		w.collectAs(feedtest.Delta, flows...)
	}
	if tx, rx := w.total(); tx != 3*70 || rx != 3*140 {
		t.Errorf("totals %d/%d, want 210/420", tx, rx)
	}
	if s := w.Status(); s.Held.Streams != 4 || s.Dropped.Streams != 9 {
		t.Errorf("%d streams and %d points of others, want 4 and the 9 of open connections", s.Held.Streams, s.Dropped.Streams)
	}
}
