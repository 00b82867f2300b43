//go:build linux

package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// outer returns the namespace that packets from another one arrive in.
func outer(t *testing.T, x *Tables, of *testnet.Namespace) uint32 {
	t.Helper()
	inode, _ := outerOf(t, x, of, tuple("10.78.1.1:40000", "198.51.100.1:443"))
	return inode
}

// outerOf returns the namespace that a packet arrives in, once it is not too early to know it.
func outerOf(t *testing.T, x *Tables, of *testnet.Namespace, packet conn.Tuple) (outer uint32, certain bool) {
	t.Helper()
	for at := time.Now(); ; at = at.Add(searchPause) {
		outer, certain, err := x.Outer(at, of.Inode, packet)
		if errors.Is(err, ErrTooEarly) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return outer, certain
	}
}

func TestOuter(t *testing.T) {
	pod, node, _ := chain(t)
	x := openTables(t, SourceNone)
	wantEqual(t, "outside the pod", outer(t, x, pod), node.Inode)
	wantEqual(t, "outside the node", outer(t, x, node), 0)

	other := testnet.New(t)
	testnet.Link(pod, other, "up1", "10.79.1.1/24", "10.79.1.2/24")
	pod.Command("ip", "route", "replace", "default", "via", "10.79.1.2")
	x.LookUp(time.Now(), nil)
	wantEqual(t, "outside the pod after its route has changed", outer(t, x, pod), other.Inode)
}

func TestLocal(t *testing.T) {
	pod, _, _ := chain(t)
	x := openTables(t, SourceNone)
	local := func(a string) bool {
		t.Helper()
		is, err := x.Local(time.Now(), pod.Inode, netip.MustParseAddr(a))
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	got := map[string]bool{}
	for _, a := range []string{"127.0.0.6", "::1", "10.78.1.1", "10.78.1.2", "10.78.9.9"} {
		got[a] = local(a)
	}
	wantEqual(t, "local", got, map[string]bool{
		"127.0.0.6": true, "::1": true, "10.78.1.1": true, "10.78.1.2": false, "10.78.9.9": false,
	})
	pod.Command("ip", "address", "add", "10.78.9.9/32", "dev", "lo")
	x.LookUp(time.Now(), nil)
	wantEqual(t, "local after it was added", local("10.78.9.9"), true)
}

// loseEvents limits the kernel to a few events, makes more of them, and returns once some were lost.
func loseEvents(t *testing.T, x *Tables, noisy *testnet.Namespace) {
	t.Helper()
	fd := x.registry.events.fd
	// The kernel takes its minimum instead, which is about 2 KiB.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		noisy.Command("ip", "address", "add", "10.80.0.1/32", "dev", "lo")
		noisy.Command("ip", "address", "delete", "10.80.0.1/32", "dev", "lo")
		if dropped(t, x, fd) > 0 {
			return
		}
	}
	t.Fatal("the socket lost nothing: the test shows nothing")
}

// dropped returns how many events did not fit into a socket of the home namespace.
func dropped(t *testing.T, x *Tables, fd int) (drops int) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	var table []byte
	var err error
	x.home.do(func() { table, err = os.ReadFile("/proc/thread-self/net/netlink") })
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
		if len(fields) == 10 && fields[9] == fmt.Sprint(st.Ino) {
			if _, err := fmt.Sscan(fields[8], &drops); err != nil {
				t.Fatal(err)
			}
			return drops
		}
	}
	t.Fatalf("no socket %d in:\n%s", st.Ino, table)
	return 0
}

// hasID reports whether the home namespace still has an id.
func hasID(t *testing.T, x *Tables, id int32) bool {
	t.Helper()
	answers, err := request(x.registry.route, unix.RTM_GETNSID, netlink.Dump, make([]byte, sizeofRtgenmsg))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range answers {
		if theirs, _ := parseNsid(m.Data); theirs == id {
			return true
		}
	}
	return false
}

// After events were lost, everything is read again: a route that has changed, and a namespace that was deleted.
func TestEventsThatWereLost(t *testing.T) {
	pod, node, other := chain(t)
	testnet.Link(pod, other, "up1", "10.79.1.1/24", "10.79.1.2/24")
	x := openTables(t, SourceNone)
	wantEqual(t, "outside the pod", outer(t, x, pod), node.Inode)
	inode, process, end := startInNetns(t)
	n, _ := x.registry.find(time.Now().Add(time.Hour), netnsKey{inode: inode}, process)
	if n == nil {
		t.Fatal("the child's namespace is not found")
	}

	loseEvents(t, x, node)
	pod.Command("ip", "route", "replace", "default", "via", "10.79.1.2")
	end()
	for hasID(t, x, n.id) {
		time.Sleep(time.Millisecond) // the kernel ends namespaces in the background
	}
	x.LookUp(time.Now(), nil)
	wantEqual(t, "outside the pod after its route has changed", outer(t, x, pod), other.Inode)
	if x.registry.byID[n.id] != nil || x.registry.byInode[inode] != nil {
		t.Error("a namespace that has ended is known still")
	}
}

// A pod has a second way out, to a namespace that translates as its node may. Its packets are followed by the route
// that they take, whichever interface the default route uses. A rule that depends on what is not known leaves the way
// open.
func TestEgress(t *testing.T) {
	pod, node, other := testnet.New(t), testnet.New(t), testnet.New(t)
	testnet.Link(pod, node, "up0", "10.78.1.1/24", "10.78.1.2/24")
	testnet.Link(pod, other, "up1", "10.79.1.1/24", "10.79.1.2/24")
	nodes, others := node.Inode, other.Inode
	service := "10.96.0.10:80"
	for _, c := range []struct {
		name     string
		commands []string
		source   string
		to       string
		outer    uint32
		certain  bool
	}{
		{"the default route leads to the node",
			[]string{"route add default via 10.78.1.2"}, "10.78.1.1", service, nodes, true},
		{"the default route leads elsewhere",
			[]string{"route replace default via 10.79.1.2", "route add 10.96.0.0/12 via 10.78.1.2"}, "10.78.1.1",
			service, nodes, true},
		{"another destination", nil, "10.79.1.1", "198.51.100.1:443", others, true},
		{"bound to the other interface", nil, "10.79.1.1", service, nodes, false},
		{"no default route", []string{"route delete default"}, "10.78.1.1", service, nodes, true},
		{"no route at all", nil, "10.78.1.1", "198.51.100.1:443", 0, false},
		{"a rule with a table of its own", []string{"route delete 10.96.0.0/12", "route add default via 10.79.1.2",
			"route add default via 10.78.1.2 table 100", "rule add to 10.96.0.0/12 table 100"}, "10.78.1.1",
			service, nodes, true},
		{"a rule by source", []string{"rule delete to 10.96.0.0/12 table 100", "rule add from 10.78.1.1 table 100"},
			"10.78.1.1", service, nodes, true},
		{"a rule by source, a packet from elsewhere", nil, "10.90.0.1", service, others, false},
		{"a rule by mark", []string{"rule delete from 10.78.1.1 table 100", "rule add fwmark 1 table 100"},
			"10.79.1.1", service, others, false},
		{"a rule by mark, and one way", []string{"link set up0 down"}, "10.79.1.1", service, others, true},
	} {
		for _, command := range c.commands {
			pod.Command("ip", strings.Fields(command)...)
		}
		x := openTables(t, SourceNone)
		packet := conn.Tuple{
			Source:      netip.AddrPortFrom(netip.MustParseAddr(c.source), 40000),
			Destination: netip.MustParseAddrPort(c.to),
		}
		if outer, certain := outerOf(t, x, pod, packet); outer != c.outer || certain != c.certain {
			t.Errorf("%s: %d, certain %v; want %d, %v", c.name, outer, certain, c.outer, c.certain)
		}
	}
}

// A route that changes is seen at the next lookup.
func TestEgressChanges(t *testing.T) {
	pod, node, other := testnet.New(t), testnet.New(t), testnet.New(t)
	testnet.Link(pod, node, "up0", "10.78.1.1/24", "10.78.1.2/24")
	testnet.Link(pod, other, "up1", "10.79.1.1/24", "10.79.1.2/24")
	pod.Command("ip", "route", "add", "default", "via", "10.78.1.2")
	x := openTables(t, SourceNone)
	packet := tuple("10.78.1.1:40000", "10.96.0.10:80")
	for range 2 {
		if outer, certain := outerOf(t, x, pod, packet); outer != node.Inode || !certain {
			t.Errorf("%d, certain %v; want %d", outer, certain, node.Inode)
		}
	}
	pod.Command("ip", "rule", "add", "fwmark", "1", "table", "100")
	pod.Command("ip", "route", "add", "default", "via", "10.79.1.2", "table", "100")
	x.LookUp(time.Now(), nil)
	if outer, certain := outerOf(t, x, pod, packet); outer != node.Inode || certain {
		t.Errorf("with a rule: %d, certain %v; want %d, not certain", outer, certain, node.Inode)
	}
}
