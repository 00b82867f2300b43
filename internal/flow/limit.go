package flow

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// limit counts the connections beyond MaxConnections, and remembers when the last of them ended.
type limit struct {
	sealed   bool      // an end was credited that is not remembered, and a live report may still come after it
	since    time.Time // of the last such end
	deferred uint64
}

// Beyond reports whether there is no room for a connection that is not kept. The last eighth is not for failed
// attempts: one process makes more of them than there is room. A live connection is also refused while it may have
// ended beyond the limit: it would be counted a second time, and never end.
func (t *Table) Beyond(c *conn.Conn) bool {
	room := t.config.MaxConnections
	if c.Phase == conn.Failed {
		room -= room / 8
	}
	return len(t.connections)+t.held >= room || c.Phase == conn.Open && t.limit.sealed
}

// creditBeyond counts the totals of a connection that is not kept, if this is its end.
func (t *Table) creditBeyond(c *conn.Conn, now time.Time) {
	if c.Phase == conn.Open {
		t.limit.deferred++
		return
	}
	t.overflowed[ByConnections]++
	if c.Phase != conn.Failed { // no live report comes before or after that of an attempt
		t.limit.sealed, t.limit.since = true, now
	}
	r, _ := t.resource(conn.Owner{})
	t.creditOnce(t.overflow(r), c)
}

// Fresh reports whether a connection was not reported before, and there is room for it.
func (t *Table) Fresh(c *conn.Conn) bool { return t.connections[c.ID] == nil && !t.Beyond(c) }

// Hold says how many Fresh connections the caller keeps until it counts them. They take room as those that are kept
// here do.
func (t *Table) Hold(n int) { t.held = n }

// Count credits a Fresh connection with its only report, that of its end. No other one of it may follow. since is what
// Collected returned when the report was read.
func (t *Table) Count(k *Key, c *conn.Conn, since time.Time) {
	u := established
	if c.Phase == conn.Failed {
		u = failed
	}
	f := t.place(k, nil, u)
	f.coverFrom(since)
	t.creditOnce(f, c)
}

// creditOnce gives a flow what the only report of a connection has.
func (t *Table) creditOnce(f *flow, c *conn.Conn) {
	k := connection{over: true, sample: true}
	var end visit
	end.keep(c)
	k.credit(f, &end, &t.config.Bounds)
}

// unseal runs at each collection. Live reports that the last end overtook have arrived when it is older than life.
func (l *limit) unseal(now time.Time, life time.Duration) {
	if l.sealed && now.Sub(l.since) >= life {
		l.sealed = false
	}
}
