//go:build linux

package udp

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv("NETCONN_TEST_ROLE")]; ok {
		role()
		return
	}
	os.Exit(m.Run())
}

// observer keeps what is reported of the test's own namespaces.
type observer struct {
	*Sockets
	t    *testing.T
	mine map[uint32]bool
	now  time.Time
	got  map[conn.ID]conn.Conn
}

func observe(t *testing.T, o Options, of ...*testnet.Namespace) *observer {
	t.Helper()
	o.Root = "/"
	s, err := Open(o)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &observer{Sockets: s, t: t, mine: map[uint32]bool{}, now: time.Now(), got: map[conn.ID]conn.Conn{}}
	for _, n := range of {
		w.mine[n.Inode] = true
	}
	return w
}

func (w *observer) take(c conn.Conn) {
	if w.mine[c.Namespace.Inode] {
		w.got[c.ID] = c
	}
}

func (w *observer) snapshot(all bool) {
	w.t.Helper()
	if err := w.Snapshot(all, w.now, w.take); err != nil {
		w.t.Fatal(err)
	}
}

// figures is what a test compares of a report as a whole.
type figures struct {
	Role                 conn.Role
	Phase                conn.Phase
	Sent, Received       uint64
	Datagrams, Delivered uint64
}

func figuresOf(c conn.Conn) figures {
	return figures{c.Role, c.Phase, c.Counts[conn.Sent], c.Counts[conn.Received], c.Counts[conn.SegmentsSent],
		c.Counts[conn.SegmentsReceived]}
}

// all returns the reports so far: clients first, and in the order of their first reports. Of sockets that are first
// reported by one snapshot, the order is that in which the kernel shows them: any.
func (w *observer) all() []conn.Conn {
	var all []conn.Conn
	for _, c := range w.got {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b conn.Conn) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.ID.Generation, b.ID.Generation))
	})
	return all
}

func (w *observer) want(want ...figures) []conn.Conn {
	w.t.Helper()
	w.snapshot(false)
	var got []figures
	for _, c := range w.all() {
		got = append(got, figuresOf(c))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		w.t.Fatalf("exchanges (-want +got):\n%s", diff)
	}
	return w.all()
}

func listen(t *testing.T, n *testnet.Namespace, network, address string) *net.UDPConn {
	t.Helper()
	var c net.PacketConn
	var err error
	n.Do(func() { c, err = net.ListenPacket(network, address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

func dial(t *testing.T, n *testnet.Namespace, network, address string) *net.UDPConn {
	t.Helper()
	var c net.Conn
	var err error
	n.Do(func() { c, err = net.Dial(network, address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

func send(t *testing.T, c *net.UDPConn, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		if _, err := c.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
}

func sendTo(t *testing.T, c *net.UDPConn, to netip.AddrPort, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		if _, err := c.WriteToUDPAddrPort(make([]byte, n), to); err != nil {
			t.Fatal(err)
		}
	}
}

// receive reads datagrams and returns the address of the last sender.
func receive(t *testing.T, c *net.UDPConn, n int) (from netip.AddrPort) {
	t.Helper()
	buffer := make([]byte, 1<<16)
	for range n {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		var err error
		if _, from, err = c.ReadFromUDPAddrPort(buffer); err != nil {
			t.Fatal(err)
		}
	}
	return from
}

// roles are the programs that the test binary can be instead of the tests.
var roles = map[string]func(){
	"count": func() {
		_, err := Open(Options{Root: "/", All: true})
		fmt.Println(err)
		time.Sleep(time.Minute)
	},
	"shot": func() {
		c, err := net.Dial("udp4", os.Getenv("NETCONN_TEST_ADDRESS"))
		if err == nil {
			_, err = c.Write(make([]byte, 100))
		}
		fmt.Println(err)
		if os.Getenv("NETCONN_TEST_WAIT") != "" {
			time.Sleep(time.Minute)
		}
	},
	"adopt": func() { fmt.Println(adopt()) },
}
