//go:build linux

package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A testbed is two nodes with a pod each and a machine outside the cluster. A driver runs on each of the three: the
// shop in the first node's pod, the stock in the second node's, external on the machine outside.
type testbed struct {
	t        *testing.T
	sink     *sink
	node     [2]*mesh.Node
	outside  *mesh.Node
	shopUID  string // of the shop's pod, if an API server has it
	pod      [2]*mesh.Pod
	shop     *workload
	stock    *workload
	external *workload
}

// A workload is a driver in a testbed.
type workload struct {
	*driver
	member
	in      *netns.Namespace
	group   *cgroup.Cgroup
	listens map[string]bool
}

// The addresses of a testbed. No other mesh of the tests has these pods: a collector that runs beside sees this testbed
// too, and would recognise their addresses. Nothing has the service addresses: a test loads rules for them into the
// nodes.
var (
	shopAddr      = netip.MustParseAddr("10.244.1.31")
	stockAddr     = netip.MustParseAddr("10.244.2.33")
	externalAddr  = netip.MustParseAddr("172.18.0.1")
	nodeAddr      = netip.MustParseAddr("172.18.0.3")
	serviceAddr   = netip.MustParseAddr("10.96.1.3")
	shopAddr6     = netip.MustParseAddr("fd00:10:244:1::1f")
	stockAddr6    = netip.MustParseAddr("fd00:10:244:2::21")
	nodeAddr6     = netip.MustParseAddr("fd00:172:18::3")
	externalAddr6 = netip.MustParseAddr("fd00:172:18::1")
	service6      = netip.MustParseAddr("fd00:10:96::3")
)

func at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }

// newTestbed makes a testbed, and starts the distribution.
func newTestbed(t *testing.T, receiver ...string) *testbed {
	t.Helper()
	return makeTestbed(t, (*testbed).build, func(*testbed) {}, receiver...)
}

// makeTestbed makes what exists before the distribution starts, and what comes after.
func makeTestbed(t *testing.T, before, after func(*testbed), receiver ...string) *testbed {
	t.Helper()
	s := &testbed{t: t, sink: newSink(t)}
	lines := append([]string{"collection_interval: 500ms",
		meshMetrics("server.address", "client.address", "network.peer.address", "network.local.address")}, receiver...)
	before(s)
	run(t, setup{Receiver: lines, OTLP: s.sink.address})
	s.sink.next(1)
	after(s)
	return s
}

func (s *testbed) build() {
	s.t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(s.t, errors.New("a mesh needs root"))
	}
	m, err := mesh.New(mesh.Options{Name: mesh.Unique("netconn-testbed")})
	s.check(err)
	s.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			s.t.Error(err)
		}
	})
	for i, address := range []string{"172.18.0.3", "172.18.0.4"} {
		s.node[i], err = m.Node(fmt.Sprintf("node%d", i+1), i+1, address)
		s.check(err)
	}
	s.outside, err = m.Outside("outside", externalAddr.String())
	s.check(err)
	s.pod[0], err = s.node[0].Pod("shop", 31)
	s.check(err)
	s.pod[0].UID = cmp.Or(s.shopUID, s.pod[0].UID)
	s.pod[1], err = s.node[1].Pod("stock", 33)
	s.check(err)
	s.shop, s.stock = s.addContainer("shop", s.pod[0]), s.addContainer("stock", s.pod[1])
	s.external = s.addHostProcess("external", s.outside)
}

// addHostProcess starts a driver that is in no pod. Its name is unique on this host, as it is all that identifies it.
func (s *testbed) addHostProcess(name string, machine *mesh.Node) *workload {
	s.t.Helper()
	host, err := machine.Host()
	s.check(err)
	name = fmt.Sprintf("%s%x", name, randomBytes(4))
	return &workload{start(s.t, name, host.Namespace, host.Cgroup), member{name: name}, machine.Namespace, host.Cgroup, make(map[string]bool)}
}

// addContainer starts a driver in a container of its own.
func (s *testbed) addContainer(name string, pod *mesh.Pod) *workload {
	s.t.Helper()
	c, err := pod.Container()
	s.check(err)
	return &workload{start(s.t, name, c.Namespace, c.Cgroup), member{name, c.ID, pod}, pod.Namespace, c.Cgroup, make(map[string]bool)}
}

func (s *testbed) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// rule adds a rule of iptables, or of ip6tables, to a namespace.
func (s *testbed) rule(n *netns.Namespace, six bool, arguments ...string) {
	s.t.Helper()
	program := "iptables"
	if six {
		program = "ip6tables"
	}
	s.check(n.Command(program, append([]string{"-w"}, arguments...)...))
}

// ensure has a workload listen at an address, unless it does already.
func (w *workload) ensure(address string) {
	w.t.Helper()
	if !w.listens[address] {
		w.do("listen %s", address)
		w.listens[address] = true
	}
}
