//go:build linux

package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/thread"
)

// TunnelPort is where a ztunnel accepts what another one has tunnelled.
const TunnelPort = 15008

// tunnelMark is what ambient's rules know a ztunnel's packets by.
const tunnelMark = 0x539

// A Ztunnel is the proxy of every pod of its node: its process is in a pod of its own, its sockets are in theirs.
// Between two of them stands a plain TCP connection that begins with a line, where Istio has HBONE; which sockets
// there are, and where, is the same. It takes CAP_SYS_ADMIN and CAP_NET_ADMIN.
type Ztunnel struct {
	Namespaces []int                       // open files of the process: the network namespaces of its pods
	Endpoints  map[string][]netip.AddrPort `json:",omitempty"` // of services, by address:port
}

// A tunneller is a Ztunnel at work.
type tunneller struct {
	Ztunnel
	count *counter
}

func (z Ztunnel) start(count *counter) error { return tunneller{z, count}.start() }

func (z tunneller) start() error {
	for _, fd := range z.Namespaces {
		for port, handle := range map[uint16]func(int, *net.TCPConn){
			OutboundPort: z.outbound, InboundPort: z.plain, TunnelPort: z.tunnelled,
		} {
			err := within(fd, func() error {
				listeners, err := listen(port, true)
				for _, l := range listeners {
					go acceptEach(l, func(c *net.TCPConn) { handle(fd, c) })
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("listen as a ztunnel: %w", err)
			}
		}
	}
	return nil
}

// outbound tunnels to the ztunnel of the endpoint, from the application's own address.
func (z tunneller) outbound(fd int, c *net.TCPConn) {
	original, err := originalDestination(c)
	if err != nil {
		c.Close()
		return
	}
	down := z.count.accepted(c, OutboundPort, original)
	endpoint := original
	if known := z.Endpoints[original.String()]; len(known) > 0 {
		endpoint = known[0]
	}
	up, err := z.dial(fd, netip.Addr{}, netip.AddrPortFrom(endpoint.Addr(), TunnelPort))
	if err == nil {
		_, err = fmt.Fprintln(up, endpoint)
	}
	if err != nil {
		down.Close()
		return
	}
	relay(down, up)
}

// tunnelled reads where the connection goes, and reaches the application from the client's address.
func (z tunneller) tunnelled(fd int, c *net.TCPConn) {
	down := z.count.accepted(c, TunnelPort, addrPort(c.LocalAddr()))
	line, err := readLine(down)
	if err != nil {
		down.Close()
		return
	}
	to, err := netip.ParseAddrPort(line)
	if err != nil {
		down.Close()
		return
	}
	z.reach(fd, down, to)
}

// plain takes what came from outside the mesh.
func (z tunneller) plain(fd int, c *net.TCPConn) {
	original, err := originalDestination(c)
	if err != nil {
		c.Close()
		return
	}
	z.reach(fd, z.count.accepted(c, InboundPort, original), original)
}

func (z tunneller) reach(fd int, down countedConn, to netip.AddrPort) {
	up, err := z.dial(fd, addrPort(down.RemoteAddr()).Addr(), to)
	if err != nil {
		down.Close()
		return
	}
	relay(down, up)
}

// dial opens a connection in a pod's namespace, from the given address, which may be another pod's.
func (z tunneller) dial(fd int, from netip.Addr, to netip.AddrPort) (up countedConn, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = within(fd, func() error {
		options := []socketOption{mark(tunnelMark)}
		if from.IsValid() {
			options = append(options, transparent(from))
		}
		c, err := dial(ctx, from, to, options...)
		if err != nil {
			return err
		}
		up = z.count.dialled(c)
		return nil
	})
	return up, err
}

// readLine reads no byte more than the line: what follows is the application's.
func readLine(c countedConn) (string, error) {
	var line strings.Builder
	var b [1]byte
	for line.Len() < 64 {
		if _, err := c.Read(b[:]); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return line.String(), nil
		}
		line.WriteByte(b[0])
	}
	return "", errors.New("read where to: no end of the line")
}

// within runs f on a thread of its own that stands in a namespace.
func within(fd int, f func() error) error {
	return thread.Run(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return f()
	})
}
