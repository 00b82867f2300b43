//go:build linux

package drops

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testnet"
)

// The namespaces of a test.
const client, server = "client", "server"

// observer adds up what is reported of the test's own namespaces.
type observer struct {
	*Reader
	t   *testing.T
	got map[drop]uint64
	of  map[uint32]string
}

// drop is what a test compares.
type drop struct {
	In       string
	Protocol conn.Protocol
	Reason   string
	Owned    bool // the packet has a socket, which is one of this process
}

func observe(t *testing.T, o options, a, b *testnet.Namespace) *observer {
	t.Helper()
	r, err := open(o)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return &observer{Reader: r, t: t, got: map[drop]uint64{}, of: map[uint32]string{a.Inode: client, b.Inode: server}}
}

func (w *observer) read() {
	w.t.Helper()
	if err := w.Read(func(d Drops) {
		if n := w.of[d.Namespace]; n != "" {
			w.got[drop{n, d.Protocol, d.Reason.String(), d.Cgroup != 0}] += d.Packets
		}
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *observer) want(want map[drop]uint64) {
	w.t.Helper()
	w.read()
	if diff := cmp.Diff(want, w.got); diff != "" {
		w.t.Errorf("(-want +got):\n%s", diff)
	}
}

// udp returns a client that is connected to an address.
func udp(t *testing.T, n *testnet.Namespace, to string) *net.UDPConn {
	t.Helper()
	var c net.Conn
	var err error
	n.Do(func() { c, err = net.Dial("udp", to) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

func listen(t *testing.T, n *testnet.Namespace, at string) *net.UDPConn {
	t.Helper()
	var s *net.UDPConn
	var err error
	n.Do(func() { s, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at))) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// send sends datagrams, each of which returns an error.
func send(t *testing.T, c *net.UDPConn, n, size int, want error) {
	t.Helper()
	for range n {
		if _, err := c.Write(make([]byte, size)); !errors.Is(err, want) {
			t.Fatalf("write: %v, want %v", err, want)
		}
	}
}

func option(t *testing.T, c *net.UDPConn, level, name, value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, name, value) }), err); err != nil {
		t.Fatal(err)
	}
}

func linked(t *testing.T) (a, b *testnet.Namespace) {
	a, b = testnet.New(t), testnet.New(t)
	for _, n := range []*testnet.Namespace{a, b} { // Otherwise the kernel announces its addresses and groups, and drops some of that.
		n.Sysctl("net.ipv6.conf.default.disable_ipv6", "1")
	}
	testnet.Link(a, b, "nc0", "10.81.0.1/24", "10.81.0.2/24")
	return a, b
}

// programs runs a test with each of the two programs. The older one does not know the socket that a packet was for.
func programs(t *testing.T, test func(t *testing.T, o options, receiver bool)) {
	t.Run("newer", func(t *testing.T) {
		r, err := open(options{})
		if err != nil {
			testnet.Require(t, err)
		}
		r.Close()
		if !r.receiver {
			t.Skip("the kernel does not say which socket a packet was for, so there is only the older program")
		}
		test(t, options{}, true)
	})
	t.Run("older", func(t *testing.T) { test(t, options{older: true}, false) })
}

// A rule drops packets of a socket on their way out. The socket is known. A large packet counts as its segments.
func TestRuleOut(t *testing.T) {
	programs(t, func(t *testing.T, o options, _ bool) {
		a, b := linked(t)
		for _, tables := range []string{"iptables", "ip6tables"} {
			a.Command(tables, "-A", "OUTPUT", "-p", "udp", "--dport", "9000", "-j", "DROP")
		}
		w := observe(t, o, a, b)
		c := udp(t, a, "10.81.0.2:9000")
		send(t, c, 5, 100, unix.EPERM)
		send(t, udp(t, a, "[::1]:9000"), 2, 100, unix.EPERM)
		option(t, c, unix.SOL_UDP, unix.UDP_SEGMENT, 1000)
		send(t, c, 1, 3500, unix.EPERM)
		w.want(map[drop]uint64{{client, conn.UDP, "netfilter_drop", true}: 5 + 2 + 4})
	})
}

// A rule drops packets on their way in, before a socket is looked up.
func TestRuleIn(t *testing.T) {
	programs(t, func(t *testing.T, o options, _ bool) {
		a, b := linked(t)
		b.Command("iptables", "-A", "INPUT", "-p", "udp", "--dport", "9000", "-j", "DROP")
		b.Command("iptables", "-A", "INPUT", "-p", "icmp", "-j", "DROP")
		w := observe(t, o, a, b)
		listen(t, b, "10.81.0.2:9000")
		send(t, udp(t, a, "10.81.0.2:9000"), 7, 100, nil)
		const icmp = 1
		ping := socket(t, a, unix.SOCK_DGRAM, icmp)
		if err := unix.Sendto(ping, []byte{8, 0, 0, 0, 0, 0, 0, 1}, 0, &unix.SockaddrInet4{Addr: [4]byte{10, 81, 0, 2}}); err != nil {
			t.Fatal(err)
		}
		w.want(map[drop]uint64{{server, conn.UDP, "netfilter_drop", false}: 7, {server, icmp, "netfilter_drop", false}: 1})
	})
}

func socket(t *testing.T, n *testnet.Namespace, kind, protocol int) (fd int) {
	t.Helper()
	n.Sysctl("net.ipv4.ping_group_range", "0 2147483647")
	var err error
	n.Do(func() { fd, err = unix.Socket(unix.AF_INET, kind, protocol) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// A packet for a port without a socket is dropped, and has no owner.
func TestNoSocket(t *testing.T) {
	programs(t, func(t *testing.T, o options, _ bool) {
		a, b := linked(t)
		w := observe(t, o, a, b)
		for range 3 { // the next one would have the error of the last one
			send(t, udp(t, a, "10.81.0.2:9000"), 1, 100, nil)
		}
		for range 4 {
			if _, err := a.TryDial(net.Dialer{}, "10.81.0.2:9000"); !errors.Is(err, unix.ECONNREFUSED) {
				t.Fatalf("connect: %v", err)
			}
		}
		w.want(map[drop]uint64{{server, conn.UDP, "no_socket", false}: 3, {server, conn.TCP, "no_socket", false}: 4})
	})
}

// A packet for another host is no loss. It is counted on its own.
func TestExcluded(t *testing.T) {
	programs(t, func(t *testing.T, o options, _ bool) {
		const sent = 20
		a, b := linked(t)
		a.Command("ip", "neigh", "add", "10.81.0.2", "lladdr", "02:00:00:00:00:01", "dev", "nc0")
		w := observe(t, o, a, b)
		before := w.excluded("otherhost")
		send(t, udp(t, a, "10.81.0.2:9000"), sent, 100, nil)
		w.want(map[drop]uint64{})
		if got := w.excluded("otherhost") - before; got < sent {
			t.Errorf("%d packets are excluded, want %d or more: others may have some too", got, sent)
		}
	})
}

// excluded returns how many packets of the machine were dropped for a reason that is no loss.
func (w *observer) excluded(name string) uint64 {
	w.t.Helper()
	s, err := w.Stats()
	if err != nil {
		w.t.Fatal(err)
	}
	for i, n := range s.Excluded {
		if names.ExcludedDrop(i) == name {
			return n
		}
	}
	w.t.Fatalf("there is no reason %s", name)
	return 0
}

// The buffer of a socket is full: what was sent was received or dropped.
func TestFullBuffer(t *testing.T) {
	programs(t, func(t *testing.T, o options, receiver bool) {
		const sent = 300
		a, b := linked(t)
		w := observe(t, o, a, b)
		s := listen(t, b, "10.81.0.2:9000")
		option(t, s, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
		send(t, udp(t, a, "10.81.0.2:9000"), sent, 500, nil)
		received := uint64(0)
		for buffer := make([]byte, 1000); ; received++ {
			s.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := s.Read(buffer); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if received == 0 || received == sent {
			t.Fatalf("%d datagrams of %d were received, so the buffer was not full", received, sent)
		}
		w.want(map[drop]uint64{{server, conn.UDP, "socket_rcvbuff", receiver}: sent - received})
	})
}

// A flood is counted, not reported one by one: one entry, read at any time, and nothing is lost between readings.
func TestFlood(t *testing.T) {
	sent := 50_000
	if testing.Short() {
		sent /= 10
	}
	a, b := linked(t)
	a.Command("iptables", "-A", "OUTPUT", "-p", "udp", "-j", "DROP")
	w := observe(t, options{}, a, b)
	c := udp(t, a, "10.81.0.2:9000")
	for range 10 {
		send(t, c, sent/10, 10, unix.EPERM)
		w.read()
	}
	w.want(map[drop]uint64{{client, conn.UDP, "netfilter_drop", true}: uint64(sent)})
}

// What finds no room has no socket, and is counted.
func TestNoRoom(t *testing.T) {
	const sent = 100
	a, b := linked(t)
	a.Command("iptables", "-A", "OUTPUT", "-p", "udp", "-j", "DROP")
	w := observe(t, options{room: 1}, a, b)
	total := map[string]uint64{}
	send(t, udp(t, a, "10.81.0.2:9000"), sent, 10, unix.EPERM) // these may be in the one entry
	for range sent {
		if _, err := a.TryDial(net.Dialer{}, "10.81.0.2:9000"); !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatalf("connect: %v", err)
		}
	}
	if err := w.Read(func(d Drops) { total[d.Reason.String()] += d.Packets }); err != nil {
		t.Fatal(err)
	}
	if total["netfilter_drop"] < sent || total["no_socket"] < sent {
		t.Errorf("%v were dropped, want %d or more of each: others may have some too", total, sent)
	}
}

// An entry that is idle is removed, and what comes after that is counted.
func TestIdle(t *testing.T) {
	a, b := linked(t)
	a.Command("iptables", "-A", "OUTPUT", "-p", "udp", "-j", "DROP")
	w := observe(t, options{}, a, b)
	c := udp(t, a, "10.81.0.2:9000")
	kept := func() (n int) {
		var k kernelDropKey
		var cpus []uint64
		for all := w.objects.Dropped.Iterate(); all.Next(&k, &cpus); {
			if k.Netns == a.Inode {
				n++
			}
		}
		return n
	}
	send(t, c, 3, 10, unix.EPERM)
	for range idleAfter {
		w.read()
	}
	if got := kept(); got != 1 {
		t.Fatalf("%d entries are kept, want one", got)
	}
	w.read()
	if got := kept(); got != 0 || slices.ContainsFunc(keys(w.known), func(k kernelDropKey) bool { return k.Netns == a.Inode }) {
		t.Errorf("%d entries are kept in the kernel, and %v here", got, keys(w.known))
	}
	send(t, c, 2, 10, unix.EPERM)
	w.want(map[drop]uint64{{client, conn.UDP, "netfilter_drop", true}: 5})
}

func keys(m map[kernelDropKey]*entry) (all []kernelDropKey) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

// After Close nothing is attached.
func TestClose(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, options{}, n, n)
	info, err := w.program.Info()
	if err != nil {
		testnet.Require(t, err)
	}
	id, _ := info.ID()
	if !attached(t, uint32(id)) {
		t.Fatal("the program has no link")
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if attached(t, uint32(id)) {
		t.Error("the program has a link after Close")
	}
}

// attached reports whether a link of the machine is one of a program.
func attached(t *testing.T, program uint32) bool {
	t.Helper()
	var links link.Iterator
	defer links.Close()
	for links.Next() {
		info, err := links.Link.Info()
		if err == nil && uint32(info.Program) == program {
			return true
		}
	}
	if err := links.Err(); err != nil {
		testnet.Require(t, err)
	}
	return false
}
