package pipeline

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/nat"
	"github.com/netconn/netconn/internal/pair"
)

const (
	// maxTries is how often a connection is asked about whose namespace is not found yet: a tenth of a second apart, for as long as the
	// entry of a connection that was reset lives.
	maxTries = 100
	// maxQueued is how many connections wait to be asked about. When there are more they are asked about at once, which takes a tenth of a
	// second: the ring of ended connections holds a second at ten thousand a second. A snapshot shows both ends of a connection anywhere in
	// it, and who was asked about before is asked about in vain.
	maxQueued = 1 << 17
	// aloneGrace is how long the route of a connection that has no pair is kept: longer than anything waits to be told of an attempt.
	aloneGrace = 5 * time.Second
)

// routes finds the route of each connection once, soon after it was first reported.
//
// What connection tracking says of a packet may be about a newer connection with the same addresses, if the older one has ended and its
// entry gave way. So an answer counts only when the reports that are read after it was given tell of no other connection with the same
// namespace and tuple: one that has begun and ended meanwhile is among them, and of one that is open the entry's state says so.
type routes struct {
	tables  Tables
	pairs   *pair.Index
	clock   func() time.Time
	before  time.Time // when the ends of connections were read before the last time
	queue   []noted
	asked   map[place]*inquiry // answered, and not confirmed yet
	begun   map[conn.ID]bool   // of one round: about whose packets there is an inquiry
	alone   map[conn.ID]*conn.Route
	graves  []grave // of what is alone, oldest first
	simple  [conn.NATTransparent + 1]conn.Route
	last    time.Time // when the ends of connections were last read
	stats   RouteStats
	pending []*inquiry // of one round
	later   []waiting  // what came too early

	attempts  []conn.End         // of those in the queue that were never established, in its order
	questions []conntrack.Lookup // of one round
	spare     []*inquiry         // to be used again
}

// RouteStats counts since the start.
type RouteStats struct {
	Routes    [conn.NATTransparent + 1]uint64 // by kind, each end once, as it was first found
	Contested uint64                          // answers that may be about another connection
}

// A noted connection was reported, and nobody was asked about it yet. The index of pairs knows the rest, but for what was never
// established.
type noted struct {
	sequence conn.Sequence
	id       conn.ID
}

// A waiting end has no route yet.
type waiting struct {
	end      conn.End
	sequence conn.Sequence
	ended    time.Time // at the earliest, if it has
	tries    int       // that came too early
}

// A place is where a packet is known by its tuple alone.
type place struct {
	namespace uint32
	packet    conn.Tuple
}

type grave struct {
	id conn.ID
	at time.Time
}

func newRoutes(t Tables, pairs *pair.Index, clock func() time.Time) *routes {
	r := &routes{
		tables: t, pairs: pairs, clock: clock, last: clock(),
		asked: make(map[place]*inquiry), begun: make(map[conn.ID]bool), alone: make(map[conn.ID]*conn.Route),
	}
	for n := range r.simple {
		r.simple[n].NAT = conn.NAT(n)
	}
	return r
}

// read tells that the ends of connections are about to be read.
func (r *routes) read(now time.Time) { r.before, r.last = r.last, now }

// note takes a report; first tells whether the index of pairs did not know the connection before.
func (r *routes) note(c conn.Conn, first bool, now time.Time) {
	switch {
	case c.Sequence == (conn.Sequence{}):
		if !r.noteAlone(c, now) {
			return
		}
	case !first:
		r.noteEnd(c)
		return
	}
	if len(r.asked) > 0 {
		r.contest(c)
	}
	if r.queue = append(r.queue, noted{c.Sequence, c.ID}); len(r.queue) >= maxQueued {
		r.ask(now)
	}
}

// noteAlone takes a connection that the index of pairs does not keep, and tells whether it is new. As many are kept as there.
func (r *routes) noteAlone(c conn.Conn, now time.Time) (first bool) {
	if _, known := r.alone[c.ID]; known {
		return false
	}
	if r.pairs.Limit > 0 && len(r.alone) >= r.pairs.Limit {
		r.stats.Routes[conn.NATUnresolved]++
		return false
	}
	r.alone[c.ID] = nil
	r.graves = append(r.graves, grave{c.ID, now})
	r.attempts = append(r.attempts, c.End())
	return true
}

// noteEnd takes the end of a connection that was asked about while it was open: by then it may have ended, and the answer be another one's.
func (r *routes) noteEnd(c conn.Conn) {
	if c.Phase == conn.Open || len(r.asked) == 0 {
		return
	}
	at := place{c.Namespace.Inode, c.Tuple}
	if q := r.asked[at]; q != nil && q.asks().ID == c.ID && q.asks().Phase == conn.Open {
		delete(r.asked, at)
		r.later = append(r.later, waiting{end: q.end, sequence: q.sequence, ended: r.before})
	}
}

func (r *routes) contest(c conn.Conn) {
	if q := r.asked[place{c.Namespace.Inode, c.Tuple}]; q != nil && q.asks().ID != c.ID {
		q.contested = true
	}
}

// settle confirms what was asked before the last reports were read, and asks about those. More tells that there is something to confirm.
func (r *routes) settle(now time.Time) (more bool) {
	for _, q := range r.asked {
		if r.conclude(q); len(r.spare) < maxSpare {
			r.spare = append(r.spare, q)
		}
	}
	clear(r.asked)
	r.ask(now)
	return len(r.asked) > 0
}

// of returns the route of a connection; nil: it is not known yet.
func (r *routes) of(c conn.Conn) *conn.Route { return r.route(c.Sequence, c.ID) }

func (r *routes) route(s conn.Sequence, id conn.ID) *conn.Route {
	if s != (conn.Sequence{}) {
		return r.pairs.Route(s, id)
	}
	if route, there := r.alone[id]; there {
		return route
	}
	return &r.simple[conn.NATUnresolved] // there was no room for it
}

// conclude keeps the outcome of an inquiry, for both ends if both are here.
func (r *routes) conclude(q *inquiry) {
	if q.contested {
		r.stats.Contested++
		q.steps = []nat.Step{{Knowledge: nat.Unknown}}
	}
	if !q.paired {
		r.keep(&q.waiting, nat.Follow(q.end, q.steps), nil)
		return
	}
	var doorstep nat.Step
	if len(q.steps) > 0 {
		doorstep = q.steps[0]
	}
	r.keepBoth(&q.waiting, *q.other, nat.Between(q.end, *q.other, doorstep))
}

func (r *routes) keepBoth(w *waiting, other conn.End, route conn.Route) {
	own := r.keep(w, route, nil)
	if other.ID != w.end.ID {
		r.keep(&waiting{end: other, sequence: w.sequence.Reverse()}, route, own)
	}
}

// keep keeps the route of one end, unless a better one is known. Most have none that tells more than the socket: they share one. What is
// kept of any other is returned, for the other end to share.
func (r *routes) keep(w *waiting, route conn.Route, own *conn.Route) (kept *conn.Route) {
	before := r.route(w.sequence, w.end.ID)
	switch {
	case before == nil:
		r.stats.Routes[route.NAT]++
	case route.NAT == conn.NATUnresolved && before.NAT != conn.NATUnresolved && before.Asked.IsValid():
		return before // what two sockets tell refutes at most that nothing was translated
	}
	switch {
	case obvious(&w.end, &route):
		kept = &r.simple[route.NAT]
	case own != nil && *own == route:
		kept = own
	default:
		own := route // route itself would be allocated for every connection
		kept = &own
	}
	if w.sequence == (conn.Sequence{}) {
		r.alone[w.end.ID] = kept
	} else {
		r.pairs.SetRoute(w.sequence, w.end.ID, kept)
	}
	return kept
}

// obvious tells whether a route has no other addresses than the end's socket.
func obvious(e *conn.End, route *conn.Route) bool {
	switch {
	case route.Asked.IsValid():
		return false
	case e.Role == conn.RoleClient:
		return route.Client == e.Tuple.Source && route.Server == e.Tuple.Destination && route.Port == e.Tuple.Destination.Port()
	case e.Role == conn.RoleServer:
		return route.Server == e.Tuple.Source && route.Client == e.Tuple.Destination && route.Port == e.Tuple.Source.Port()
	}
	return !route.Server.IsValid()
}

// expire forgets the routes of attempts.
func (r *routes) expire(now time.Time) {
	gone := 0
	for gone < len(r.graves) && now.Sub(r.graves[gone].at) > aloneGrace {
		delete(r.alone, r.graves[gone].id)
		gone++
	}
	r.graves = append(r.graves[:0], r.graves[gone:]...)
}

// warnings name what is known later than it could be.
func (r *routes) warnings() []string {
	if r.tables.Warnings == nil {
		return nil
	}
	return r.tables.Warnings()
}
