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
	"maps"
	"slices"
	"time"
	"unique"

	"github.com/netconn/netconn/internal/conn"
)

// Grace is how long an end stays to be found after its close, so that the report of the other end, which may come a snapshot later,
// still finds it.
const Grace = 30 * time.Second

// Silence is how long an end stays without any report. Snapshots of all connections come more often than that, so what is silent for so
// long has ended, and the report of it was lost.
const Silence = 20 * time.Minute

// Index holds the ends of all connections that were reported.
type Index struct {
	Limit   int    // how many ends are kept, the closed ones in their grace included; 0: any number
	Refused uint64 // reports of ends that there was no room for

	ends   map[conn.Sequence]end
	closed []closed  // in the order of their closing
	began  time.Time // when Add was first called
	swept  time.Time // when Expire last looked at every end
}

// end is one of two: they have each other's sequence reversed, so each has a key of its own. There may be hundreds of thousands, and a
// map keeps a value of up to 128 bytes in itself: so many ends have one owner that it is kept once.
type end struct {
	id                       conn.ID
	tuple                    conn.Tuple
	owner                    unique.Handle[conn.Owner]
	route                    *conn.Route
	namespace, process       uint32
	seen                     uint32 // seconds since the index began
	role                     conn.Role
	phase                    conn.Phase
	error                    conn.Error
	seenOpening, transparent bool
}

func (e end) public() conn.End {
	return conn.End{
		ID: e.id, Namespace: e.namespace, Process: e.process, Tuple: e.tuple, Role: e.role, Phase: e.phase, Error: e.error,
		SeenOpening: e.seenOpening, Transparent: e.transparent, Owner: e.owner.Value(),
	}
}

type closed struct {
	sequence conn.Sequence
	id       conn.ID
	at       time.Time
}

// New returns an index that knows no connection.
func New() *Index { return &Index{ends: map[conn.Sequence]end{}} }

// Add keeps a report. First tells that it is the first of its connection. A connection that was never established has no other end, and is
// not kept.
func (x *Index) Add(c conn.Conn, now time.Time) (first bool) {
	if c.Sequence == (conn.Sequence{}) {
		return false
	}
	known, there := x.ends[c.Sequence]
	same := there && known.id == c.ID
	if same && known.phase != conn.Open {
		return false // a live report that was overtaken by the end
	}
	if !there && x.Limit > 0 && len(x.ends) >= x.Limit {
		x.Refused++
		return false
	}
	if x.began.IsZero() {
		x.began = now
	}
	e := end{
		id: c.ID, tuple: c.Tuple, owner: unique.Make(c.Owner), namespace: c.Namespace, process: c.Process.PID, seen: x.seconds(now),
		role: c.Role, phase: c.Phase, error: c.Error, seenOpening: c.SeenOpening, transparent: c.Transparent,
	}
	if same {
		e.route = known.route
	}
	x.ends[c.Sequence] = e
	if c.Phase == conn.Closed {
		x.closed = append(x.closed, closed{c.Sequence, c.ID, now})
	}
	return !same
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
	return e.public(), true
}

// Route returns the route that was set for an end; nil: none.
func (x *Index) Route(s conn.Sequence, id conn.ID) *conn.Route {
	if e := x.ends[s]; e.id == id {
		return e.route
	}
	return nil
}

// SetRoute keeps the route of an end with it. Nothing happens if the end is not kept.
func (x *Index) SetRoute(s conn.Sequence, id conn.ID, r *conn.Route) {
	if e, ok := x.ends[s]; ok && e.id == id {
		e.route = r
		x.ends[s] = e
	}
}

// Expire forgets what closed longer than Grace ago, and what has been silent for Silence.
func (x *Index) Expire(now time.Time) {
	gone := 0
	for gone < len(x.closed) && now.Sub(x.closed[gone].at) > Grace {
		c := x.closed[gone]
		if x.ends[c.sequence].id == c.id {
			delete(x.ends, c.sequence)
		}
		gone++
	}
	x.closed = slices.Delete(x.closed, 0, gone)
	x.sweep(now)
}

func (x *Index) sweep(now time.Time) {
	if now.Sub(x.swept) < Silence/4 {
		return
	}
	x.swept = now
	silent := uint32(Silence / time.Second)
	maps.DeleteFunc(x.ends, func(_ conn.Sequence, e end) bool { return x.seconds(now)-e.seen > silent })
}
