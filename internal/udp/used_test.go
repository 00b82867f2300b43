//go:build linux

package udp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// attachedHere waits until the packets of this process' cgroup are counted.
func attachedHere(t *testing.T, w *observer) {
	t.Helper()
	id := testnet.New(t)
	a := listen(t, id, "udp4", "127.0.0.1:9")
	c := dial(t, id, "udp4", "127.0.0.1:9")
	defer a.Close()
	defer c.Close()
	w.mine[id.Inode] = true
	defer delete(w.mine, id.Inode)
	for deadline := time.Now().Add(5 * time.Second); len(w.got) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the packets of the cgroup are not counted")
		}
		send(t, c, 1)
		w.snapshot(false)
	}
	clear(w.got)
}

// A cgroup is counted from the moment on that one of its sockets uses UDP, and only such a cgroup.
func TestUsed(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{}, n)
	attachedHere(t, w)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	send(t, c, 100, 7)
	receive(t, s, 2)
	w.want(figures{client, open, 107, 0, 2, 0}, figures{server, open, 0, 107, 0, 2})
	stats, err := w.Stats()
	if err != nil || stats.Cgroups == 0 || stats.StorageRefused+stats.RingRefused+stats.Rest > 0 {
		t.Errorf("%+v: %v", stats, err)
	}
}

// What a socket has done before the programs is not known, and nothing is invented: its role is that of its port.
func TestOlderSockets(t *testing.T) {
	n := testnet.New(t)
	c, s := pair(t, n, n, "127.0.0.1:9000")
	send(t, c, 1000)
	receive(t, s, 1)
	w := observe(t, Options{}, n)
	attachedHere(t, w)
	sendTo(t, s, c.LocalAddr().(*net.UDPAddr).AddrPort(), 5)
	receive(t, c, 1)
	send(t, c, 30)
	receive(t, s, 1)
	all := w.want(figures{unknown, open, 5, 30, 1, 1}, figures{client, open, 30, 5, 1, 1})
	for _, c := range all {
		if c.Process.PID != uint32(os.Getpid()) {
			t.Errorf("the owner of %v is process %d", c.Tuple, c.Process.PID)
		}
	}
}

// DNS is left out of "used", and counted by "all".
func TestDNS(t *testing.T) {
	for all, want := range map[bool][]figures{
		false: nil, true: {{client, open, 40, 80, 1, 1}, {server, open, 80, 40, 1, 1}},
	} {
		t.Run(fmt.Sprint(all), func(t *testing.T) {
			n := testnet.New(t)
			w := observe(t, Options{All: all}, n)
			if !all {
				attachedHere(t, w)
			}
			c, s := pair(t, n, n, "127.0.0.1:53")
			send(t, c, 40)
			sendTo(t, s, receive(t, s, 1), 80)
			receive(t, c, 1)
			w.want(want...)
		})
	}
}

// shot returns a process in a cgroup of its own that sends one datagram.
func shot(t *testing.T, group, address string) *exec.Cmd {
	t.Helper()
	g, err := cgroup.New(group)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		g.Close()
		if err := cgroup.Remove(group); err != nil {
			t.Error(err)
		}
	})
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "NETCONN_TEST_ROLE=shot", "NETCONN_TEST_ADDRESS="+address)
	c.SysProcAttr = &syscall.SysProcAttr{}
	g.Put(c.SysProcAttr)
	return c
}

// A process that sends one datagram and exits is reported with its owner, when its socket closes.
func TestShortLived(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	s := listen(t, n, "udp4", "127.0.0.1:9000")
	c := shot(t, "netconn-test-udp-shot", "127.0.0.1:9000")
	n.Do(func() {
		if out, err := c.CombinedOutput(); err != nil || string(out) != "<nil>\n" {
			t.Fatalf("%v: %s", err, out)
		}
	})
	receive(t, s, 1)
	if err := w.Drain(w.now, w.take); err != nil {
		t.Fatal(err)
	}
	all := w.all()
	if len(all) != 1 || figuresOf(all[0]) != (figures{client, closed, 100, 0, 1, 0}) {
		t.Fatalf("%+v", all)
	}
	if got := all[0].Process.PID; got != uint32(c.Process.Pid) {
		t.Errorf("the process is %d, want %d", got, c.Process.Pid)
	}
}

// The sockets of a killed process are reported as closed.
func TestKilled(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	s := listen(t, n, "udp4", "127.0.0.1:9000")
	c := shot(t, "netconn-test-udp-killed", "127.0.0.1:9000")
	c.Env = append(c.Env, "NETCONN_TEST_WAIT=1")
	n.Start(c)
	receive(t, s, 1)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	w.want(figures{client, closed, 100, 0, 1, 0}, figures{server, open, 0, 100, 0, 1})
}

// Datagrams with peers beyond the room are the rest of their socket. Totals hold.
func TestNoRoom(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true, Peers: 4}, n)
	s := listen(t, n, "udp4", "127.0.0.1:9000")
	for range 10 {
		c := dial(t, n, "udp4", "127.0.0.1:9000")
		send(t, c, 100)
		sendTo(t, s, receive(t, s, 1), 3)
		receive(t, c, 1)
	}
	w.snapshot(false)
	named, total := 0, conn.Counts{}
	for _, c := range w.all() {
		if c.Tuple.Source.Port() != 9000 {
			continue
		}
		if total = total.Add(c.Counts); c.Tuple.Destination.IsValid() {
			named++
		} else if c.Role != conn.RoleUnknown || c.Counts[conn.Sent] != 15 || c.Counts[conn.Received] != 500 {
			t.Errorf("the rest is %+v", c)
		}
	}
	if total[conn.Sent] != 30 || total[conn.Received] != 1000 || total[conn.SegmentsReceived] != 10 || named != 5 {
		t.Errorf("%d peers with %v", named, total)
	}
	if stats, err := w.Stats(); err != nil || stats.Rest != 10 {
		t.Errorf("the rest has %d datagrams, want 10: %v", stats.Rest, err)
	}
}

// A server with many peers names each of them, forgets those that are silent, and counts them again if they return.
func TestManyPeers(t *testing.T) {
	const peers = 2000
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	s := listen(t, n, "udp4", "127.0.0.1:9000")
	for i := range peers {
		c := listen(t, n, "udp4", fmt.Sprint("127.0.0.1:", 20_000+i))
		sendTo(t, c, netip.MustParseAddrPort("127.0.0.1:9000"), 100)
		receive(t, s, 1)
		c.Close()
		if err := w.Drain(w.now, w.take); err != nil {
			t.Fatal(err)
		}
	}
	w.snapshot(false)
	ends := map[conn.Role]int{}
	for _, c := range w.all() {
		if ends[c.Role]++; c.Counts[conn.Sent]+c.Counts[conn.Received] != 100 || (c.Phase == closed) != (c.Role == client) {
			t.Fatalf("%+v", c)
		}
	}
	if ends[client] != peers || ends[server] != peers {
		t.Fatalf("%v ends, want %d each", ends, peers)
	}
	w.now = w.now.Add(2 * idleAfter)
	clear(w.got)
	w.snapshot(false)
	kept := 0
	for _, e := range w.known.exchanges {
		if w.mine[e.last.Namespace.Inode] {
			kept++
		}
	}
	if len(w.got) != peers || kept > 1 {
		t.Errorf("%d exchanges are closed, and %d are kept", len(w.got), kept)
	}
	again := netip.MustParseAddrPort("127.0.0.1:9001")
	sendTo(t, s, again, 7)
	clear(w.got)
	w.want(figures{client, open, 7, 0, 1, 0})
}

// A server has room for some of its peers. The rest is one exchange of its socket, and totals are exact.
func TestMorePeersThanRoom(t *testing.T) {
	const peers, room = 5000, 1000
	n := testnet.New(t)
	w := observe(t, Options{All: true, Peers: room}, n)
	s := listen(t, n, "udp4", "127.0.0.1:9000")
	for i := range peers {
		c := listen(t, n, "udp4", fmt.Sprint("127.0.0.1:", 20_000+i))
		sendTo(t, c, netip.MustParseAddrPort("127.0.0.1:9000"), 100)
		sendTo(t, s, receive(t, s, 1), 3)
		receive(t, c, 1)
		c.Close()
		if err := w.Drain(w.now, w.take); err != nil {
			t.Fatal(err)
		}
	}
	w.snapshot(false)
	named, rest := map[conn.Role]int{}, conn.Counts{}
	for _, c := range w.all() {
		if !c.Tuple.Destination.IsValid() {
			rest = rest.Add(c.Counts)
			continue
		}
		sent, received := uint64(100), uint64(3)
		if c.Role == server {
			sent, received = received, sent
		}
		if named[c.Role]++; c.Counts[conn.Sent] != sent || c.Counts[conn.Received] != received {
			t.Fatalf("%+v", c)
		}
	}
	const first = 1 // of the socket, which is in no room
	if named[client] != peers || named[server] != room+first {
		t.Errorf("%v ends have a name, want %d clients and %d peers of the server", named, peers, room+first)
	}
	const unnamed = peers - room - first
	if rest[conn.Sent] != 3*unnamed || rest[conn.Received] != 100*unnamed || rest[conn.SegmentsReceived] != unnamed {
		t.Errorf("the rest is %v, want that of %d peers", rest, unnamed)
	}
	if stats, err := w.Stats(); err != nil || stats.Rest != 2*unnamed {
		t.Errorf("the rest has %d datagrams, want %d: %v", stats.Rest, 2*unnamed, err)
	}
}

// kept returns how many exchanges the kernel's table has.
func (w *observer) kept() (n int) {
	var k datagramsDatagramKey
	var v datagramsDatagramExchange
	for all := w.objects.Exchanges.Iterate(); all.Next(&k, &v); {
		n++
	}
	return n
}

// A closed socket leaves nothing, neither here nor in the kernel's table, and no silent peer stays there.
func TestNothingStays(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	for _, closes := range []bool{true, false} {
		clear(w.got)
		s := listen(t, n, "udp4", "127.0.0.1:9000")
		for i := range 10 {
			sendTo(t, s, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(9001+i)), 10)
		}
		w.snapshot(false)
		if got := w.kept(); got != 9 {
			t.Fatalf("%d further exchanges, want 9", got)
		}
		if closes {
			s.Close()
		} else {
			w.now = w.now.Add(2 * idleAfter)
		}
		w.snapshot(false)
		for _, c := range w.all() {
			if c.Phase != closed || c.Counts[conn.Sent] != 10 {
				t.Errorf("%+v", c)
			}
		}
		if got := w.kept(); got != 0 || len(w.got) != 10 {
			t.Errorf("%d further exchanges stay of %d", got, len(w.got))
		}
		s.Close()
	}
	w.snapshot(false)
	w.snapshot(false)
	for id := range w.known.sockets {
		for k := range w.got {
			if k.Cookie == id {
				t.Errorf("socket %d is kept", id)
			}
		}
	}
}
