//go:build linux

package kernel

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// Bytes are counted once however often the network wants them: whatever drops, and wherever.
func TestPacketLoss(t *testing.T) {
	drop := []string{"-p", "tcp", "-m", "statistic", "--mode", "nth", "--every", "9", "--packet", "8", "-j", "DROP"}
	table := func(chain string) []string { return append([]string{"iptables", "-A", chain}, drop...) }
	for name, c := range map[string]struct {
		where func(client, router, server *testnet.Namespace) *testnet.Namespace
		rule  []string
	}{
		"peer's INPUT":   {func(_, _, s *testnet.Namespace) *testnet.Namespace { return s }, table("INPUT")},
		"node's FORWARD": {func(_, r, _ *testnet.Namespace) *testnet.Namespace { return r }, table("FORWARD")},
		"own OUTPUT":     {func(c, _, _ *testnet.Namespace) *testnet.Namespace { return c }, table("OUTPUT")},
		"own queue": {func(c, _, _ *testnet.Namespace) *testnet.Namespace { return c },
			[]string{"tc", "qdisc", "add", "dev", "up0", "root", "tbf", "rate", "40mbit", "burst", "4kb", "limit", "6kb"}},
	} {
		t.Run(name, func(t *testing.T) {
			client, router, server := testnet.New(t), testnet.New(t), testnet.New(t)
			testnet.Link(client, router, "up0", "10.78.1.1/24", "10.78.1.2/24")
			testnet.Link(router, server, "down0", "10.78.2.2/24", "10.78.2.1/24")
			client.Command("ip", "route", "add", "default", "via", "10.78.1.2")
			server.Command("ip", "route", "add", "default", "via", "10.78.2.2")
			router.Sysctl("net.ipv4.ip_forward", "1")
			// Segments as the wire would have them, so that a drop is one segment.
			client.Command("ethtool", "-K", "up0", "tso", "off", "gso", "off")
			l := server.Listen("10.78.2.1:9080")
			o := observe(t, Options{}, client, server)
			here, there := client.Connect(l, "10.78.2.1:9080")
			c.where(client, router, server).Command(c.rule[0], c.rule[1:]...)
			go func() {
				here.Write(make([]byte, 300_007))
				here.CloseWrite()
			}()
			n, err := io.Copy(io.Discard, there)
			if err != nil || n != 300_007 {
				t.Fatalf("received %d, %v", n, err)
			}
			there.Close()
			readEnd(t, here)
			here.Close()
			ends := o.wantEnded(
				outcome{conn.RoleClient, conn.Closed, "", 300_007, 0},
				outcome{conn.RoleServer, conn.Closed, "", 0, 300_007},
			)
			counted := ends[0].Counts
			// What the own OUTPUT drops was never sent, says the kernel: it sends it again, and that is no
			// retransmission.
			if counted[conn.Retransmits] == 0 && name != "own OUTPUT" || counted[conn.Retransmits] > counted[conn.SegmentsSent] {
				t.Errorf("%d retransmits of %d segments", counted[conn.Retransmits], counted[conn.SegmentsSent])
			}
			if counted[conn.SegmentsLost] == 0 && name != "own OUTPUT" || ends[1].Counts[conn.SegmentsLost] != 0 {
				t.Errorf("the sender has lost %d segments, the receiver, which sent none, %d", counted[conn.SegmentsLost], ends[1].Counts[conn.SegmentsLost])
			}
		})
	}
}

// The kernel does not clear what a socket has lost when it is to connect again: netconn takes it off.
func TestLossesOfASocketThatConnectsAgain(t *testing.T) {
	w := newWire(t)
	w.client.Command("ethtool", "-K", "nc0", "tso", "off", "gso", "off")
	o := w.observe(t)
	fd := w.client.Socket(unix.AF_INET)
	drop := []string{"INPUT", "-p", "tcp", "-m", "statistic", "--mode", "nth", "--every", "9", "--packet", "8", "-j", "DROP"}
	transfer := func(rules ...string) {
		t.Helper()
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 9080}); err != nil {
			t.Fatal(err)
		}
		server, err := w.listener.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range rules {
			w.server.Command("iptables", append([]string{rule}, drop...)...)
			if _, err := unix.Write(fd, make([]byte, 100_000)); err != nil {
				t.Fatal(err)
			}
			read(t, server, 100_000)
		}
		disconnect(t, fd)
		server.Close()
	}
	transfer("-A", "-D")
	transfer()
	unix.Close(fd)
	clients := o.waitEnded(4)[:2]
	if clients[0].Counts[conn.SegmentsLost] == 0 || clients[1].Counts[conn.SegmentsLost] != 0 {
		t.Errorf("lost %d segments, then %d; want some, then none", clients[0].Counts[conn.SegmentsLost], clients[1].Counts[conn.SegmentsLost])
	}
}
