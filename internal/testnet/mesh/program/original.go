//go:build linux

package program

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// originalDestination returns where the client of an accepted connection wanted to go: what conntrack says if the
// connection was redirected or otherwise translated in this namespace, else the local address, which is right for
// TPROXY too.
func originalDestination(c *net.TCPConn) (netip.AddrPort, error) {
	local := addrPort(c.LocalAddr())
	raw, err := c.SyscallConn()
	if err != nil {
		return local, err
	}
	original := local
	err = raw.Control(func(fd uintptr) {
		if local.Addr().Is4() {
			// The kernel writes a sockaddr_in where this has a group and an interface.
			if got, err := unix.GetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IP, unix.SO_ORIGINAL_DST); err == nil {
				a := got.Multiaddr
				original = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), binary.BigEndian.Uint16(a[2:4]))
			}
			return
		}
		const ip6tSoOriginalDst = 80
		if got, err := unix.GetsockoptIPv6MTUInfo(int(fd), unix.IPPROTO_IPV6, ip6tSoOriginalDst); err == nil {
			port := binary.NativeEndian.AppendUint16(nil, got.Addr.Port)
			original = netip.AddrPortFrom(netip.AddrFrom16(got.Addr.Addr), binary.BigEndian.Uint16(port))
		}
	})
	if err != nil {
		return local, fmt.Errorf("ask for the original destination: %w", err)
	}
	return original, nil
}

// A socketOption is set on a socket before it listens or connects.
type socketOption struct{ level, name, value int }

// transparent allows a socket to accept what TPROXY brings, and to send from an address that is not its machine's. It
// takes CAP_NET_ADMIN.
func transparent(address netip.Addr) socketOption {
	if address.Is4() {
		return socketOption{unix.SOL_IP, unix.IP_TRANSPARENT, 1}
	}
	return socketOption{unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1}
}

// mark is what rules and routes know a proxy's own packets by. It takes CAP_NET_ADMIN.
func mark(value int) socketOption { return socketOption{unix.SOL_SOCKET, unix.SO_MARK, value} }

func control(options []socketOption) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		outer := c.Control(func(fd uintptr) {
			for _, o := range options {
				if err = unix.SetsockoptInt(int(fd), o.level, o.name, o.value); err != nil {
					err = fmt.Errorf("set socket option %d/%d: %w", o.level, o.name, err)
					return
				}
			}
		})
		if outer != nil {
			return outer
		}
		return err
	}
}

// listen opens a listening socket for each family that the namespace has, as a server with only a port does.
func listen(port uint16, transparently bool) ([]*net.TCPListener, error) {
	var all []*net.TCPListener
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		var options []socketOption
		if transparently {
			options = append(options, transparent(any))
		}
		l, err := listenAt(netip.AddrPortFrom(any, port), options...)
		if err != nil {
			return all, err
		}
		all = append(all, l)
	}
	return all, nil
}

// listenAt opens a plain TCP socket: no Envoy and no application of the mesh speaks multipath TCP, Go's default.
func listenAt(address netip.AddrPort, options ...socketOption) (*net.TCPListener, error) {
	network := "tcp4"
	if address.Addr().Is6() {
		network = "tcp6"
	}
	c := net.ListenConfig{Control: control(options)}
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), network, address.String())
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// dial connects, from an address if there is one to be taken.
func dial(ctx context.Context, from netip.Addr, to netip.AddrPort, options ...socketOption) (net.Conn, error) {
	d := net.Dialer{Control: control(options)}
	d.SetMultipathTCP(false)
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return d.DialContext(ctx, "tcp", to.String())
}

// acceptEach calls f for each connection, in a goroutine of its own, until the listener is closed.
func acceptEach(l *net.TCPListener, f func(*net.TCPConn)) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		go f(c)
	}
}
