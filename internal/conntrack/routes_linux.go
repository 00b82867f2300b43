package conntrack

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// Attributes and header of a routing rule: uapi/linux/fib_rules.h.
const (
	sizeofFibRuleHdr = 12
	fraSource        = 2
	fraInterfaceIn   = 3
	fraMark          = 10
	fraTunnel        = 12
	fraInterfaceOut  = 17
	fraL3Master      = 19
	fraUserRange     = 20
	fraProtocol      = 22
	fraSourcePorts   = 23
	fraDestPorts     = 24
)

// link is a network interface that is up, and that is no loopback interface.
type link struct {
	index  uint32
	nsid   int32 // of the namespace that its other end is in
	linked bool  // it has such an end
}

// routing is what is known of the routes of one address family in a namespace.
type routing struct {
	ways        map[uint32]bool // interfaces with routes to other networks, by index
	conditional bool            // a rule depends on what no lookup knows: a mark, a user, a port
	bySource    bool            // a rule depends on the source address
}

// parseInterface reads a message of RTM_GETLINK. ok: the interface is up, and is no loopback interface.
func parseInterface(data []byte) (l link, ok bool) {
	if len(data) < unix.SizeofIfInfomsg {
		return l, false
	}
	l.index = binary.NativeEndian.Uint32(data[4:])
	flags := binary.NativeEndian.Uint32(data[8:])
	l.nsid, l.linked = parseLink(data)
	return l, flags&unix.IFF_UP != 0 && flags&unix.IFF_LOOPBACK == 0
}

// addRoute reads a message of a dump of routes. An interface is a way to other networks if it has a route that an
// administrator or a routing protocol made, to more than one address. The kernel itself makes those of connected
// networks and of own addresses.
func (r *routing) addRoute(data []byte) {
	if len(data) < unix.SizeofRtMsg {
		return
	}
	bits, protocol, kind := data[1], data[5], data[7]
	single := uint8(32)
	if data[0] == unix.AF_INET6 {
		single = 128
	}
	if kind != unix.RTN_UNICAST || protocol == unix.RTPROT_KERNEL || bits == single {
		return
	}
	for kind, value := range attributesAfter(unix.SizeofRtMsg, data) {
		switch kind {
		case unix.RTA_OIF:
			if index, ok := parseUint32(value); ok {
				r.ways[index] = true
			}
		case unix.RTA_MULTIPATH:
			r.conditional = true // which of them a packet takes depends on a hash
			for _, index := range parseNextHops(value) {
				r.ways[index] = true
			}
		}
	}
}

// parseNextHops reads the interfaces of a multipath route (struct rtnexthop).
func parseNextHops(data []byte) (indexes []uint32) {
	for len(data) >= unix.SizeofRtNexthop {
		size := int(binary.NativeEndian.Uint16(data))
		if size < unix.SizeofRtNexthop || size > len(data) {
			return indexes
		}
		indexes = append(indexes, binary.NativeEndian.Uint32(data[4:]))
		data = data[min(aligned(size), len(data)):]
	}
	return indexes
}

// addRule reads a message of RTM_GETRULE.
func (r *routing) addRule(data []byte) {
	if len(data) < sizeofFibRuleHdr {
		return
	}
	if tos := data[3]; tos != 0 {
		r.conditional = true
	}
	for kind := range attributesAfter(sizeofFibRuleHdr, data) {
		switch kind {
		case fraSource:
			r.bySource = true
		case fraInterfaceIn, fraInterfaceOut, fraL3Master, fraMark, fraTunnel, fraUserRange,
			fraProtocol, fraSourcePorts, fraDestPorts:
			r.conditional = true
		}
	}
}

// appendRouteRequest returns the message that asks for the route of a packet. An invalid source is left out.
func appendRouteRequest(source, destination netip.Addr) []byte {
	route := unix.RtMsg{Family: family(destination), Dst_len: uint8(destination.BitLen())}
	if source.IsValid() {
		route.Src_len = uint8(source.BitLen())
	}
	message := appendBytes(bytesOf(&route), unix.RTA_DST, destination.AsSlice())
	if source.IsValid() {
		message = appendBytes(message, unix.RTA_SRC, source.AsSlice())
	}
	return message
}

// certain reports whether the kernel's answer about a packet's route holds for the packet itself. local: the packet's
// source is an address of the namespace, so the kernel was asked with it.
func (i *interfaces) certain(r *routing, packet conn.Tuple, local bool, index uint32) bool {
	if r.conditional || r.bySource && !local {
		return false
	}
	// A socket that is bound to another interface has that interface's address.
	of, known := i.addresses[packet.Source.Addr().WithZone("")]
	return !known || of == index || !r.ways[of]
}
