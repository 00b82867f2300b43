package conntrack

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// interfacesTimeout is how long interfaces count as unchanged where the kernel does not report changes.
const interfacesTimeout = time.Minute

// interfaces are what is known of the network interfaces of a namespace.
type interfaces struct {
	readAt    time.Time
	addresses map[netip.Addr]struct{}
	ipv4      exit
	ipv6      exit
}

// exit is where a packet arrives that leaves a namespace for other networks.
type exit struct {
	linked   bool   // it leaves by an interface with the other end in another namespace
	outer    *netns // that namespace; nil: not known
	tooEarly bool   // it may be known a moment later
}

// Addresses that no network has a route of its own for, so the route to them is the default route: class E (RFC 1112),
// and documentation (RFC 3849).
var (
	elsewhereIPv4 = netip.AddrFrom4([4]byte{240, 0, 0, 1})
	elsewhereIPv6 = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0x6e, 0x65, 0x74, 0x63, 0x6f, 0x6e, 0x6e, 15: 1})
)

// interfacesOf returns what is known of the interfaces of a namespace, and reads them if they may have changed.
func (g *registry) interfacesOf(now time.Time, n *netns) (*interfaces, error) {
	if n.interfaces != nil && g.current(n.interfaces, now) {
		return n.interfaces, nil
	}
	file, err := g.open(now, n)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c, err := dial(unix.NETLINK_ROUTE, file)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	i := &interfaces{readAt: now}
	if i.addresses, err = readAddresses(c); err != nil {
		return nil, err
	}
	if i.ipv4, err = g.readExit(now, n, c, elsewhereIPv4); err != nil {
		return nil, err
	}
	if i.ipv6, err = g.readExit(now, n, c, elsewhereIPv6); err != nil {
		return nil, err
	}
	n.interfaces = i
	return i, nil
}

// current reports whether interfaces need not be read again.
func (g *registry) current(i *interfaces, now time.Time) bool {
	for _, e := range []exit{i.ipv4, i.ipv6} {
		if e.outer != nil && g.byID[e.outer.id] != e.outer {
			return false
		}
		if e.linked && e.outer == nil && !g.tooEarly(now) {
			return false
		}
	}
	return g.events != nil || now.Sub(i.readAt) < interfacesTimeout
}

func readAddresses(c *netlink.Conn) (map[netip.Addr]struct{}, error) {
	answers, err := request(c, unix.RTM_GETADDR, netlink.Dump, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	addresses := make(map[netip.Addr]struct{}, len(answers))
	for _, m := range answers {
		if a := parseIfAddr(m.Data); a.IsValid() {
			addresses[a] = struct{}{}
		}
	}
	return addresses, nil
}

func (g *registry) readExit(now time.Time, n *netns, c *netlink.Conn, to netip.Addr) (exit, error) {
	index, err := readRoute(c, to)
	if index == 0 || err != nil {
		return exit{}, err
	}
	id, linked, err := readLink(c, index)
	if !linked || err != nil {
		return exit{}, err
	}
	outer, err := g.byForeignID(n, id)
	tooEarly := false
	if outer == nil && err == nil {
		tooEarly = !g.searchAndRegister(now)
		outer, err = g.byForeignID(n, id)
	}
	return exit{linked: true, outer: outer, tooEarly: tooEarly && outer == nil}, err
}

// readRoute returns the index of the interface that a packet would leave by; 0: there is no route.
func readRoute(c *netlink.Conn, to netip.Addr) (index uint32, err error) {
	answers, err := request(c, unix.RTM_GETROUTE, 0, appendRouteRequest(to))
	if noRoute(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("ask for a route: %w", err)
	}
	for _, m := range answers {
		index = parseRoute(m.Data)
	}
	return index, nil
}

// readLink returns the id, in the socket's namespace, of the namespace that the other end of an interface is in.
func readLink(c *netlink.Conn, index uint32) (id int32, linked bool, err error) {
	answers, err := request(c, unix.RTM_GETLINK, 0, bytesOf(&unix.IfInfomsg{Index: int32(index)}))
	if err != nil {
		return 0, false, fmt.Errorf("ask for an interface: %w", err)
	}
	for _, m := range answers {
		id, linked = parseLink(m.Data)
	}
	return id, linked, nil
}
