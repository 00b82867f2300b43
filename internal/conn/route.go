package conn

import (
	"net/netip"

	"github.com/netconn/netconn/internal/names"
)

// NAT is how the addresses of a connection were translated between its two ends.
type NAT uint8

const (
	NATUnresolved  NAT = iota // not known
	NATNone                   // they were not
	NATRedirect               // the destination, in the namespace that it belongs to
	NATDestination            // the destination, elsewhere
	NATSource                 // the source
	NATBoth                   // the destination and the source
	NATTransparent            // nothing was: the server took packets for another port (TPROXY)
)

var nats = names.NATs()

// String returns the value of the attribute netconn.nat.
func (n NAT) String() string { return nats[n] }

// Route holds the actual endpoints of a connection and the original destination. The zero value: nothing is
// known beyond the socket.
type Route struct {
	NAT            NAT
	Client, Server netip.AddrPort // actual; invalid: those of the sockets
	Asked          netip.AddrPort // original destination; invalid: that of the sockets, as far as is known
	// Port is that of a packet to the server when it enters the server's namespace. 0: the socket's; of an
	// unresolved route at the server, it is not known.
	Port uint16
}

// Remote returns the actual address at the other end of a socket with this tuple, and whether the route knows it.
func (r Route) Remote(t Tuple) (remote netip.AddrPort, known bool) {
	switch {
	case !r.Client.IsValid():
		return t.Destination, false
	case r.Client == t.Source:
		return r.Server, true
	}
	return r.Client, true
}
