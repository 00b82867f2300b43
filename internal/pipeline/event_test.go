package pipeline

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/conn"
)

// newTestEvents are wanted, perSecond at most, between collections that are ten seconds apart.
func newTestEvents(perSecond int) *events {
	e := newEvents(EventOptions{Closed: true, Failed: true, MaxPerSecond: perSecond, Interval: 10 * time.Second})
	e.want(true)
	return e
}

func closedConn(cookie uint64) conn.Conn {
	return conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: cookie}, Phase: conn.Closed, Role: conn.RoleClient}}
}

// strangers have no other end on this machine, and settled tells whether that is certain.
func strangers(settled bool) func(*Event) Identity {
	return func(*Event) Identity { return Identity{settled: settled} }
}

func TestEventsRate(t *testing.T) {
	e := newTestEvents(100)
	for second := range int64(3) {
		for i := range uint64(250) {
			e.add(closedConn(i), at(second))
		}
	}
	e.settle(at(3), strangers(true))
	want := EventStats{Limited: 450}
	if diff := cmp.Diff(want, e.stats); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(e.take()); n != 300 {
		t.Errorf("%d events, want 100 a second", n)
	}
}

// TestEventsRoom keeps within the rate. First no consumer takes the events, then one does.
func TestEventsRoom(t *testing.T) {
	e := newTestEvents(10)
	const seconds = 100
	for second := range int64(seconds) {
		for i := range uint64(10) {
			e.add(closedConn(i), at(second))
		}
	}
	e.admit()
	held := 10 * (10 + 2 + 2) // collections, patience, the burst and parts of seconds
	if diff := cmp.Diff(EventStats{Full: uint64(10*seconds - held)}, e.stats); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	e.settle(at(seconds), strangers(true))
	if n := len(e.take()); n != held {
		t.Errorf("%d events, want %d", n, held)
	}
	if n := len(e.take()); n != 0 {
		t.Errorf("%d events are told twice", n)
	}
	e.add(closedConn(1), at(seconds))
	e.admit()
	if n := len(e.unsettled); n != 1 {
		t.Errorf("%d events wait after there is room again, want 1", n)
	}
}

// TestEventsUsualCollectionsLoseNothing because what is held is what the rate brings in an interval.
func TestEventsUsualCollectionsLoseNothing(t *testing.T) {
	e := newTestEvents(10)
	now, n := at(0), 0
	for range 10 {
		for range 10 * 10 {
			now = now.Add(100 * time.Millisecond)
			e.add(closedConn(1), now)
		}
		e.settle(now, strangers(false))
		n += len(e.take())
	}
	e.settle(now.Add(Patience), strangers(false))
	if n += len(e.take()); n != 1000 || e.stats != (EventStats{}) {
		t.Errorf("%d events of 1000, %+v", n, e.stats)
	}
}

func TestEventsWanted(t *testing.T) {
	e := newTestEvents(10)
	e.add(closedConn(1), at(0))
	e.settle(at(0), strangers(true))
	e.add(closedConn(2), at(0))
	e.want(false)
	e.add(closedConn(3), at(0))
	e.want(true)
	e.add(conn.Conn{Socket: conn.Socket{Phase: conn.Open}}, at(0))
	e.add(closedConn(4), at(0))
	e.settle(at(0), strangers(true))
	if got := cookies(e.take()); !cmp.Equal(got, []uint64{4}) {
		t.Errorf("events of %d, want that of 4 alone", got)
	}
}

// TestEventsSettle holds back what may still find its other end, for two seconds.
func TestEventsSettle(t *testing.T) {
	e := newTestEvents(10)
	known := map[uint64]bool{1: true}
	meet := func(e *Event) Identity { return Identity{settled: known[e.Conn.ID.Cookie]} }
	var got [][]uint64
	for second, ended := range [][]uint64{{1, 2}, {3, 4}, {}, {}} {
		for _, c := range ended {
			e.add(closedConn(c), at(int64(second)))
		}
		e.settle(at(int64(second)), meet)
		got = append(got, cookies(e.take()))
		known[4] = second >= 1
	}
	if diff := cmp.Diff([][]uint64{{1}, nil, {2, 4}, {3}}, got); diff != "" {
		t.Errorf("by second (-want +got):\n%s", diff)
	}
}

func cookies(events []Event) (all []uint64) {
	for _, e := range events {
		all = append(all, e.Conn.ID.Cookie)
	}
	return all
}

func TestParties(t *testing.T) {
	here, there := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	c := conn.Conn{
		Socket: conn.Socket{Tuple: conn.Tuple{Source: here, Destination: netip.MustParseAddrPort("10.96.0.1:80")}},
	}
	tests := map[conn.Role]struct{ server, client netip.AddrPort }{
		conn.RoleClient:  {there, here},
		conn.RoleServer:  {here, there},
		conn.RoleUnknown: {},
	}
	for role, want := range tests {
		c.Role = role
		var known Identity
		known.fill(c, there)
		equal := cmpopts.EquateComparable(netip.AddrPort{})
		if diff := cmp.Diff([]netip.AddrPort{want.server, want.client}, []netip.AddrPort{known.Server, known.Client}, equal); diff != "" {
			t.Errorf("%v (-want +got):\n%s", role, diff)
		}
	}
}

// Events without a receiver need room, settled or not.
func TestEventsThatAreNotTaken(t *testing.T) {
	e := newTestEvents(10)
	for second := range int64(100) {
		for i := range uint64(10) {
			e.add(closedConn(i), at(second))
		}
		e.settle(at(second), strangers(true))
	}
	if held := len(e.settled); held != e.room || e.stats.Full != uint64(1000-e.room) {
		t.Errorf("%d events are held and %d had no room; there is room for %d", held, e.stats.Full, e.room)
	}
}

// Refused events come first in the next message. They take the room of later events, so that there are never more.
func TestEventsAreGivenBack(t *testing.T) {
	e := newTestEvents(10)
	for i := range uint64(10) {
		e.add(closedConn(i), at(0))
	}
	e.settle(at(0), strangers(true))
	refused := e.take()
	e.add(closedConn(10), at(5))
	e.settle(at(5), strangers(true))
	e.putBack(refused)
	var got []uint64
	for _, v := range e.take() {
		got = append(got, v.Conn.ID.Cookie)
	}
	if want := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	full := make([]Event, e.room+5)
	e.putBack(full)
	if n := len(e.settled); n != e.room || e.stats.Full != 5 {
		t.Errorf("%d events are kept, %d dropped; want %d and 5", n, e.stats.Full, e.room)
	}
	e.add(closedConn(11), at(100))
	if e.admit(); len(e.unsettled) != 0 || e.stats.Full != 6 {
		t.Errorf("an event beyond the room: %d kept, %d dropped", len(e.unsettled), e.stats.Full)
	}
	e.want(false)
	if e.putBack(refused); len(e.settled) != 0 {
		t.Error("events without a receiver are kept")
	}
}
