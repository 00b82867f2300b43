package ends

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/nat"
)

// Has reports whether an end with these sequence numbers is kept.
func (x *Index) Has(s conn.Sequence) bool { return x.established[s] != nil }

// Shown returns the views of both ends of a connection if their sockets show the whole route. It keeps neither.
func (x *Index) Shown(first, second conn.End) (views [2]View, shown bool) {
	if !nat.Shown(first, second) {
		return views, false
	}
	route := nat.Between(first, second, nat.Step{})
	for i, other := range []conn.End{second, first} {
		views[i] = View{Route: &route, Other: other, Found: true, Settled: true}
	}
	return views, true
}

// Pass takes the two ends of a connection that has ended, with a route that is Shown, in place of Add. It keeps
// neither.
func (x *Index) Pass(a, b *conn.Conn, route conn.NAT) {
	x.stats.Routes[route] += 2
	if len(x.asked) == 0 {
		return
	}
	for _, c := range []*conn.Conn{a, b} {
		x.findConflict(packet{c.Namespace.Inode, packTuple(c.Tuple)}, c.ID)
	}
}

// PassRefused takes a refused attempt in place of Add, and keeps nothing: its View is the same without a record.
func (x *Index) PassRefused() { x.stats.Routes[conn.NATUnresolved]++ }

// Ref refers to what is kept of a connection, as long as it is.
type Ref struct {
	record *record
	id     conn.ID
}

func (e Ref) live() bool { return e.record != nil && e.record.state != free && e.record.id() == e.id }

// Paired reports whether the other end is known, or may be: there is no record of this one.
func (e Ref) Paired() bool { return !e.live() || e.record.other != nil }

// AddPair takes the two ends of a connection that has ended, in place of Add, in the order of their reports. Only the
// references lead to them: they stay until the caller calls Release for both.
func (x *Index) AddPair(first, second *conn.Conn, now time.Time) (Ref, Ref) {
	a, b := x.take(), x.take()
	a.set(first, &x.owners)
	b.set(second, &x.owners)
	a.other, b.other = b, a
	a.detached, b.detached = true, true
	b.state = asked // together with the first
	if len(x.asked) > 0 {
		x.findConflict(b.packet(), second.ID)
	}
	x.enqueue(a, now)
	return Ref{a, first.ID}, Ref{b, second.ID}
}

// Of returns what is known of a connection, as View does.
func (x *Index) Of(e Ref, c *conn.Conn) View {
	if !e.live() {
		return x.View(c.Sequence, c.ID)
	}
	return x.viewOf(e.record)
}

// Release says that the caller will not ask about a connection any more. Final: it is Done.
func (x *Index) Release(e Ref, final bool) {
	switch r := e.record; {
	case !e.live():
	case r.detached:
		if r.done = true; r.other.done {
			x.free(r.other)
			x.free(r)
		}
	case !final:
	case r.sequence != (conn.Sequence{}):
		x.done(r)
	case r.state == settled:
		x.expireNow(r)
	}
}
