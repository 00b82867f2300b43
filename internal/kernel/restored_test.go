//go:build linux

package kernel

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// restore makes one end of a connection from a checkpoint, with the sequence numbers that it sends and expects next.
func restore(t *testing.T, n *testnet.Namespace, local, remote string, send, receive int) *os.File {
	t.Helper()
	fd := n.Socket(unix.AF_INET)
	file := os.NewFile(uintptr(fd), local)
	t.Cleanup(func() { file.Close() })
	set := func(option, value int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value) }
	err := errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		set(unix.TCP_REPAIR, 1),
		set(unix.TCP_REPAIR_QUEUE, 2), set(unix.TCP_QUEUE_SEQ, send),
		set(unix.TCP_REPAIR_QUEUE, 1), set(unix.TCP_QUEUE_SEQ, receive),
		unix.Bind(fd, socketAddress(local)), unix.Connect(fd, socketAddress(remote)),
	)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func socketAddress(text string) unix.Sockaddr {
	a := netip.MustParseAddrPort(text)
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

// resume ends the repair, after which both ends are ordinary.
func resume(t *testing.T, ends ...*os.File) {
	t.Helper()
	for _, f := range ends {
		if err := unix.SetsockoptInt(int(f.Fd()), unix.IPPROTO_TCP, unix.TCP_REPAIR, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// Both ends of a restored connection are established without a handshake: they are no attempts, only their ports show
// the client, every byte counts, and the two are still found to be one connection.
func TestRestored(t *testing.T) {
	n := testnet.New(t)
	o := observe(t, Options{}, n)
	one, other := "127.0.0.1:9080", "127.0.0.1:45300"
	server, client := restore(t, n, one, other, 5000, 9000), restore(t, n, other, one, 9000, 5000)
	resume(t, server, client)
	write(t, client, 1000)
	read(t, server, 1000)
	write(t, server, 300)
	read(t, client, 300)
	o.snapshot(true)
	wantEqual(t, "live ends", 2, len(o.live))
	for _, c := range o.live {
		wantEqual(t, "payload, live", uint64(1300), c.Counts[conn.Sent]+c.Counts[conn.Received])
	}
	client.Close()
	readEnd(t, server)
	server.Close()
	ends := o.wantEnded(
		outcome{conn.RoleUnknown, conn.Closed, "", 1000, 300}, outcome{conn.RoleUnknown, conn.Closed, "", 300, 1000},
	)
	for _, c := range ends {
		if c.SeenOpening || c.Handshake != 0 {
			t.Errorf("an attempt: %+v", c)
		}
		wantSelf(t, c.Process)
		want := conn.RoleServer
		if c.Tuple.Source.Port() == 45300 {
			want = conn.RoleClient
		}
		wantEqual(t, "role by the ports", want, c.PortsRole)
	}
	wantEqual(t, "sequence numbers of the other end", ends[0].Sequence.Reverse(), ends[1].Sequence)
}

// The ports show the client only if the kernel chooses one of them for clients, in this namespace, and the other is
// below those. A connection with a handshake needs no ports.
func TestRoleOfPorts(t *testing.T) {
	for name, tt := range map[string]struct {
		ports         string // of the namespace
		local, remote string
		want          conn.Role
	}{
		"a client":                     {"", "127.0.0.1:45300", "127.0.0.1:9080", conn.RoleClient},
		"a server":                     {"", "127.0.0.1:9080", "127.0.0.1:45300", conn.RoleServer},
		"a server above 32768":         {"", "127.0.0.1:50051", "127.0.0.1:45300", conn.RoleUnknown},
		"a client with a fixed port":   {"", "127.0.0.1:700", "127.0.0.1:2049", conn.RoleUnknown},
		"above the range":              {"", "127.0.0.1:9080", "127.0.0.1:61000", conn.RoleUnknown},
		"at the lower end":             {"", "127.0.0.1:32768", "127.0.0.1:32767", conn.RoleClient},
		"at the upper end":             {"", "127.0.0.1:9080", "127.0.0.1:60999", conn.RoleServer},
		"another range":                {"50000 59999", "127.0.0.1:9080", "127.0.0.1:45300", conn.RoleUnknown},
		"a server below another range": {"50000 59999", "127.0.0.1:45300", "127.0.0.1:50051", conn.RoleServer},
		"a range without server ports": {"1024 65535", "127.0.0.1:9080", "127.0.0.1:45300", conn.RoleUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			n := testnet.New(t)
			if tt.ports != "" {
				n.Sysctl("net/ipv4/ip_local_port_range", tt.ports)
			}
			o := observe(t, Options{}, n)
			one, other := restore(t, n, tt.local, tt.remote, 5000, 9000), restore(t, n, tt.remote, tt.local, 9000, 5000)
			resume(t, one, other)
			o.snapshot(true)
			wantEqual(t, "live ends", 2, len(o.live))
			for _, c := range o.live {
				wantEqual(t, "role", conn.RoleUnknown, c.Role)
				if c.Tuple.Source == netip.MustParseAddrPort(tt.local) {
					wantEqual(t, "role by the ports", tt.want, c.PortsRole)
				}
			}
		})
	}
}

// A connection that was restored before netconn started sent no SYN on either side, so that its counters make both ends
// servers. It is bound to its port, and no accepted socket is.
func TestRestoredBefore(t *testing.T) {
	n := testnet.New(t)
	one, other := "127.0.0.1:9080", "127.0.0.1:45300"
	server, client := restore(t, n, one, other, 5000, 9000), restore(t, n, other, one, 9000, 5000)
	resume(t, server, client)
	write(t, client, 500)
	read(t, server, 500)
	o := observe(t, Options{}, n)
	write(t, client, 1000)
	read(t, server, 1000)
	o.snapshot(true)
	wantEqual(t, "live ends", 2, len(o.live))
	for _, c := range o.live {
		wantEqual(t, "role", conn.RoleUnknown, c.Role)
		wantEqual(t, "payload since then", uint64(1000), c.Counts[conn.Sent]+c.Counts[conn.Received])
	}
}

// With a handshake, whoever connects is the client, whatever the ports are.
func TestRoleOfHandshake(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{}, w.client, w.server)
	client, server := w.connect()
	t.Cleanup(func() { client.Close(); server.Close() })
	o.snapshot(true)
	for _, role := range []conn.Role{conn.RoleClient, conn.RoleServer} {
		wantEqual(t, "role by the ports", conn.RoleUnknown, o.liveOf(role).PortsRole)
	}
}
