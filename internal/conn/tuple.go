package conn

import (
	"net/netip"

	"github.com/netconn/netconn/internal/names"
)

// Tuple is the pair of addresses of a packet. A socket's tuple is that of the packets it sends: Source is local.
type Tuple struct {
	Source, Destination netip.AddrPort
}

// Reverse returns the tuple of the packets that answer.
func (t Tuple) Reverse() Tuple { return Tuple{Source: t.Destination, Destination: t.Source} }

// Sequence holds the two initial sequence numbers of a TCP connection. Both ends know both, and no address
// translation changes them, so they match the two ends of a connection on one machine. The zero value means
// that the connection was never established.
type Sequence struct {
	Local, Remote uint32
}

// Reverse returns the same two numbers as the other end has them.
func (s Sequence) Reverse() Sequence { return Sequence{Local: s.Remote, Remote: s.Local} }

// Protocol is the IP protocol number of a transport; 0: not known.
type Protocol uint8

const (
	TCP Protocol = 6
	UDP Protocol = 17
)

// String returns the value of the attribute network.transport.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return names.TCP
	case UDP:
		return names.UDP
	}
	return ""
}

// Datagrams is what the packets of a UDP socket show of the way to one peer.
type Datagrams struct {
	Actual netip.AddrPort // destination behind the rules of the socket's namespace; invalid: as it was asked for
	// The hashes that the kernel gave to the first packet sent and received. The hash of a packet of a connected
	// socket is the same at both ends, whatever is translated. 0: there is none.
	SentHash, ReceivedHash uint32
}

// Namespace names a network namespace. The kernel reuses an inode after the namespace has ended, but never a cookie.
type Namespace struct {
	Inode  uint32
	Cookie uint64 // netns cookie (SO_NETNS_COOKIE, Linux 5.14); 0: not known
}
