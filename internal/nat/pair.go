package nat

import (
	"net/netip"

	"github.com/netconn/netconn/internal/conn"
)

// Mirrored reports whether two ends of a connection have each other's addresses, so that nothing was translated between
// them.
func Mirrored(a, b conn.End) bool { return a.Tuple == b.Tuple.Reverse() }

// Shown reports whether the sockets of both ends show the whole route, so that connection tracking need not be asked.
func Shown(a, b conn.End) bool {
	server, known := Server(a, b)
	if !known || Mirrored(a, b) {
		return true
	}
	client := a
	if server.ID == a.ID {
		client = b
	}
	return inside(client, server)
}

// inside reports whether the packets of a connection never left the namespace of its ends. A packet that comes back
// from another namespace with an address of this one as its source is dropped as martian (fib_validate_source). So a
// rule elsewhere that sends a packet back here has to change the source too.
func inside(client, server conn.End) bool {
	return client.Namespace.Inode != 0 && client.Namespace == server.Namespace &&
		client.Tuple.Source.Addr() == server.Tuple.Destination.Addr()
}

// Server returns the end of a connection that accepted it, and whether it is known which one that is.
func Server(a, b conn.End) (server conn.End, known bool) {
	switch {
	case a.Role == conn.RoleServer, b.Role == conn.RoleClient && a.Role == conn.RoleUnknown:
		return a, true
	case b.Role == conn.RoleServer, a.Role == conn.RoleClient:
		return b, true
	}
	return a, false
}

// Between returns the route of a connection with both ends on this machine. First is what the server's own namespace
// does to the server's packets. It does not matter if the ends are mirrored.
func Between(a, b conn.End, first Step) conn.Route {
	server, known := Server(a, b)
	if !known {
		return withoutRoles(a, b)
	}
	client := a
	if server.ID == a.ID {
		client = b
	}
	return hooked(between(client, server, first), client)
}

func between(client, server conn.End, first Step) conn.Route {
	asked, actual := client.Tuple.Destination, server.Tuple.Source
	r := conn.Route{Client: client.Tuple.Source, Server: actual, Port: actual.Port()}
	snat := client.Tuple.Source.Addr() != server.Tuple.Destination.Addr()
	if Mirrored(client, server) || asked == actual {
		r.NAT = kind(false, false, snat, server.Transparent)
		return r
	}
	r.Asked = asked
	entered, known := enteredBy(server, asked, first)
	if inside(client, server) {
		entered, known = asked, true
	}
	if !known {
		r.Port = asked.Port()
		return r
	}
	r.Port = entered.Port()
	r.NAT = kind(entered != actual, entered != asked, snat, server.Transparent)
	return r
}

// enteredBy returns the address by which the client's packets enter the server's namespace.
//
// If a port is reused, the entry is of another connection with the same addresses on the server's side. Mostly that is
// no answer. But if it has the original destination of this client too, the namespace redirects that destination to
// this server.
func enteredBy(server conn.End, asked netip.AddrPort, first Step) (entered netip.AddrPort, known bool) {
	switch {
	case first.Knowledge == Unknown && first.Reply && first.Out.Source == asked:
		return asked, true
	case first.Knowledge == Tracked && first.Reply:
		return first.Out.Source, true
	case first.Knowledge == Absent:
		return server.Tuple.Source, true
	}
	return netip.AddrPort{}, false
}

// withoutRoles returns the route of two ends that were both open before netconn started, when neither is known to be
// the server.
func withoutRoles(a, b conn.End) conn.Route {
	if Mirrored(a, b) && !a.ConnectHook && !b.ConnectHook {
		return conn.Route{NAT: conn.NATNone}
	}
	return conn.Route{}
}
