package ends

import (
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/nat"
)

// Has reports whether an end with these sequence numbers is kept.
func (x *Index) Has(s conn.Sequence) bool { return x.established[s] != nil }

// Shown returns the views of both ends of a connection if their sockets show the whole route. It keeps neither.
func (x *Index) Shown(a, b *conn.Conn) (views [2]View, shown bool) {
	first, second := a.End(), b.End()
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
