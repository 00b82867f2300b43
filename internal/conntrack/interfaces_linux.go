package conntrack

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

const (
	// interfacesTimeout is how long interfaces count as unchanged where the kernel does not report changes.
	interfacesTimeout = time.Minute
	// maxRoutes bounds the routes that are kept of a namespace. At the limit all are forgotten: each costs a request to
	// the kernel, of about 50 us.
	maxRoutes = 4096
)

// interfaces are what is known of the network interfaces of a namespace.
type interfaces struct {
	readAt    time.Time
	addresses map[netip.Addr]uint32 // the interface of each
	links     map[uint32]*egress    // by index
	ipv4      routing
	ipv6      routing
	routes    map[routeKey]uint32 // interfaces by which packets leave, as the kernel has answered
}

// An egress is an interface by which packets leave a namespace, and the namespace in which they then arrive.
type egress struct {
	link
	searched bool   // the rest is known
	outer    *netns // the namespace that the other end is in; nil: not known
	tooEarly bool   // it may be known a moment later
}

// routeKey names the packets with one route. The source is only set if it is an address of the namespace.
type routeKey struct{ source, destination netip.Addr }

// interfacesOf returns what is known of the interfaces of a namespace, and reads them if they may have changed.
func (g *registry) interfacesOf(now time.Time, n *netns) (*interfaces, error) {
	if n.interfaces != nil && g.current(n.interfaces, now) {
		return n.interfaces, nil
	}
	err := g.dialIn(now, n, func(c *netlink.Conn) error {
		i, err := readInterfaces(c)
		if err != nil {
			return err
		}
		i.readAt = now
		n.interfaces = i
		return nil
	})
	if err != nil {
		return nil, err
	}
	return n.interfaces, nil
}

// dialIn runs f with a route socket in a namespace.
func (g *registry) dialIn(now time.Time, n *netns, f func(*netlink.Conn) error) error {
	file, err := g.open(now, n)
	if err != nil {
		return err
	}
	defer file.Close()
	c, err := dial(unix.NETLINK_ROUTE, file)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// current reports whether interfaces need not be read again.
func (g *registry) current(i *interfaces, now time.Time) bool {
	for _, e := range i.links {
		if e.outer != nil && g.byID[e.outer.id] != e.outer {
			return false
		}
		if e.searched && e.outer == nil && !g.tooEarly(now) {
			return false
		}
	}
	return g.events != nil || now.Sub(i.readAt) < interfacesTimeout
}

func readInterfaces(c *netlink.Conn) (*interfaces, error) {
	i := &interfaces{
		addresses: make(map[netip.Addr]uint32), links: make(map[uint32]*egress), routes: make(map[routeKey]uint32),
		ipv4: routing{ways: make(map[uint32]bool)}, ipv6: routing{ways: make(map[uint32]bool)},
	}
	dumps := []struct {
		what   string
		kind   uint16
		header []byte
		add    func([]byte)
	}{
		{"addresses", unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg), i.addAddress},
		{"interfaces", unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg), i.addLink},
		{"routes", unix.RTM_GETROUTE, bytesOf(&unix.RtMsg{Family: unix.AF_INET}), i.ipv4.addRoute},
		{"IPv6 routes", unix.RTM_GETROUTE, bytesOf(&unix.RtMsg{Family: unix.AF_INET6}), i.ipv6.addRoute},
		{"routing rules", unix.RTM_GETRULE, ruleHeader(unix.AF_INET), i.ipv4.addRule},
		{"IPv6 routing rules", unix.RTM_GETRULE, ruleHeader(unix.AF_INET6), i.ipv6.addRule},
	}
	for _, d := range dumps {
		answers, err := request(c, d.kind, netlink.Dump, d.header)
		if notSupported(err) {
			continue // a kernel without IPv6, or without rules, has none
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", d.what, err)
		}
		for _, m := range answers {
			d.add(m.Data)
		}
	}
	return i, nil
}

func ruleHeader(family uint8) []byte {
	return append([]byte{family}, make([]byte, sizeofFibRuleHdr-1)...)
}

func (i *interfaces) addAddress(data []byte) {
	if a, index := parseIfAddr(data); a.IsValid() {
		i.addresses[a] = index
	}
}

func (i *interfaces) addLink(data []byte) {
	if l, up := parseInterface(data); up {
		i.links[l.index] = &egress{link: l}
	}
}

func (i *interfaces) routing(a netip.Addr) *routing {
	if a.Is4() {
		return &i.ipv4
	}
	return &i.ipv6
}

// findEgress returns the interface by which a packet leaves a namespace; nil: it leaves by none. certain: no other
// interface by which it can leave leads to another namespace.
func (g *registry) findEgress(
	now time.Time, n *netns, i *interfaces, packet conn.Tuple,
) (e *egress, certain bool, err error) {
	if len(i.links) <= 1 {
		for _, e := range i.links {
			return e, true, g.findOuter(now, n, e)
		}
		return nil, true, nil
	}
	key := routeKey{destination: packet.Destination.Addr().WithZone("")}
	source := packet.Source.Addr().WithZone("")
	if _, local := i.addresses[source]; local {
		key.source = source
	}
	index, err := g.routeOf(now, n, i, key)
	if err != nil {
		return nil, false, err
	}
	e = i.links[index]
	if e != nil {
		err = g.findOuter(now, n, e)
	}
	r := i.routing(key.destination)
	certain = e != nil && i.certain(r, packet, key.source.IsValid(), index)
	return e, certain || i.sameOuter(r, e), err
}

// sameOuter reports whether all interfaces to other networks lead to the same namespace as e, which may be nil.
func (i *interfaces) sameOuter(r *routing, e *egress) bool {
	for index := range r.ways {
		other := i.links[index]
		switch {
		case other == nil || other == e:
		case e == nil && other.linked, e != nil && (other.linked != e.linked || other.linked && other.nsid != e.nsid):
			return false
		}
	}
	return true
}

// routeOf returns the index of the interface by which packets leave, from the kernel or from its last answer.
func (g *registry) routeOf(now time.Time, n *netns, i *interfaces, key routeKey) (index uint32, err error) {
	if index, known := i.routes[key]; known {
		return index, nil
	}
	err = g.dialIn(now, n, func(c *netlink.Conn) (err error) {
		index, err = readRoute(c, key.source, key.destination)
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(i.routes) >= maxRoutes {
		clear(i.routes)
	}
	i.routes[key] = index
	return index, nil
}

// findOuter finds the namespace that the other end of an interface is in.
func (g *registry) findOuter(now time.Time, n *netns, e *egress) (err error) {
	if e.searched || !e.linked {
		return nil
	}
	e.outer, err = g.byForeignID(n, e.nsid)
	if e.outer == nil && err == nil {
		tooEarly := !g.searchAndRegister(now)
		e.outer, err = g.byForeignID(n, e.nsid)
		e.tooEarly = tooEarly && e.outer == nil
	}
	e.searched = err == nil
	return err
}

// readRoute returns the index of the interface that a packet would leave by; 0: there is no route.
func readRoute(c *netlink.Conn, source, destination netip.Addr) (index uint32, err error) {
	answers, err := request(c, unix.RTM_GETROUTE, 0, appendRouteRequest(source, destination))
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
