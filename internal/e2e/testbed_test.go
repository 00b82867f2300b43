//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A stage is two nodes with a pod each, a machine outside, and a puppet on each of the three: the shop in the first node's pod, the stock
// in the second's, the world outside.
type stage struct {
	t       *testing.T
	sink    *sink
	node    [2]*mesh.Node
	outside *mesh.Node
	pod     [2]*mesh.Pod
	shop    *actress
	stock   *actress
	world   *actress
}

// An actress is a puppet in a mesh.
type actress struct {
	*puppet
	member
	in      *netns.Namespace
	listens map[string]bool
}

// The addresses of a stage. No other mesh of the tests has these pods: whoever looks on there sees this one too, and would know them. The
// service and the far service are nobody's, and are brought to the nodes by whoever needs them.
var (
	shopAddr    = netip.MustParseAddr("10.244.1.31")
	stockAddr   = netip.MustParseAddr("10.244.2.33")
	worldAddr   = netip.MustParseAddr("172.18.0.1")
	nodeAddr    = netip.MustParseAddr("172.18.0.3")
	serviceAddr = netip.MustParseAddr("10.96.1.3")
	shopAddr6   = netip.MustParseAddr("fd00:10:244:1::1f")
	stockAddr6  = netip.MustParseAddr("fd00:10:244:2::21")
	nodeAddr6   = netip.MustParseAddr("fd00:172:18::3")
	worldAddr6  = netip.MustParseAddr("fd00:172:18::1")
	service6    = netip.MustParseAddr("fd00:10:96::3")
)

func at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }

// setTheStage makes a stage, and has the distribution look on.
func setTheStage(t *testing.T, receiver ...string) *stage {
	t.Helper()
	return raise(t, (*stage).build, func(*stage) {}, receiver...)
}

// raise makes what is there before the distribution starts, and what comes after.
func raise(t *testing.T, before, after func(*stage), receiver ...string) *stage {
	t.Helper()
	s := &stage{t: t, sink: newSink(t)}
	lines := append([]string{"collection_interval: 500ms",
		meshMetrics("server.address", "client.address", "network.peer.address", "network.local.address")}, receiver...)
	before(s)
	run(t, setup{Receiver: lines, OTLP: s.sink.address})
	s.sink.next(1)
	after(s)
	return s
}

// build makes what is on the stage. Names of processes that are in no container are nobody else's on this machine.
func (s *stage) build() {
	s.t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(s.t, errors.New("a mesh needs root"))
	}
	m, err := mesh.New(mesh.Options{Name: mesh.Unique("netconn-stage")})
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
	s.outside, err = m.Outside("outside", worldAddr.String())
	s.check(err)
	s.pod[0], err = s.node[0].Pod("shop", 31)
	s.check(err)
	s.pod[1], err = s.node[1].Pod("stock", 33)
	s.check(err)
	s.shop, s.stock = s.hire("shop", s.pod[0]), s.hire("stock", s.pod[1])
	s.world = s.hireOutside("world", s.outside)
}

// hireOutside starts a puppet that is in no pod.
func (s *stage) hireOutside(name string, machine *mesh.Node) *actress {
	s.t.Helper()
	host, err := machine.Host()
	s.check(err)
	name = fmt.Sprintf("%s%x", name, randomBytes(4))
	return &actress{startIn(s.t, name, host), member{name: name}, machine.Namespace, make(map[string]bool)}
}

// hire starts a puppet in a container of its own.
func (s *stage) hire(name string, pod *mesh.Pod) *actress {
	s.t.Helper()
	c, err := pod.Container()
	s.check(err)
	return &actress{startIn(s.t, name, c), member{name, c.ID, pod}, pod.Namespace, make(map[string]bool)}
}

func (s *stage) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// rule brings a rule of iptables to a namespace: of ip6tables if it is about IPv6.
func (s *stage) rule(n *netns.Namespace, six bool, arguments ...string) {
	s.t.Helper()
	program := "iptables"
	if six {
		program = "ip6tables"
	}
	s.check(n.Command(program, append([]string{"-w"}, arguments...)...))
}

// ensure has an actress listen, once.
func (a *actress) ensure(address string) {
	a.t.Helper()
	if !a.listens[address] {
		a.do("listen %s", address)
		a.listens[address] = true
	}
}

// exchange sends bytes both ways on a connection: the client's end has the name, the server's the name with an s before it. They may be
// one puppet, which does one thing at a time: so little is sent that it needs no reader.
func exchange(client, server *puppet, name string, there, back int) {
	client.t.Helper()
	client.do("send %s %d", name, there)
	server.do("receive s%s %d", name, there)
	server.do("send s%s %d", name, back)
	client.do("receive %s %d", name, back)
}
