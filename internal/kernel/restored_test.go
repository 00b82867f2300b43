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

// Both ends of a restored connection are established without a handshake: they are no attempts, neither is known to be
// the client, every byte counts, and the two are still found to be one connection.
func TestRestored(t *testing.T) {
	n := testnet.New(t)
	o := observe(t, Options{}, n)
	one, other := "127.0.0.1:9080", "127.0.0.1:45300"
	server, client := restore(t, n, one, other, 5000, 9000), restore(t, n, other, one, 9000, 5000)
	for _, f := range []*os.File{server, client} {
		if err := unix.SetsockoptInt(int(f.Fd()), unix.IPPROTO_TCP, unix.TCP_REPAIR, 0); err != nil {
			t.Fatal(err)
		}
	}
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
	}
	wantEqual(t, "sequence numbers of the other end", ends[0].Sequence.Reverse(), ends[1].Sequence)
}
