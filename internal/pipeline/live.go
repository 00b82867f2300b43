package pipeline

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// A Trigger is why a live connection is reported.
type Trigger uint8

const (
	NoTrigger  Trigger = iota // it is not, or the connection has ended
	Periodic                  // it has been open for an interval
	Resent                    // many segments were sent again since the last snapshot
	SlowerPath                // the round-trip time rose since the last snapshot
)

// What counts as a rise between two snapshots.
const (
	resentSegments = 10  // at least, and
	resentShare    = 100 // one in so many of the segments that were sent
	rttFactor      = 2   // more than so many times as long, and
	rttRise        = 10 * time.Millisecond
)

// live finds the live connections that are events. It remembers what the last snapshot said of each of them.
type live struct {
	enabled  bool
	interval time.Duration
	limit    int // of connections that are remembered
	known    map[conn.ID]look
	next     time.Time // of the next pass that reports every old connection
	periodic bool      // the snapshot is such a pass
	passes   uint32
}

// A look is what a snapshot said of a connection.
type look struct {
	retransmits, segments uint64
	rtt                   time.Duration
	pass                  uint32
}

func newLive(o EventOptions) live {
	return live{enabled: o.Open, interval: o.OpenInterval, limit: o.MaxConnections, known: make(map[conn.ID]look)}
}

// begin comes before a snapshot, and reports whether that has to read every connection.
func (l *live) begin(now time.Time, wanted bool) (all bool) {
	if !l.enabled || !wanted {
		return false
	}
	if l.next.IsZero() {
		l.next = now.Add(l.interval)
	}
	if l.periodic = !now.Before(l.next); l.periodic {
		l.next = now.Add(l.interval)
	}
	return l.periodic
}

// end comes after a snapshot. A connection that was absent from two passes over all has ended, and its end was lost.
func (l *live) end(all bool) {
	l.periodic = false
	if !all {
		return
	}
	l.passes++
	for id, k := range l.known {
		if l.passes-k.pass > 2 {
			delete(l.known, id)
		}
	}
}

// see takes a report of any connection, and returns why it is an event while it is live.
func (l *live) see(c *conn.Conn) Trigger {
	if !l.enabled {
		return NoTrigger
	}
	before, known := l.known[c.ID]
	if c.Phase != conn.Open {
		delete(l.known, c.ID)
		return NoTrigger
	}
	if known || len(l.known) < l.limit {
		l.known[c.ID] = look{c.Counts[conn.Retransmits], c.Counts[conn.SegmentsSent], c.RTT, l.passes}
	}
	switch {
	case known && before.resent(c):
		return Resent
	case known && before.slower(c):
		return SlowerPath
	case l.periodic && (c.Age == 0 || c.Age >= l.interval):
		return Periodic
	}
	return NoTrigger
}

func (k look) resent(c *conn.Conn) bool {
	again, sent := c.Counts[conn.Retransmits]-k.retransmits, c.Counts[conn.SegmentsSent]-k.segments
	return c.Counts[conn.Retransmits] >= k.retransmits+resentSegments && again*resentShare >= sent
}

func (k look) slower(c *conn.Conn) bool {
	return k.rtt > 0 && c.RTT > rttFactor*k.rtt && c.RTT >= k.rtt+rttRise
}
