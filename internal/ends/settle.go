package ends

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/nat"
)

// Settle confirms what was asked before the last reading, and asks about what was reported since. More: there are
// answers to confirm after another reading.
func (x *Index) Settle(now time.Time) (more bool) {
	for _, q := range x.begun {
		if x.asked[q.at] == q {
			delete(x.asked, q.at)
			x.conclude(q)
		}
	}
	for _, q := range x.begun {
		if q.subject.record != nil && !q.retrying && len(x.spareLookups) < maxSpare { // or it is there a second time
			q.subject, q.other, q.asks = party{}, party{}, party{}
			clear(q.others)
			x.spareLookups = append(x.spareLookups, q)
		}
	}
	if len(x.begun) > maxSpare {
		x.asked = make(map[packet]*lookup) // or it would keep its size
	}
	x.begun = reuse(x.begun)
	x.ask(now)
	return len(x.asked) > 0
}

// conclude keeps the outcome of a lookup, for both ends if both are here.
func (x *Index) conclude(q *lookup) {
	if q.conflict {
		x.stats.Conflicts++
		q.steps = append(q.steps[:0], displaced(q.steps))
	}
	for _, other := range q.others {
		other.steps = append(other.steps[:0], q.steps...)
		x.conclude(other)
	}
	if !q.alive() {
		return
	}
	end := q.subject.socket()
	switch {
	case !q.paired():
		x.settle(q.subject.record, &end, nat.Follow(end, q.steps), nil)
	case !q.other.live():
		x.settle(q.subject.record, &end, nat.Follow(end, nil), nil)
	default:
		var doorstep nat.Step
		if len(q.steps) > 0 {
			doorstep = q.steps[0]
		}
		other := q.other.socket()
		x.settleBoth(q.subject.record, &end, q.other.record, &other, nat.Between(end, other, doorstep))
	}
}

// displaced returns the first step of a lookup as that of another connection's entry.
func displaced(steps []nat.Step) nat.Step {
	if len(steps) == 0 {
		return nat.Step{}
	}
	return nat.Step{Out: steps[0].Out, Reply: steps[0].Reply}
}

// settleBoth keeps the route of two ends, which share it.
func (x *Index) settleBoth(r *record, end *conn.End, other *record, otherEnd *conn.End, route conn.Route) {
	kept := x.settle(r, end, route, nil)
	if other != r {
		x.settle(other, otherEnd, route, kept)
	}
}

// settle keeps the route of one end, unless a better one is known. Most ends have no route that says more than the
// socket: these share one. What is kept of any other is returned, for the other end to share.
func (x *Index) settle(r *record, end *conn.End, route conn.Route, shared *conn.Route) *conn.Route {
	switch {
	case r.route == nil:
		x.stats.Routes[route.NAT]++
	case r.opposite().connectHook: // the server's end knows less than the client's
	case route.NAT == conn.NATUnresolved && r.route.NAT != conn.NATUnresolved && r.route.Asked.IsValid():
		return r.route // what two sockets tell refutes at most that nothing was translated
	}
	r.state = settled
	switch {
	case obvious(end, &route):
		r.route = &x.plain[route.NAT]
	case shared != nil && *shared == route:
		r.route = shared
	default:
		own := route // or route would be allocated for every connection
		r.route = &own
	}
	return r.route
}

// obvious reports whether a route has no other addresses than the end's socket.
func obvious(e *conn.End, route *conn.Route) bool {
	switch {
	case route.Asked.IsValid():
		return false
	case e.Role == conn.RoleClient:
		return route.Client == e.Tuple.Source && route.Server == e.Tuple.Destination &&
			route.Port == e.Tuple.Destination.Port()
	case e.Role == conn.RoleServer:
		port := e.Tuple.Source.Port()
		if route.NAT == conn.NATUnresolved {
			port = 0 // by which packets enter the server's namespace is not known
		}
		return route.Server == e.Tuple.Source && route.Client == e.Tuple.Destination && route.Port == port
	}
	return !route.Server.IsValid()
}
