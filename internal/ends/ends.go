// Package ends keeps one record of each end of a connection on this machine: it finds the other end, and the route
// between the two.
//
// The two ends of a TCP connection know the same two initial sequence numbers, which no address translation changes: no
// redirect of a sidecar, no DNAT of a service, no masquerading, and not two pods with the same address. So they match
// the ends exactly, in any network namespaces, without connection tracking. Only SYNPROXY replaces the numbers; the two
// ends stay unpaired then. A proxy opens a second connection of its own.
//
// In: reports, in any order, repeated or not. Out: a View of a connection. For each reading of the kernel the caller
// calls Add for each report, then Settle and Expire; before Settle it may read again, if Cut says so. For two ends in
// one reading, Pass replaces Add if they need no record, and AddPair if only its caller asks about them. Time comes in
// with each call. An Index is not safe for concurrent use.
//
// A record goes through these states:
//
//	queued    the connection was reported, and nothing is known of its route
//	asked     connection tracking has answered, and the answer is not confirmed yet
//	retrying  it is too early to ask: the next Settle asks again
//	settled   the record has a route; a better one may replace it when the other end is reported
//
// Most records settle without a lookup, and without an allocation: the sockets of both ends are enough, unless the
// destination was translated and the ends are in different namespaces. Then one lookup in the server's namespace shows
// where. If the other end is elsewhere,
// lookups follow a packet outward, namespace by namespace.
//
// A conflict: connection tracking knows a packet by its tuple alone, so an answer may be about a later connection with
// the same tuple. Therefore an answer counts only at the Settle after the next reading. A connection with the same
// namespace and tuple that began and ended before the lookup is in that reading. The earlier connection is unresolved
// then, unless the entry has the original destination of its client too: a namespace redirects one destination to one
// server. Two that are asked about at once, between the same addresses on both sides, share one answer. If one that is
// open is asked about and has ended by that reading, it is asked about again.
//
// Each record has one deadline, which reports move. Expire drops what is past it: both ends a moment after the later
// one has closed, or as soon as the caller is Done with both; an unpaired end when no report of the other end can
// follow. Beyond the limit a connection is not kept. Its other end then finds no end, but never a wrong one.
package ends

import (
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/nat"
)

const (
	// grace is how long an unpaired end stays after its close: the report of the other end may come a snapshot later.
	grace = 30 * time.Second
	// silence is how long an end stays without a report. Snapshots of all connections come more often, so the
	// connection has ended, and the report of its end was lost.
	silence = 20 * time.Minute
	// maxRetries is how often a connection is asked about before its namespace is found: a tenth of a second apart, for
	// as long as the entry of a connection lives that was reset.
	maxRetries = 100
	// maxQueued is how many connections wait to be asked about. Beyond it they are asked about at once, which takes a
	// tenth of a second: the ring of ended connections holds two seconds at ten thousand a second. It is high because a
	// snapshot may report the two ends of a connection far apart, and a lookup before the second report is in vain.
	maxQueued = 1 << 17
	// maxAsked is how many questions are asked in one call. With its answer, one takes some 300 bytes, and a first
	// snapshot has a hundred thousand.
	maxAsked = 4096
	// maxSpare bounds the records, and the lookups, that are kept to be used again.
	maxSpare = 4096
)

// Config is how an Index works.
type Config struct {
	Limit int // ends that are kept; so many attempts are kept too; 0: any number
	// how long the caller waits for a view to be settled; records of what has ended stay longer
	Patience time.Duration
	Lookup   Lookup // the zero value: connection tracking cannot be asked
}

// Stats counts since New.
type Stats struct {
	Routes    [conn.NATTransparent + 1]uint64 // ends, by the kind of the route that was found first
	Conflicts uint64                          // answers that may be about another connection
	Refused   uint64                          // reports of ends beyond the limit
}

// Index holds the ends of all connections that were reported.
type Index struct {
	config      Config
	established map[conn.Sequence]*record // each end by its own numbers
	attempts    map[conn.ID]*record       // what was never established has no numbers, and no other end
	names       map[*record]string        // of the other ends, as Name gave them
	spare       []*record
	owners      owners
	stats       Stats

	began    time.Time
	due      wheel
	searched time.Time // when every record was last searched for silence

	queue        []*record
	whole        int                // of the queue: a reading that would have shown their other ends followed; -1: all
	asked        map[packet]*lookup // answered and not confirmed
	begun        []*lookup          // since the last Settle, in order
	retries      []*lookup
	spareLookups []*lookup
	round        []*lookup // that are asked together
	questions    []Question

	plain [conn.NATTransparent + 1]conn.Route // routes with no other addresses than those of the socket, by kind
}

// New returns an index that knows no connection.
func New(c Config, now time.Time) *Index {
	x := &Index{
		config: c, established: make(map[conn.Sequence]*record), attempts: make(map[conn.ID]*record),
		names: make(map[*record]string), asked: make(map[packet]*lookup),
		began: now, searched: now, whole: -1,
	}
	for n := range x.plain {
		x.plain[n].NAT = conn.NAT(n)
	}
	return x
}

// Stats returns the counts so far.
func (x *Index) Stats() Stats { return x.stats }

// Add takes a report. Those of the end of a connection are final. The reference is to what is kept of the connection.
func (x *Index) Add(c *conn.Conn, now time.Time) Ref {
	if c.Sequence == (conn.Sequence{}) {
		return x.addAttempt(c, now)
	}
	r := x.established[c.Sequence]
	switch {
	case r == nil && x.config.Limit > 0 && len(x.established) >= x.config.Limit:
		x.stats.Refused++
	case r == nil:
		r = x.take()
		x.established[c.Sequence] = r
		if r.other = x.established[c.Sequence.Reverse()]; r.other != nil {
			r.other.other = r
		}
		x.begin(r, c, now)
	case r.id() != c.ID: // the numbers are another connection's now
		*r = record{other: r.other}
		delete(x.names, r)
		x.begin(r, c, now)
	case r.phase == conn.Open: // or it is a live report that was overtaken by the end
		r.set(c, &x.owners)
		x.extend(r, now)
		x.recheck(r)
	}
	return Ref{r, c.ID}
}

// addAttempt keeps a connection that was never established, if there is room. One report is all there is of it.
func (x *Index) addAttempt(c *conn.Conn, now time.Time) Ref {
	r := x.attempts[c.ID]
	switch {
	case r != nil:
	case x.config.Limit > 0 && len(x.attempts) >= x.config.Limit:
		x.stats.Routes[conn.NATUnresolved]++
	default:
		r = x.take()
		x.attempts[c.ID] = r
		if c.Error == conn.Refused {
			x.refused(r, c, now)
		} else {
			x.begin(r, c, now)
		}
	}
	return Ref{r, c.ID}
}

// refused keeps a refused attempt. The reset that refused it has deleted its entry (nf_conntrack_proto_tcp.c), so a
// lookup would be in vain.
func (x *Index) refused(r *record, c *conn.Conn, now time.Time) {
	r.set(c, &x.owners)
	x.extend(r, now)
	end := r.socket()
	x.settle(r, &end, nat.Follow(end, nil), nil)
}

// begin keeps the first report of a connection.
func (x *Index) begin(r *record, c *conn.Conn, now time.Time) {
	r.set(c, &x.owners)
	x.extend(r, now)
	x.enqueue(r, now)
}

// enqueue has the next Settle find the route of a record.
func (x *Index) enqueue(r *record, now time.Time) {
	r.state = queued
	if len(x.asked) > 0 {
		x.findConflict(r.packet(), r.id())
	}
	if x.queue = append(x.queue, r); len(x.queue) >= maxQueued {
		x.whole = -1
		x.ask(now)
	}
}

// Cut reports whether the last reading had one end of a connection that has closed: the other one may be in the next.
// If so, read again before Settle. A connection that this reading cuts in two, too, waits for the reading after it.
func (x *Index) Cut() bool {
	x.whole = -1
	if x.config.Lookup.Ask != nil && slices.ContainsFunc(x.queue, (*record).cut) {
		x.whole = len(x.queue)
	}
	return x.whole >= 0
}

// View is what is known of a connection beyond its own reports.
type View struct {
	Route   *conn.Route // nil: not known yet
	Other   conn.End    // the other end, if it was Found, as last reported
	Found   bool        // the other end is on this machine
	Settled bool        // the route of each end that was found is known
	Name    string      // that Name gave the other end; empty: none
}

// View returns what is known of a connection. A socket that connected to itself is its own other end. What was not kept
// beyond the limit has no route: that of an attempt is unresolved.
func (x *Index) View(s conn.Sequence, id conn.ID) (v View) {
	if s == (conn.Sequence{}) {
		v.Route, v.Settled = &x.plain[conn.NATUnresolved], true
		if r := x.attempts[id]; r != nil {
			v.Route, v.Settled, v.Name = r.route, r.route != nil, x.names[r]
		}
		return v
	}
	if r := x.established[s]; r != nil && r.id() == id {
		return x.viewOf(r)
	}
	if other := x.established[s.Reverse()]; other != nil {
		v.Other, v.Found = other.end(), true
	}
	return v
}

// viewOf returns what is known of the connection of a record.
func (x *Index) viewOf(r *record) View {
	v := View{Route: r.route, Settled: r.route != nil}
	if len(x.names) > 0 {
		v.Name = x.names[r]
	}
	if r.other != nil {
		v.Other, v.Found, v.Settled = r.other.end(), true, v.Settled && r.other.route != nil
	}
	return v
}

// Name keeps a name of the other end for as long as the connection. A connection that is not kept has none.
func (x *Index) Name(s conn.Sequence, id conn.ID, name string) {
	r := x.established[s]
	if s == (conn.Sequence{}) {
		r = x.attempts[id]
	}
	if r != nil && r.id() == id {
		x.names[r] = name
	}
}

// Waiting returns how many connections wait for their route to be found, or to be confirmed.
func (x *Index) Waiting() int { return len(x.queue) + len(x.retries) + len(x.asked) }
