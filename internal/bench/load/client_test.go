//go:build linux

package load

import (
	"errors"
	"testing"
	"time"
	"unsafe"
)

// After an operation has failed the client reports what it did, and stops at once.
func TestRepeatStopsAtAnError(t *testing.T) {
	broken := errors.New("broken")
	c := &client{samples: make([]time.Duration, 0, 10)}
	err := c.repeat(Order{For: time.Hour}, func() error {
		if c.report.Operations == 3 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || c.report.Operations != 3 || len(c.samples) != 3 {
		t.Errorf("%v after %d operations, of which %d are timed", err, c.report.Operations, len(c.samples))
	}
}

// Operations beyond the room for samples are counted and not timed: nothing is allocated while the client runs.
func TestRepeatAllocatesNothing(t *testing.T) {
	c := &client{samples: make([]time.Duration, 0, 2)}
	first := unsafe.SliceData(c.samples)
	if err := c.repeat(Order{For: 5 * time.Millisecond}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if c.report.Operations < 3 || len(c.samples) != 2 || unsafe.SliceData(c.samples) != first {
		t.Errorf("%d operations, %d samples in a slice of %d", c.report.Operations, len(c.samples), cap(c.samples))
	}
}

// With a rate, operations that come too late are caught up with; none comes early.
func TestRepeatCatchesUp(t *testing.T) {
	c := &client{}
	var began []time.Duration
	start := time.Now()
	err := c.repeat(Order{For: 100 * time.Millisecond, Rate: 100}, func() error {
		began = append(began, time.Since(start))
		if len(began) == 1 {
			time.Sleep(45 * time.Millisecond) // four are due by then
		}
		return nil
	})
	if err != nil || len(began) > 11 {
		t.Fatalf("%d operations in 100 ms at 100 a second, %v", len(began), err)
	}
	for i, at := range began {
		if due := time.Duration(i) * 10 * time.Millisecond; at < due {
			t.Errorf("operation %d began at %v, before %v", i, at, due)
		}
	}
	if len(began) > 4 && began[4]-began[1] > 20*time.Millisecond {
		t.Errorf("operations 1 to 4 were late, and began at %v", began[1:5])
	}
}

// The time between two operations that a rate makes is not part of the next one's duration.
func TestRepeatTimesOperationsOnly(t *testing.T) {
	c := &client{samples: make([]time.Duration, 0, 10)}
	if err := c.repeat(Order{For: 90 * time.Millisecond, Rate: 20}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	for i, d := range c.samples {
		if d > 25*time.Millisecond {
			t.Errorf("operation %d took %v, and did nothing", i, d)
		}
	}
}

// A run begins without the samples and operations of the last one. Connections and bytes are since the start.
func TestRunsAreSeparate(t *testing.T) {
	c := &client{role: Churn, samples: []time.Duration{time.Hour, time.Hour}}
	c.report = Report{Operations: 7, Connections: 7, Sent: 700}
	got, err := c.do(Order{Do: "run"}) // for no time
	if want := (Report{Connections: 7, Sent: 700}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// The 99th percentile is that of the sorted durations of a run.
func TestP99(t *testing.T) {
	raw(t)
	_, at, _ := loopback(t)
	c := &client{role: Bulk, to: at, samples: make([]time.Duration, 0, 1000)}
	r, err := c.do(Order{Do: "run"}) // connects, and does nothing
	if err != nil || r.P99 != 0 || r.Connections != 1 {
		t.Errorf("no operation: %+v, %v", r, err)
	}
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1))
	}
	if got := percentile99(sorted); got != 198 {
		t.Errorf("of 1 to 200 it is %d, want 198", got)
	}
	if got := percentile99([]time.Duration{5}); got != 5 {
		t.Errorf("of one it is %d, want 5", got)
	}
}

// Only run is an order of a client.
func TestClientOrders(t *testing.T) {
	for _, order := range []string{"", "open", "Run"} {
		if _, err := (&client{role: Bulk}).do(Order{Do: order}); err == nil {
			t.Errorf("%q: no error", order)
		}
	}
}

// An idle process carries as much in each direction as it reports, and has no connection after it has closed them.
func TestIdleInOneProcess(t *testing.T) {
	raw(t)
	h := &idle{address: "127.1.2.9:9471"}
	for _, o := range []Order{{Do: "open", Count: 3}, {Do: "touch"}} {
		if _, err := h.do(o); err != nil {
			t.Fatalf("%s: %v", o.Do, err)
		}
	}
	if want := (Report{Connections: 3, Sent: 6 * RequestSize, Received: 6 * ResponseSize}); h.report != want {
		t.Errorf("got %+v, want %+v", h.report, want)
	}
	closeSocket(h.ends[1][0]) // one client is gone
	if _, err := h.do(Order{Do: "touch"}); err == nil {
		t.Error("touch of a closed connection: no error")
	}
	h.ends[1][0] = -1 // its descriptor may belong to another file by now
	if _, err := h.do(Order{Do: "close"}); err != nil || len(h.ends) != 0 {
		t.Errorf("%d connections are open, %v", len(h.ends), err)
	}
}

// An idle process without an address opens nothing.
func TestIdleWithoutAnAddress(t *testing.T) {
	h := &idle{address: "here"}
	if r, err := h.do(Order{Do: "open", Count: 1}); err == nil || r != (Report{}) || len(h.ends) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A core that the machine does not have is an error that names it; less than 0 pins to none.
func TestPin(t *testing.T) {
	if err := pin(-1); err != nil {
		t.Error(err)
	}
	if err := pin(1000); err == nil || err.Error() != "pin to core 1000: invalid argument" {
		t.Errorf("got %v", err)
	}
}
