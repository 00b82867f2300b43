//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/testnet/netns"
)

// A stranger is how one end of a connection, which cannot know the other's sequence numbers, has to tell of it: by what connection
// tracking says in its own namespace and in those around it.
type stranger struct {
	nat            string
	port           int
	original       netip.AddrPort // invalid: it is what the socket says
	client, server netip.Addr     // really, as far as can be known from there
	local, far     netip.Addr     // of the socket
}

func (x stranger) flow(role string) []string {
	v := views{client: x.client, server: x.server, clientLocal: x.local, clientFar: x.far, serverLocal: x.local, serverFar: x.far}
	flow := append(hop{port: x.port, nat: x.nat, original: x.original}.way(), v.of(role)...)
	return append(flow, "netconn.role="+role, "network.transport=tcp", "netconn.peer.type=private", "netconn.peer.scope=remote")
}

// apart has a namespace's SYNPROXY answer for a port, as a node does that is attacked. It makes up sequence numbers of its own, so the two
// ends of a connection do not have the same, as if the other one were on another machine: there are no two machines here.
func apart(s *stage, n *netns.Namespace, port int) {
	s.t.Helper()
	for _, variable := range []string{"net.ipv4.tcp_syncookies", "net.ipv4.tcp_timestamps"} {
		s.check(n.Sysctl(variable, "1"))
	}
	for _, rule := range [][]string{
		{"-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--syn", "--dport", fmt.Sprint(port), "-j", "CT", "--notrack"},
		{"-A", "INPUT", "-p", "tcp", "--dport", fmt.Sprint(port), "-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", "-j", "SYNPROXY",
			"--sack-perm", "--timestamp", "--wscale", "7", "--mss", "1460"},
		{"-A", "INPUT", "-p", "tcp", "--dport", fmt.Sprint(port), "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"},
	} {
		s.rule(n, false, rule...)
	}
	s.check(n.Sysctl("net.netfilter.nf_conntrack_tcp_loose", "0"))
}

// zoneAtNode has the first node track what passes it in a zone, both ways or only as it was asked for.
func zoneAtNode(option string) func(*stage) {
	return func(s *stage) {
		s.t.Helper()
		s.rule(s.node[0].Namespace, false, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "-j", "CT", option, "3")
	}
}

// Where the other end is on another machine, connection tracking tells the rest, hop by hop outward: the client knows who answers it
// behind a service, the server who asks behind a node's address, as far as that node is its own.
func TestUnpaired(t *testing.T) {
	farService := service(at(serviceAddr, 80), at(worldAddr, 9080), 0)
	toFar := stranger{nat: "dnat+snat", port: 9080, original: at(serviceAddr, 80),
		client: shopAddr, server: worldAddr, local: shopAddr, far: serviceAddr}
	fromNode := stranger{nat: "none", port: 9080, client: nodeAddr, server: worldAddr, local: worldAddr, far: nodeAddr}
	otherNode := netip.MustParseAddr("172.18.0.4")
	for name, x := range map[string]struct {
		client, server func(*stage) *actress
		rules          func(*stage)
		dial, listen   netip.AddrPort
		late           bool     // everything is younger than the collector
		told, heard    stranger // what the client tells, and the server
	}{
		"masquerade": {
			client: shop, server: world, rules: all(), dial: at(worldAddr, 9080), listen: at(worldAddr, 9080),
			told: stranger{nat: "snat", port: 9080, client: shopAddr, server: worldAddr, local: shopAddr, far: worldAddr}, heard: fromNode,
		},
		"a service outside": {
			client: shop, server: world, rules: farService, dial: at(serviceAddr, 80), listen: at(worldAddr, 9080),
			told: toFar, heard: fromNode,
		},
		"a service outside, by way of the pod's own rule": {
			client: shop, server: world, rules: all(farService, dnatAtHome(at(serviceAddr, 80), netip.MustParseAddr("10.96.1.77"))),
			dial: at(netip.MustParseAddr("10.96.1.77"), 8000), listen: at(worldAddr, 9080),
			told: stranger{nat: "dnat+snat", port: 9080, original: at(netip.MustParseAddr("10.96.1.77"), 8000),
				client: shopAddr, server: worldAddr, local: shopAddr, far: netip.MustParseAddr("10.96.1.77")},
			heard: fromNode,
		},
		"a service outside, tracked in a zone": {
			client: shop, server: world, rules: all(zoneAtNode("--zone"), farService),
			dial: at(serviceAddr, 80), listen: at(worldAddr, 9080), told: toFar, heard: fromNode,
		},
		"a service outside, tracked in a zone in one direction": {
			client: shop, server: world, rules: all(zoneAtNode("--zone-orig"), farService),
			dial: at(serviceAddr, 80), listen: at(worldAddr, 9080), told: toFar, heard: fromNode,
		},
		"a service outside, asked for by a new pod on a new node": {
			client: shop, server: world, rules: farService, dial: at(serviceAddr, 80), listen: at(worldAddr, 9080), late: true,
			told: toFar, heard: fromNode,
		},
		"NodePort": {
			client: world, server: stock, rules: service(at(serviceAddr, 80), at(stockAddr, 9080), 30080),
			dial: at(otherNode, 30080), listen: at(stockAddr, 9080),
			told: stranger{nat: "none", port: 30080, client: worldAddr, server: otherNode, local: worldAddr, far: otherNode},
			heard: stranger{nat: "dnat+snat", port: 9080, original: at(otherNode, 30080),
				client: worldAddr, server: stockAddr, local: stockAddr, far: netip.MustParseAddr("10.244.2.1")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := (*stage).build, func(*stage) {}
			if x.late {
				before, after = after, before
			}
			s := raise(t, before, after)
			client, server := x.client(s), x.server(s)
			apart(s, server.in, int(x.listen.Port()))
			x.rules(s)
			server.ensure(x.listen.String())
			for i := range 2 {
				c := fmt.Sprint("c", i)
				client.do("dial %s %s", c, x.dial)
				client.do("send %s 1000", c)
				server.do("accept s%s %s", c, x.listen)
				server.do("receive s%s 1000", c)
				server.do("send s%s 20000", c)
				client.do("receive %s 20000", c)
			}
			client.do("close c0")
			server.do("finish sc0")
			want := make(counts)
			want.add(client.member, x.told.flow("client"), 2, 1, 2000, 40_000)
			want.add(server.member, x.heard.flow("server"), 2, 1, 40_000, 2000)
			s.sink.want(want, 3)
		})
	}
}
