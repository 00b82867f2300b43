package pipeline

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// admitted returns what is let in at a rate, by socket cookie.
func admitted(e *events) []uint64 {
	e.admit()
	return cookies(e.unsettled)
}

func failedConn(cookie uint64) conn.Conn {
	c := closedConn(cookie)
	c.Phase, c.Error = conn.Failed, conn.Refused
	return c
}

func slowConn(cookie uint64, rtt time.Duration) conn.Conn {
	c := closedConn(cookie)
	c.RTT = rtt
	return c
}

// If there are more ends than the rate allows, failures come first, and then the slowest connections.
func TestChoiceOfOneReading(t *testing.T) {
	e := newTestEvents(4)
	reset, resent := closedConn(7), closedConn(8)
	reset.Error = conn.Reset
	resent.Counts[conn.Retransmits] = 1
	for _, c := range []conn.Conn{
		slowConn(1, time.Millisecond), slowConn(2, time.Second), slowConn(3, 2*time.Millisecond), failedConn(4), reset, resent,
	} {
		e.add(c, at(0))
	}
	if diff := cmp.Diff([]uint64{4, 7, 8, 2}, admitted(e)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e.stats.Limited != 2 {
		t.Errorf("%d events are limited, want 2", e.stats.Limited)
	}
}

// What the rate allows is in the order of the kernel's reports.
func TestChoiceKeepsTheOrder(t *testing.T) {
	e := newTestEvents(4)
	for _, c := range []conn.Conn{slowConn(1, 1), failedConn(2), slowConn(3, 3)} {
		e.add(c, at(0))
	}
	if got := admitted(e); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
}

// The ends of one reading leave room for failures in the next ones, whatever their number.
func TestChoiceKeepsRoomForFailures(t *testing.T) {
	e := newTestEvents(100)
	now := at(0)
	for reading := range uint64(100) {
		for range 100 {
			e.add(closedConn(0), now)
		}
		e.add(failedConn(1+reading), now)
		now = now.Add(DrainInterval)
	}
	failures := slices.DeleteFunc(admitted(e), func(cookie uint64) bool { return cookie == 0 })
	if len(failures) != 100 {
		t.Errorf("%d failures are events, want all 100", len(failures))
	}
	if got := len(e.unsettled); got > 100*10+125 || got < 100*10 {
		t.Errorf("%d events in ten seconds, want 100 a second and the burst", got)
	}
	if total := uint64(len(e.unsettled)) + e.stats.Limited + e.stats.Full; total != 100*101 {
		t.Errorf("%d events and dropped ones, want %d", total, 100*101)
	}
}

// Failures alone are limited too.
func TestChoiceAmongFailures(t *testing.T) {
	e := newTestEvents(100)
	for second := range int64(10) {
		for i := range uint64(1000) {
			e.add(failedConn(i), at(second))
		}
	}
	e.admit()
	if got := len(e.unsettled); got != 100*10+25 {
		t.Errorf("%d events in ten seconds, want 100 a second and the reserve", got)
	}
}

// One reading may have any number of ends. Few of them are kept, and the most urgent one is among them.
func TestChoiceIsBounded(t *testing.T) {
	e := newTestEvents(10)
	const ends = 100_000
	for i := range uint64(ends) {
		c := closedConn(i)
		if i == ends/2 {
			c.Error = conn.Reset
		}
		e.add(c, at(0))
		if kept := len(e.choice.events); kept >= 2*12 {
			t.Fatalf("%d events are kept", kept)
		}
	}
	got := admitted(e)
	if len(got) != 10 || got[0] != ends/2 || e.stats.Limited != ends-10 {
		t.Errorf("got %v, %d limited", got, e.stats.Limited)
	}
}

// The least rate has no reserve.
func TestChoiceOfOnePerSecond(t *testing.T) {
	e := newTestEvents(1)
	for second := range int64(3) {
		e.add(closedConn(1), at(second))
		e.add(failedConn(2), at(second))
	}
	if got := admitted(e); !slices.Equal(got, []uint64{2, 2, 2}) {
		t.Errorf("got %v, want the failures", got)
	}
}

// Events that no receiver will take are forgotten before they are chosen too.
func TestChoiceIsForgotten(t *testing.T) {
	e := newTestEvents(10)
	e.add(closedConn(1), at(0))
	e.want(false)
	e.want(true)
	if got := admitted(e); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// What a flood of ends costs each of them.
func BenchmarkChoice(b *testing.B) {
	e := newTestEvents(100)
	now := at(0)
	for i := range uint64(b.N) {
		if i%1000 == 0 {
			now = now.Add(DrainInterval)
			e.settle(now, strangers(true))
			e.take()
		}
		e.add(slowConn(i, time.Duration(i*2_654_435_761%1_000_003)), now)
	}
}
