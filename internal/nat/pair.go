package nat

import (
	"net/netip"

	"github.com/netconn/netconn/internal/conn"
)

// Mirrored tells whether two ends of a connection have each other's addresses, so that nothing was translated between them.
func Mirrored(a, b conn.End) bool { return a.Tuple == b.Tuple.Reverse() }

// Server returns which of the two ends of a connection accepted it. Where neither knows, it is not told.
func Server(a, b conn.End) (server conn.End, known bool) {
	switch {
	case a.Role == conn.RoleServer, b.Role == conn.RoleClient && a.Role == conn.RoleUnknown:
		return a, true
	case b.Role == conn.RoleServer, a.Role == conn.RoleClient:
		return b, true
	}
	return a, false
}

// Between returns the route of a connection of which both ends are on this machine. Doorstep is what the server's own namespace does to
// the packets that the server sends; of ends that are mirrored it is not looked at.
func Between(a, b conn.End, doorstep Step) conn.Route {
	server, known := Server(a, b)
	if !known {
		return strangers(a, b)
	}
	client := a
	if server.ID == a.ID {
		client = b
	}
	asked, actual := client.Tuple.Destination, server.Tuple.Source
	if Mirrored(a, b) {
		return conn.Route{
			NAT: kind(false, false, false, server.Transparent), Client: client.Tuple.Source, Server: actual, Port: actual.Port(),
		}
	}
	r := conn.Route{Client: client.Tuple.Source, Server: actual, Port: actual.Port()}
	snat := client.Tuple.Source != server.Tuple.Destination
	if asked == actual {
		r.NAT = kind(false, false, snat, server.Transparent)
		return r
	}
	r.Asked = asked
	entered, certain := doorway(server, doorstep)
	if certain {
		r.Port = entered.Port()
		r.NAT = kind(entered != actual, entered != asked, snat, server.Transparent)
	}
	return r
}

// doorway returns the address by which the client's packets enter the server's namespace.
func doorway(server conn.End, doorstep Step) (entered netip.AddrPort, certain bool) {
	switch doorstep.Knowledge {
	case Tracked:
		return doorstep.Out.Source, true
	case Absent:
		return server.Tuple.Source, true
	}
	return server.Tuple.Source, false
}

// strangers returns the route of two ends that are both older than netconn and do not tell who connected.
func strangers(a, b conn.End) conn.Route {
	if Mirrored(a, b) {
		return conn.Route{NAT: conn.NATNone}
	}
	return conn.Route{}
}
