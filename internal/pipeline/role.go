package pipeline

import (
	"github.com/netconn/netconn/internal/conn"
)

// maxListening bounds the listeners that are remembered. Beyond it a role is found without them, or not.
const maxListening = 1 << 16

// A place is a port in a network namespace.
type place struct {
	netns uint32
	port  uint16
}

// listening holds the ports that sockets listen on.
type listening struct {
	places  map[conn.ID]place
	sockets map[place]int // that listen there
}

func newListening() listening {
	return listening{places: make(map[conn.ID]place), sockets: make(map[place]int)}
}

// note takes a report of a listener.
func (l *listening) note(r *conn.Listener) {
	_, known := l.places[r.ID]
	switch at := (place{r.Inode, r.Local.Port()}); {
	case known == !r.Closed:
	case r.Closed:
		delete(l.places, r.ID)
		if l.sockets[at]--; l.sockets[at] <= 0 {
			delete(l.sockets, at)
		}
	case len(l.places) < maxListening:
		l.places[r.ID] = at
		l.sockets[at]++
	}
}

// accepts reports whether a socket listens on the local port of an end.
func (l *listening) accepts(s *conn.Socket) bool {
	return l.sockets[place{s.Namespace.Inode, s.Tuple.Source.Port()}] > 0
}

// role returns the role of an end. A connection that is restored from a checkpoint has had no handshake here, and that
// of one that closes may have been too long ago, so the kernel's counters do not show it. Then the best evidence
// counts: the direction of a translation, the role of the other end, a listener on one of the two ports, and last the
// port numbers.
func (p *Pipeline) role(c *conn.Socket, route *conn.Route, other *conn.End) conn.Role {
	if c.Role != conn.RoleUnknown {
		return c.Role
	}
	if route != nil && route.Server.IsValid() {
		if route.Server == c.Tuple.Source {
			return conn.RoleServer
		}
		return conn.RoleClient
	}
	if other != nil && other.Role != conn.RoleUnknown {
		return opposite(other.Role)
	}
	here, there := p.listening.accepts(c), other != nil && p.listening.accepts(&other.Socket)
	switch {
	case here && !there:
		return conn.RoleServer
	case there && !here:
		return conn.RoleClient
	}
	return c.PortsRole
}

func opposite(r conn.Role) conn.Role {
	if r == conn.RoleClient {
		return conn.RoleServer
	}
	return conn.RoleClient
}
