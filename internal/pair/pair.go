// Package pair finds the other end of a connection on the same machine.
//
// The two ends of a TCP connection know the same two initial sequence numbers, which no address translation changes: not the redirect of a
// sidecar, not the DNAT of a service, not masquerading, and not two pods that have the same address. So they pair the ends exactly, in
// whatever network namespaces they are, without asking conntrack. What pairs nothing: a connection through a proxy that opens another one,
// or through SYNPROXY, which replaces the numbers: those are two connections.
//
// In: reports, in any order, repeated or not. Out: for a connection, what its other end last was. Time comes in with each call.
// The index holds an entry a connection until Expire finds it closed for longer than the grace; it is not safe for concurrent use. Beyond
// its limit a connection is not kept: its other end finds nothing then, never another connection.
package pair

import (
	"iter"
	"maps"
	"slices"
	"time"
	"unique"

	"github.com/netconn/netconn/internal/conn"
)

// Grace is how long an end stays to be found after its close, so that the report of the other end, which may come a snapshot later,
// still finds it.
const Grace = 30 * time.Second

// Rest is how long it stays if the other end has closed too: longer than anything waits for the answer who that is.
const Rest = 3 * time.Second

// Silence is how long an end stays without any report. Snapshots of all connections come more often than that, so what is silent for so
// long has ended, and the report of it was lost.
const Silence = 20 * time.Minute

// Index holds the ends of all connections that were reported.
type Index struct {
	Limit   int    // how many ends are kept, the closed ones in their grace included; 0: any number
	Refused uint64 // reports of ends that there was no room for

	ends   map[conn.Sequence]*end
	closed queue     // in the order of their closing, for Rest
	alone  queue     // those that are older, while their other ends live or are not known
	done   []closed  // whose connections nobody will ask about
	spare  []*end    // to be used again
	began  time.Time // when Add was first called
	swept  time.Time // when Expire last looked at every end
}

// maxSpare bounds what is kept to be used again.
const maxSpare = 4096

// end is one of two: they have each other's sequence reversed, so each has a key of its own. There may be hundreds of thousands, and so
// many have one owner that it is kept once.
type end struct {
	id                       conn.ID
	tuple                    conn.Tuple
	owner                    unique.Handle[conn.Owner]
	route                    *conn.Route
	cookie                   uint64 // of namespace
	namespace, process       uint32
	seen                     uint32 // seconds since the index began
	role                     conn.Role
	phase                    conn.Phase
	error                    conn.Error
	seenOpening, transparent bool
	done                     bool
}

func (e *end) public(s conn.Sequence) conn.End {
	return conn.End{
		Socket: conn.Socket{
			ID: e.id, Namespace: conn.Namespace{Inode: e.namespace, Cookie: e.cookie},
			Tuple: e.tuple, Role: e.role, Phase: e.phase, Error: e.error, SeenOpening: e.seenOpening,
			Transparent: e.transparent, Sequence: s,
		},
		Process: e.process,
		Owner:   e.owner.Value(),
	}
}

type closed struct {
	sequence conn.Sequence
	id       conn.ID
	at       time.Duration // since the index began
}

// queue holds ends in the order of their closing. What is taken is given back when it is half of it: not to move all that waits each time.
type queue struct {
	all   []closed
	taken int
}

func (q *queue) push(c closed) { q.all = append(q.all, c) }

func (q *queue) len() int { return len(q.all) - q.taken }

// until takes out the ends that closed before a time.
func (q *queue) until(at time.Duration) iter.Seq[closed] {
	return func(yield func(closed) bool) {
		for q.taken < len(q.all) && q.all[q.taken].at < at {
			q.taken++
			if !yield(q.all[q.taken-1]) {
				break
			}
		}
		if 2*q.taken >= len(q.all) {
			q.all, q.taken = slices.Delete(q.all, 0, q.taken), 0
		}
	}
}

// New returns an index that knows no connection.
func New() *Index { return &Index{ends: map[conn.Sequence]*end{}} }

// Add keeps a report. First tells that it is the first of its connection. A connection that was never established has no other end, and is
// not kept.
func (x *Index) Add(c conn.Conn, now time.Time) (first bool) {
	if c.Sequence == (conn.Sequence{}) {
		return false
	}
	e := x.ends[c.Sequence]
	same := e != nil && e.id == c.ID
	if same && e.phase != conn.Open {
		return false // a live report that was overtaken by the end
	}
	if x.began.IsZero() {
		x.began = now
	}
	if e == nil {
		if x.Limit > 0 && len(x.ends) >= x.Limit {
			x.Refused++
			return false
		}
		e = x.take()
		x.ends[c.Sequence] = e
	}
	route := e.route
	if !same {
		route = nil
	}
	*e = end{
		id: c.ID, tuple: c.Tuple, owner: unique.Make(c.Owner), route: route, cookie: c.Namespace.Cookie, namespace: c.Namespace.Inode,
		process: c.Process.PID, seen: x.seconds(now), role: c.Role, phase: c.Phase, error: c.Error, seenOpening: c.SeenOpening,
		transparent: c.Transparent,
	}
	if c.Phase == conn.Closed {
		x.closed.push(closed{c.Sequence, c.ID, now.Sub(x.began)})
	}
	return !same
}

func (x *Index) take() (e *end) {
	n := len(x.spare)
	if n == 0 {
		return new(end)
	}
	e, x.spare = x.spare[n-1], x.spare[:n-1]
	return e
}

// drop forgets an end.
func (x *Index) drop(s conn.Sequence, e *end) {
	delete(x.ends, s)
	if *e = (end{}); len(x.spare) < maxSpare {
		x.spare = append(x.spare, e)
	}
}

func (x *Index) seconds(now time.Time) uint32 { return uint32(now.Sub(x.began) / time.Second) }

// Other returns the connection's other end, as last reported. A socket that connected to itself is its own other end.
func (x *Index) Other(s conn.Sequence) (conn.End, bool) {
	if s == (conn.Sequence{}) {
		return conn.End{}, false
	}
	return x.End(s.Reverse())
}

// End returns the end of a connection that has these numbers as its own.
func (x *Index) End(s conn.Sequence) (conn.End, bool) {
	e, ok := x.ends[s]
	if !ok {
		return conn.End{}, false
	}
	return e.public(s), true
}

// Unrouted returns an end of a connection if no route was set for it.
func (x *Index) Unrouted(s conn.Sequence, id conn.ID) (conn.End, bool) {
	e := x.ends[s]
	if e == nil || e.id != id || e.route != nil {
		return conn.End{}, false
	}
	return e.public(s), true
}

// Route returns the route that was set for an end; nil: none.
func (x *Index) Route(s conn.Sequence, id conn.ID) *conn.Route {
	if e := x.ends[s]; e != nil && e.id == id {
		return e.route
	}
	return nil
}

// SetRoute keeps the route of an end with it. Nothing happens if the end is not kept.
func (x *Index) SetRoute(s conn.Sequence, id conn.ID, r *conn.Route) {
	if e := x.ends[s]; e != nil && e.id == id {
		e.route = r
	}
}

// Done tells that nobody will ask any more for the other end of one that has closed. When that is so for both, Expire forgets both.
func (x *Index) Done(s conn.Sequence, id conn.ID) {
	e, other := x.ends[s], x.ends[s.Reverse()]
	if e == nil || e.id != id || e.phase == conn.Open {
		return
	}
	e.done = true
	if other != nil && other.done {
		x.done = append(x.done, closed{sequence: s, id: id})
	}
}

// Expire forgets the connections of which all is done, those whose two ends closed longer than Rest ago, the ends that closed longer than
// Grace ago, and what has been silent for Silence.
func (x *Index) Expire(now time.Time) {
	for _, c := range x.done {
		if x.is(c) {
			x.dropBoth(c.sequence)
		}
	}
	x.done = x.done[:0]
	at := now.Sub(x.began)
	for c := range x.closed.until(at - Rest) {
		x.rest(c)
	}
	for c := range x.alone.until(at - Grace) {
		if x.is(c) {
			x.drop(c.sequence, x.ends[c.sequence])
		}
	}
	x.sweep(now)
}

// is tells whether an end that has closed is still there.
func (x *Index) is(c closed) bool {
	e := x.ends[c.sequence]
	return e != nil && e.id == c.id
}

// rest forgets an end and the other one, if that closed no later: in the same second at most.
func (x *Index) rest(c closed) {
	if !x.is(c) {
		return // with the other one, or another connection has the numbers
	}
	other := x.ends[c.sequence.Reverse()]
	if other == nil || other.phase == conn.Open || other.seen > uint32(c.at/time.Second) {
		x.alone.push(c)
		return
	}
	x.dropBoth(c.sequence)
}

func (x *Index) dropBoth(s conn.Sequence) {
	x.drop(s, x.ends[s])
	if other := x.ends[s.Reverse()]; other != nil {
		x.drop(s.Reverse(), other)
	}
}

func (x *Index) sweep(now time.Time) {
	if now.Sub(x.swept) < Silence/4 {
		return
	}
	x.swept = now
	silent := uint32(Silence / time.Second)
	maps.DeleteFunc(x.ends, func(_ conn.Sequence, e *end) bool { return x.seconds(now)-e.seen > silent })
}
