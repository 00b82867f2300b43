//go:build linux

package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// option sets an integer option of a socket.
func option(t *testing.T, c *net.UDPConn, level, name, value int) {
	t.Helper()
	control(t, c, func(fd int) error { return unix.SetsockoptInt(fd, level, name, value) })
}

func control(t *testing.T, c *net.UDPConn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if rawErr := raw.Control(func(fd uintptr) { err = f(int(fd)) }); rawErr != nil || err != nil {
		t.Fatal(errors.Join(rawErr, err))
	}
}

// pair returns a server, and a client that is connected to it, in one namespace or two.
func pair(t *testing.T, from, to *testnet.Namespace, address string) (c, s *net.UDPConn) {
	t.Helper()
	s = listen(t, to, "udp4", address)
	return dial(t, from, "udp4", address), s
}

// linked returns two namespaces with 10.80.0.1 and 10.80.0.2.
func linked(t *testing.T) (a, b *testnet.Namespace) {
	a, b = testnet.New(t), testnet.New(t)
	testnet.Link(a, b, "nc0", "10.80.0.1/24", "10.80.0.2/24")
	return a, b
}

// A large send is cut into datagrams by the kernel or the card (GSO), and may arrive as one packet (GRO).
func TestSegmented(t *testing.T) {
	for name, gro := range map[string]int{"one by one": 0, "coalesced": 1} {
		t.Run(name, func(t *testing.T) {
			a, b := linked(t)
			w := observe(t, Options{All: true}, a, b)
			c, s := pair(t, a, b, "10.80.0.2:9000")
			option(t, c, unix.SOL_UDP, unix.UDP_SEGMENT, 1000)
			option(t, s, unix.SOL_UDP, unix.UDP_GRO, gro)
			send(t, c, 3500, 1000)
			receive(t, s, map[int]int{0: 5, 1: 2}[gro])
			w.want(figures{client, open, 4500, 0, 5, 0}, figures{server, open, 0, 4500, 0, 5})
		})
	}
}

// What is corked leaves as one datagram.
func TestCorked(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	option(t, c, unix.SOL_UDP, unix.UDP_CORK, 1)
	send(t, c, 100, 50)
	option(t, c, unix.SOL_UDP, unix.UDP_CORK, 0)
	receive(t, s, 1)
	w.want(figures{client, open, 150, 0, 1, 0}, figures{server, open, 0, 150, 0, 1})
}

// A datagram that is larger than a packet is one.
func TestFragmented(t *testing.T) {
	for name, prefix := range map[string]string{"IPv4": "10.80.0.%d/24", "IPv6": "fd00:80::%d/64"} {
		t.Run(name, func(t *testing.T) {
			a, b := testnet.New(t), testnet.New(t)
			testnet.Link(a, b, "nc0", fmt.Sprintf(prefix, 1), fmt.Sprintf(prefix, 2))
			w := observe(t, Options{All: true}, a, b)
			to := netip.AddrPortFrom(netip.MustParsePrefix(fmt.Sprintf(prefix, 2)).Addr(), 9000).String()
			s := listen(t, b, "udp", to)
			c := dial(t, a, "udp", to)
			send(t, c, 20_000)
			receive(t, s, 1)
			w.want(figures{client, open, 20_000, 0, 1, 0}, figures{server, open, 0, 20_000, 0, 1})
		})
	}
}

// A packet with an extension header of IPv6 is in no exchange. It is counted where it leaves and where it arrives.
func TestExtensionHeader(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	s := listen(t, n, "udp6", "[::1]:9000")
	c := dial(t, n, "udp6", "[::1]:9000")
	send(t, c, 7)
	receive(t, s, 1)
	before := w.unparsed()
	control(t, c, func(fd int) error { // eight bytes of padding
		return unix.SetsockoptString(fd, unix.IPPROTO_IPV6, unix.IPV6_DSTOPTS, "\x00\x00\x01\x04\x00\x00\x00\x00")
	})
	send(t, c, 100, 100, 100)
	receive(t, s, 3)
	if got := w.unparsed() - before; got < 6 { // others may have some too
		t.Errorf("%d packets are unparsed, want 3 at each end", got)
	}
	w.want(figures{client, open, 7, 0, 1, 0}, figures{server, open, 0, 7, 0, 1})
}

func (w *observer) unparsed() uint64 {
	w.t.Helper()
	s, err := w.Stats()
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Unparsed
}

// A datagram counts when it reaches the socket, and once, however often it is looked at.
func TestPeeked(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	send(t, c, 100)
	for range 3 {
		control(t, s, func(fd int) error {
			_, _, err := unix.Recvfrom(fd, make([]byte, 10), unix.MSG_PEEK)
			return err
		})
	}
	receive(t, s, 1)
	w.want(figures{client, open, 100, 0, 1, 0}, figures{server, open, 0, 100, 0, 1})
}

func TestSentFile(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	control(t, c, func(fd int) error {
		_, err := unix.Sendfile(fd, int(f.Fd()), nil, 3000)
		return err
	})
	receive(t, s, 1)
	w.want(figures{client, open, 3000, 0, 1, 0}, figures{server, open, 0, 3000, 0, 1})
}

// What a full buffer drops is not received, and counted on its own. A kernel whose tracepoint shows no packet delivers
// the datagram, as far as netconn can see.
func TestFullBuffer(t *testing.T) {
	const sent, size = 200, 1000
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	option(t, s, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
	for range sent {
		send(t, c, size)
	}
	received := uint64(0)
	for buffer := make([]byte, 1<<16); ; received++ {
		s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := s.Read(buffer); err != nil {
			break
		}
	}
	if received == 0 || received == sent {
		t.Fatalf("%d datagrams of %d were received, so the buffer was not full", received, sent)
	}
	if shown := dropsShown(t); w.lacks[bufferFull] == shown {
		t.Errorf("the kernel shows the packets that it drops: %v, and netconn lacks the program: %v", shown, !shown)
	} else if !shown {
		received = sent
	}
	all := w.want(figures{client, open, sent * size, 0, sent, 0}, figures{server, open, 0, received * size, 0, received})
	if got := all[1].Counts[conn.DatagramDrops]; got != sent-received {
		t.Errorf("drops: %d, want %d", got, sent-received)
	}
}

// dropsShown reports whether the kernel's tracepoint of a full buffer has the packet, as it has since Linux 6.10.
func dropsShown(t *testing.T) bool {
	t.Helper()
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		testnet.Require(t, err)
	}
	var tracepoint *btf.Typedef
	if err := spec.TypeByName("btf_trace_udp_fail_queue_rcv_skb", &tracepoint); err != nil {
		t.Fatal(err)
	}
	arguments := btf.UnderlyingType(tracepoint).(*btf.Pointer).Target.(*btf.FuncProto).Params
	return slices.ContainsFunc(arguments, func(p btf.FuncParam) bool { return pointsTo(p.Type, "sk_buff") })
}

func pointsTo(of btf.Type, name string) bool {
	p, ok := of.(*btf.Pointer)
	return ok && p.Target.TypeName() == name
}

// Nobody listens, and the ICMP message is an error of the connected socket.
func TestRefused(t *testing.T) {
	for network, address := range map[string]string{"udp4": "127.0.0.1:9000", "udp6": "[::1]:9000"} {
		t.Run(network, func(t *testing.T) {
			n := testnet.New(t)
			w := observe(t, Options{All: true}, n)
			c := dial(t, n, network, address)
			send(t, c, 100)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
				t.Fatalf("read: %v", err)
			}
			all := w.want(figures{client, open, 100, 0, 1, 0})
			if all[0].Counts[conn.DatagramErrors] != 1 || all[0].Error != conn.Refused {
				t.Errorf("%d errors, the last one is %v", all[0].Counts[conn.DatagramErrors], all[0].Error)
			}
		})
	}
}

// A socket that connects to another peer has an exchange with each, and errors of each.
func TestReconnected(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	send(t, c, 100)
	receive(t, s, 1)
	control(t, c, func(fd int) error {
		return unix.Connect(fd, &unix.SockaddrInet4{Port: 9001, Addr: [4]byte{127, 0, 0, 1}})
	})
	send(t, c, 20)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Fatalf("read: %v", err)
	}
	all := w.want(figures{client, open, 100, 0, 1, 0}, figures{client, open, 20, 0, 1, 0}, figures{server, open, 0, 100, 0, 1})
	if all[0].Counts[conn.DatagramErrors] != 0 || all[1].Counts[conn.DatagramErrors] != 1 {
		t.Errorf("errors: %d and %d", all[0].Counts[conn.DatagramErrors], all[1].Counts[conn.DatagramErrors])
	}
}

// What is not read before the close was received.
func TestClosedWithUnread(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	send(t, c, 10, 20)
	s.Close()
	w.want(figures{client, open, 30, 0, 2, 0}, figures{server, closed, 0, 30, 0, 2})
}

// Each receiver of a group has what it was sent, from the sender.
func TestMulticast(t *testing.T) {
	n := testnet.New(t)
	n.Command("ip", "route", "add", "239.0.0.0/8", "dev", "lo")
	n.Command("ip", "link", "set", "lo", "multicast", "on")
	w := observe(t, Options{All: true}, n)
	group := netip.MustParseAddrPort("239.1.2.3:9000")
	var members []*net.UDPConn
	for range 2 {
		var s *net.UDPConn
		var err error
		n.Do(func() {
			lo, _ := net.InterfaceByName("lo")
			s, err = net.ListenMulticastUDP("udp4", lo, net.UDPAddrFromAddrPort(group))
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		members = append(members, s)
	}
	c := listen(t, n, "udp4", "127.0.0.1:0")
	sendTo(t, c, group, 100, 7)
	for _, s := range members {
		receive(t, s, 2)
	}
	all := w.want(figures{client, open, 107, 0, 2, 0}, figures{server, open, 0, 107, 0, 2},
		figures{server, open, 0, 107, 0, 2})
	if all[0].Tuple.Destination != group || all[1].Tuple.Source != group {
		t.Errorf("tuples: %v and %v", all[0].Tuple, all[1].Tuple)
	}
}

// A datagram in a tunnel is one of its sender and its receiver. The tunnel has no sockets of its own.
func TestTunnel(t *testing.T) {
	a, b := linked(t)
	for n, address := range map[*testnet.Namespace][2]string{a: {"10.80.0.2", "10.81.0.1/24"}, b: {"10.80.0.1", "10.81.0.2/24"}} {
		n.Command("ip", "link", "add", "vx0", "type", "vxlan", "id", "7", "remote", address[0], "dstport", "4789", "dev", "nc0")
		n.Command("ip", "address", "add", address[1], "dev", "vx0")
		n.Command("ip", "link", "set", "vx0", "up")
	}
	w := observe(t, Options{All: true}, a, b)
	c, s := pair(t, a, b, "10.81.0.2:9000")
	send(t, c, 100)
	receive(t, s, 1)
	w.want(figures{client, open, 100, 0, 1, 0}, figures{server, open, 0, 100, 0, 1})
}

// What a rule drops on the way out was not sent, and what it drops on the way in was not received.
func TestFiltered(t *testing.T) {
	a, b := linked(t)
	a.Command("iptables", "-A", "OUTPUT", "-p", "udp", "-m", "length", "--length", "128:", "-j", "DROP")
	b.Command("iptables", "-A", "INPUT", "-p", "udp", "-m", "length", "--length", "78:", "-j", "DROP")
	w := observe(t, Options{All: true}, a, b)
	c, s := pair(t, a, b, "10.80.0.2:9000")
	send(t, c, 10, 50)
	if _, err := c.Write(make([]byte, 100)); !errors.Is(err, unix.EPERM) {
		t.Fatalf("write: %v", err)
	}
	send(t, c, 1)
	receive(t, s, 2)
	w.want(figures{client, open, 61, 0, 3, 0}, figures{server, open, 0, 11, 0, 2})
}

// The time stamp of a packet reaches its socket as an error does, and is none.
func TestTimestamps(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	option(t, c, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, unix.SOF_TIMESTAMPING_TX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE)
	send(t, c, 100)
	receive(t, s, 1)
	control(t, c, func(fd int) error {
		_, _, _, _, err := unix.Recvmsg(fd, make([]byte, 200), make([]byte, 200), unix.MSG_ERRQUEUE)
		return err
	})
	all := w.want(figures{client, open, 100, 0, 1, 0}, figures{server, open, 0, 100, 0, 1})
	if got := all[0].Counts[conn.DatagramErrors]; got != 0 {
		t.Errorf("%d errors, and none happened", got)
	}
}

// At full speed every datagram is counted, and each was either received or dropped.
func TestNoneUncounted(t *testing.T) {
	const sent = 100_000
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	received := make(chan uint64)
	go func() {
		count, buffer := uint64(0), make([]byte, 100)
		for {
			s.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := s.Read(buffer); err != nil {
				received <- count
				return
			}
			count++
		}
	}()
	began := time.Now()
	for i := range sent {
		if send(t, c, 10); i%10_000 == 0 {
			w.snapshot(false)
		}
	}
	t.Logf("%.0f datagrams a second", sent/time.Since(began).Seconds())
	got := <-received
	if !dropsShown(t) {
		got = sent
	}
	all := w.want(figures{client, open, sent * 10, 0, sent, 0}, figures{server, open, 0, got * 10, 0, got})
	if drops := all[1].Counts[conn.DatagramDrops]; got+drops != sent {
		t.Errorf("%d received and %d dropped of %d", got, drops, sent)
	}
}
