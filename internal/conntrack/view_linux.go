package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A view is what is known of a namespace's interfaces.
type view struct {
	read      time.Time
	addresses map[netip.Addr]struct{}
	outer     [2]hop // for IPv4 and for IPv6
}

// viewAge is how long a view holds where the kernel does not tell of changes.
const viewAge = time.Minute

// A hop is where packets go that leave a namespace for elsewhere.
type hop struct {
	link  bool       // through an interface whose other end is in another namespace
	outer *namespace // that one; nil if it is not known
	early bool       // and may be a moment later
}

// elsewhere holds an address of each family that nobody has a route of its own to (class E of RFC 1112, and one for documentation of
// RFC 3849): the way to it is the default one.
func elsewhere() [2]netip.Addr {
	return [2]netip.Addr{netip.AddrFrom4([4]byte{240, 0, 0, 1}), netip.MustParseAddr("2001:db8:6e65:7463:6f6e:6e::1")}
}

// see returns what is known of a namespace's interfaces, and reads it if something may have changed.
func (g *registry) see(now time.Time, n *namespace) (*view, error) {
	if n.view != nil && g.holds(n.view, now) {
		return n.view, nil
	}
	file, err := g.enter(now, n)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c, err := dial(unix.NETLINK_ROUTE, file)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	v := &view{read: now}
	if v.addresses, err = readAddresses(c); err != nil {
		return nil, err
	}
	for i, to := range elsewhere() {
		if v.outer[i], err = g.readHop(now, n, c, to); err != nil {
			return nil, err
		}
	}
	n.view = v
	return v, nil
}

// holds tells whether a view is to be believed still.
func (g *registry) holds(v *view, now time.Time) bool {
	for _, h := range v.outer {
		if h.outer != nil && g.ids[h.outer.id] != h.outer {
			return false
		}
		if h.link && h.outer == nil && !g.early(now) {
			return false
		}
	}
	return g.events != nil || now.Sub(v.read) < viewAge
}

func readAddresses(c *netlink.Conn) (map[netip.Addr]struct{}, error) {
	answers, err := request(c, unix.RTM_GETADDR, netlink.Dump, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	addresses := make(map[netip.Addr]struct{}, len(answers))
	for _, m := range answers {
		if a := parseAddress(m.Data); a.IsValid() {
			addresses[a] = struct{}{}
		}
	}
	return addresses, nil
}

// parseAddress reads a message of RTM_GETADDR. IFA_ADDRESS is the other end's where there is an IFA_LOCAL (rtnetlink(7)).
func parseAddress(data []byte) (a netip.Addr) {
	for kind, value := range attributes(data[min(unix.SizeofIfAddrmsg, len(data)):]) {
		if kind == unix.IFA_LOCAL || kind == unix.IFA_ADDRESS && !a.IsValid() {
			a = address(value)
		}
	}
	return a
}

func (g *registry) readHop(now time.Time, n *namespace, c *netlink.Conn, to netip.Addr) (hop, error) {
	index, err := readInterface(c, to)
	if index == 0 || err != nil {
		return hop{}, err
	}
	id, linked, err := readLink(c, index)
	if !linked || err != nil {
		return hop{}, err
	}
	outer, err := g.peer(n, id)
	early := false
	if outer == nil && err == nil {
		early = !g.look(now)
		outer, err = g.peer(n, id)
	}
	return hop{link: true, outer: outer, early: early && outer == nil}, err
}

// readInterface returns the interface by which a packet would leave; 0: by none.
func readInterface(c *netlink.Conn, to netip.Addr) (index uint32, err error) {
	route := unix.RtMsg{Family: unix.AF_INET, Dst_len: uint8(to.BitLen())}
	if to.Is6() {
		route.Family = unix.AF_INET6
	}
	message := appendAttribute(bytesOf(&route), unix.RTA_DST, func(b []byte) []byte { return append(b, to.AsSlice()...) })
	answers, err := request(c, unix.RTM_GETROUTE, 0, message)
	if noRoute(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("ask for a route: %w", err)
	}
	for _, m := range answers {
		for kind, value := range attributes(m.Data[min(unix.SizeofRtMsg, len(m.Data)):]) {
			if kind == unix.RTA_OIF {
				index, _ = number(value)
			}
		}
	}
	return index, nil
}

// noRoute tells whether there is none, or one that forbids to use it (unreachable, prohibit, blackhole).
func noRoute(err error) bool {
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EACCES) ||
		errors.Is(err, unix.EINVAL)
}

// readLink returns the id, in the socket's namespace, of the namespace at the other end of an interface, if it has one.
func readLink(c *netlink.Conn, index uint32) (id int32, linked bool, err error) {
	link := unix.IfInfomsg{Index: int32(index)}
	answers, err := request(c, unix.RTM_GETLINK, 0, bytesOf(&link))
	if err != nil {
		return 0, false, fmt.Errorf("ask for an interface: %w", err)
	}
	for _, m := range answers {
		for kind, value := range attributes(m.Data[min(unix.SizeofIfInfomsg, len(m.Data)):]) {
			if kind == unix.IFLA_LINK_NETNSID {
				n, ok := number(value)
				id, linked = int32(n), ok && int32(n) >= 0
			}
		}
	}
	return id, linked, nil
}

// bytesOf returns a copy of the bytes of a struct.
func bytesOf[T any](v *T) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))...)
}
