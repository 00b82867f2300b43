package pipeline

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

const interval = 5 * time.Minute

// newLiveEvents are of live connections only.
func newLiveEvents() *events {
	e := newEvents(EventOptions{
		Open: true, OpenInterval: interval, MaxConnections: 100, MaxPerSecond: 10, Interval: 10 * time.Second,
	})
	e.want(true)
	return e
}

// A reported has the triggers of events by socket cookie.
type reported map[uint64]Trigger

// snapshot makes one of some connections, and returns what is reported of them.
func (e *events) snapshot(now time.Time, of ...conn.Conn) reported {
	all := e.live.begin(now, e.wanted)
	for _, c := range of {
		e.add(c, now)
	}
	e.live.end(all)
	e.settle(now, strangers(true))
	got := make(reported)
	for _, v := range e.take() {
		got[v.Conn.ID.Cookie] = v.Trigger
	}
	return got
}

func openConn(cookie uint64, change func(*conn.Conn)) conn.Conn {
	c := conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: cookie}, Role: conn.RoleClient}}
	c.Age, c.RTT = time.Hour, time.Millisecond
	c.Counts[conn.SegmentsSent] = 1000
	change(&c)
	return c
}

func nothing(*conn.Conn) {}

func (got reported) want(t *testing.T, what string, want reported) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A pool that never closes is reported at each interval. What is younger than the interval is not, and neither is a
// connection in the collections between two intervals.
func TestLiveConnectionsPeriodically(t *testing.T) {
	e := newLiveEvents()
	pool, old := openConn(1, nothing), openConn(2, func(c *conn.Conn) { c.Age = 0 })
	young := openConn(3, func(c *conn.Conn) { c.Age = interval - time.Second })
	exact := openConn(4, func(c *conn.Conn) { c.Age = interval })
	all := reported{1: Periodic, 2: Periodic, 4: Periodic}
	for _, s := range []struct {
		after time.Duration
		want  reported
	}{
		{0, nil}, {10 * time.Second, nil}, {interval - 1, nil}, {interval, all}, {interval + 10*time.Second, nil},
		{2*interval + 10*time.Second, all}, {3*interval + 9*time.Second, nil}, {3*interval + 10*time.Second, all},
	} {
		e.snapshot(at(0).Add(s.after), pool, old, young, exact).want(t, s.after.String(), s.want)
	}
}

// A connection that becomes worse is reported at once, and once.
func TestLiveConnectionBecomesWorse(t *testing.T) {
	resent := func(segments, again uint64) func(*conn.Conn) {
		return func(c *conn.Conn) {
			c.Counts[conn.SegmentsSent] += segments
			c.Counts[conn.Retransmits] += again
		}
	}
	rtt := func(d time.Duration) func(*conn.Conn) { return func(c *conn.Conn) { c.RTT = d } }
	for name, s := range map[string]struct {
		change func(*conn.Conn)
		want   reported
	}{
		"nothing":                    {nothing, nil},
		"ten segments of a thousand": {resent(1000, 10), reported{1: Resent}},
		"nine segments":              {resent(9, 9), nil},
		"ten segments of many":       {resent(1001, 10), nil},
		"a longer way":               {rtt(12 * time.Millisecond), reported{1: SlowerPath}},
		"a little longer":            {rtt(10 * time.Millisecond), nil},
		"no sample any more":         {rtt(0), nil},
		"both":                       {func(c *conn.Conn) { resent(100, 50)(c); rtt(time.Second)(c) }, reported{1: Resent}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newLiveEvents()
			before := openConn(1, func(c *conn.Conn) { c.Counts[conn.Retransmits] = 5 })
			after := before
			s.change(&after)
			e.snapshot(at(0), before).want(t, "first", nil)
			e.snapshot(at(10), after).want(t, "worse", s.want)
			e.snapshot(at(20), after).want(t, "the same", nil)
		})
	}
}

// Where the way was long, it must become twice as long.
func TestLiveConnectionFarAway(t *testing.T) {
	e := newLiveEvents()
	for i, ms := range []time.Duration{150, 290, 150, 301} {
		want := reported(nil)
		if ms == 301 {
			want = reported{1: SlowerPath}
		}
		e.snapshot(at(int64(i)), openConn(1, func(c *conn.Conn) { c.RTT = ms * time.Millisecond })).want(t, ms.String(), want)
	}
}

// What becomes worse comes before ends, and what is routine after them.
func TestLiveConnectionsAreLimited(t *testing.T) {
	e := newEvents(EventOptions{
		Open: true, Closed: true, OpenInterval: interval, MaxConnections: 100, MaxPerSecond: 2, Interval: 10 * time.Second,
	})
	e.want(true)
	e.snapshot(at(0), openConn(1, nothing), openConn(2, nothing))
	got := e.snapshot(at(300), openConn(1, nothing), closedConn(3),
		openConn(2, func(c *conn.Conn) { c.RTT = time.Second }), openConn(4, nothing))
	got.want(t, "two of four", reported{2: SlowerPath, 3: NoTrigger})
	if e.stats.Limited != 2 {
		t.Errorf("%d events are limited, want 2", e.stats.Limited)
	}
}

// What is remembered of connections goes with them, also if their ends are lost, and has a limit.
func TestLiveConnectionsAreForgotten(t *testing.T) {
	e := newLiveEvents()
	e.snapshot(at(0), openConn(1, nothing), openConn(2, nothing))
	e.snapshot(at(10), closedConn(1))
	if len(e.live.known) != 1 {
		t.Errorf("%d connections are known after an end, want 1", len(e.live.known))
	}
	for i := range int64(4) {
		e.snapshot(at(300*(1+i)), openConn(3, nothing))
	}
	if _, found := e.live.known[conn.ID{Cookie: 2}]; found || len(e.live.known) != 1 {
		t.Errorf("%d connections are known, want 1", len(e.live.known))
	}
	for i := range uint64(200) {
		e.snapshot(at(1201), openConn(i, nothing))
	}
	if len(e.live.known) != 100 {
		t.Errorf("%d connections are known, want 100", len(e.live.known))
	}
	if e.want(false); len(e.live.known) != 0 {
		t.Error("connections are known without a receiver of events")
	}
}

// Without the event, nothing is remembered and no snapshot reads more.
func TestLiveConnectionsByDefault(t *testing.T) {
	e := newTestEvents(10)
	if all := e.live.begin(at(10_000), true); all {
		t.Error("a snapshot reads every connection")
	}
	e.snapshot(at(0), openConn(1, nothing)).want(t, "by default", nil)
	if len(e.live.known) != 0 {
		t.Error("a connection is remembered")
	}
	e = newLiveEvents()
	e.want(false)
	for _, now := range []time.Time{at(0), at(10_000)} {
		if e.live.begin(now, e.wanted) {
			t.Error("a snapshot reads every connection, and there is no receiver of events")
		}
	}
}

// A pass that broke off has not seen every connection, so it forgets none.
func TestLiveConnectionsOfFailedSnapshots(t *testing.T) {
	failure := error(nil)
	p := liveScript(t, func(bool) error { return failure })
	for minute := range int64(10) {
		failure = map[bool]error{true: errors.New("the ring is broken")}[minute > 0]
		if _, err := p.Collect(at(1000 + 60*minute)); (err != nil) != (minute > 0) {
			t.Fatal(err)
		}
	}
	if len(p.events.live.known) != 1 {
		t.Error("the connection is forgotten")
	}
}

// liveScript opens a pipeline with one live connection, which reports it each minute. A snapshot that fails has not
// seen it.
func liveScript(t *testing.T, pass func(all bool) error) *Pipeline {
	t.Helper()
	s := &scripted{now: at(1000), live: []conn.Conn{openConn(1, func(c *conn.Conn) { c.Opened = at(0) })}}
	m := s.machine()
	open := m.Open
	m.Open = func() (Sockets, error) {
		sockets, err := open()
		snapshot := sockets.Snapshot
		sockets.Snapshot = func(all bool, h kernel.Handler) error {
			if err := pass(all); err != nil {
				return err
			}
			return snapshot(all, h)
		}
		return sockets, err
	}
	o := options(t)
	o.Events = EventOptions{Open: true, OpenInterval: time.Minute, MaxPerSecond: 10, Interval: 10 * time.Second}
	p, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	p.WantEvents(true)
	return p
}

// The interval makes the snapshot read idle connections too.
func TestLiveConnectionsOfPipeline(t *testing.T) {
	var passes []bool
	p := liveScript(t, func(all bool) error { passes = append(passes, all); return nil })
	var got []int
	for i := range int64(8) {
		now := at(1000 + 10*i)
		if _, err := p.Collect(now); err != nil {
			t.Fatal(err)
		}
		got = append(got, len(p.Events(now.Add(Patience))))
	}
	if !slices.Equal(got, []int{0, 0, 0, 0, 0, 0, 1, 0}) || passes[5] || !passes[6] || passes[7] {
		t.Errorf("%v events, whole passes %v", got, passes)
	}
}
