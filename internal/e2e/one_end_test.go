//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/netns"
)

// An unmatched describes a connection that has one end on this machine, as that end reports it: by
// what connection tracking says in its own namespace and in those around it.
type unmatched struct {
	nat            string
	port           int
	original       netip.AddrPort // invalid: it is what the socket says
	client, server netip.Addr     // really, as far as can be known from there
	local, far     netip.Addr     // of the socket
}

func (x unmatched) flow(role string) []string {
	v := views{client: x.client, server: x.server, clientLocal: x.local, clientFar: x.far, serverLocal: x.local, serverFar: x.far}
	flow := append(hop{port: x.port, nat: x.nat, original: x.original}.way(), v.of(role)...)
	return append(flow, "netconn.role="+role, "netconn.peer.type=private", "netconn.peer.scope=remote")
}

// apart has a namespace's SYNPROXY answer for a port, as a node does that is attacked. It makes up sequence numbers of
// its own, so the two ends of a connection do not have the same, as if the other one were on another machine: there are
// no two machines here.
func synproxy(s *testbed, n *netns.Namespace, port int) {
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
func zoneAtNode(option string) func(*testbed) {
	return func(s *testbed) {
		s.t.Helper()
		s.rule(s.node[0].Namespace, false, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "-j", "CT", option, "3")
	}
}

// Where the other end is on another machine, connection tracking has the rest, hop by hop outward: the client knows
// who answers it behind a service, the server who asks behind a node's address, as far as that node is its own.
func TestUnpaired(t *testing.T) {
	farService := service(at(serviceAddr, 80), at(externalAddr, 9080), 0)
	toFar := unmatched{nat: "dnat+snat", port: 9080, original: at(serviceAddr, 80),
		client: shopAddr, server: externalAddr, local: shopAddr, far: serviceAddr}
	fromNode := unmatched{nat: "none", port: 9080, client: nodeAddr, server: externalAddr, local: externalAddr, far: nodeAddr}
	otherNode := netip.MustParseAddr("172.18.0.4")
	for name, x := range map[string]struct {
		client, server func(*testbed) *workload
		rules          func(*testbed)
		dial, listen   netip.AddrPort
		near, far      unmatched // as the client reports the connection, and as the server does
	}{
		"masquerade": {
			client: shop, server: external, rules: all(), dial: at(externalAddr, 9080), listen: at(externalAddr, 9080),
			near: unmatched{nat: "snat", port: 9080, client: shopAddr, server: externalAddr, local: shopAddr, far: externalAddr}, far: fromNode,
		},
		"a service outside": {
			client: shop, server: external, rules: farService, dial: at(serviceAddr, 80), listen: at(externalAddr, 9080),
			near: toFar, far: fromNode,
		},
		"a service outside, by way of the pod's own rule": {
			client: shop, server: external, rules: all(farService, dnatAtHome(at(serviceAddr, 80), netip.MustParseAddr("10.96.1.77"))),
			dial: at(netip.MustParseAddr("10.96.1.77"), 8000), listen: at(externalAddr, 9080),
			near: unmatched{nat: "dnat+snat", port: 9080, original: at(netip.MustParseAddr("10.96.1.77"), 8000),
				client: shopAddr, server: externalAddr, local: shopAddr, far: netip.MustParseAddr("10.96.1.77")},
			far: fromNode,
		},
		"a service outside, tracked in a zone": {
			client: shop, server: external, rules: all(zoneAtNode("--zone"), farService),
			dial: at(serviceAddr, 80), listen: at(externalAddr, 9080), near: toFar, far: fromNode,
		},
		"a service outside, tracked in a zone in one direction": {
			client: shop, server: external, rules: all(zoneAtNode("--zone-orig"), farService),
			dial: at(serviceAddr, 80), listen: at(externalAddr, 9080), near: toFar, far: fromNode,
		},
		"NodePort": {
			client: external, server: stock, rules: service(at(serviceAddr, 80), at(stockAddr, 9080), 30080),
			dial: at(otherNode, 30080), listen: at(stockAddr, 9080),
			near: unmatched{nat: "none", port: 30080, client: externalAddr, server: otherNode, local: externalAddr, far: otherNode},
			far: unmatched{nat: "dnat+snat", port: 9080, original: at(otherNode, 30080),
				client: externalAddr, server: stockAddr, local: stockAddr, far: netip.MustParseAddr("10.244.2.1")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestbed(t)
			client, server := x.client(s), x.server(s)
			synproxy(s, server.in, int(x.listen.Port()))
			x.rules(s)
			playTwo(client, server, x.dial, x.listen)
			want := make(counts)
			want.add(client.member, x.near.flow("client"), 2, 1, 2000, 40_000)
			want.add(server.member, x.far.flow("server"), 2, 1, 40_000, 2000)
			s.sink.want(want, 3)
		})
	}
}

// playTwo makes two connections and closes one of them.
func playTwo(client, server *workload, dial, listen netip.AddrPort) {
	server.ensure(listen.String())
	for i := range 2 {
		dialAndExchange(client, server, fmt.Sprint("c", i), dial, listen)
	}
	client.do("close c0")
	server.do("finish sc0")
}

// dialAndExchange has a client connect, and the two exchange a certain amount. With SYNPROXY the server accepts the
// connection at its first bytes.
func dialAndExchange(client, server *workload, name string, dial, listen netip.AddrPort) {
	client.t.Helper()
	client.do("dial %s %s", name, dial)
	exchangeClientFirst(client, server, name, listen)
}

// greet is what comes after the client has connected.
func exchangeClientFirst(client, server *workload, name string, listen netip.AddrPort) {
	client.t.Helper()
	client.do("send %s 1000", name)
	server.do("accept s%s %s", name, listen)
	server.do("receive s%s 1000", name)
	server.do("send s%s 20000", name)
	client.do("receive %s 20000", name)
}

// Of pods and nodes that are younger than the collector the namespaces have to be found first. What is counted until
// then may be unresolved, and stays so; the connections themselves get their translation, and nothing is lost or
// counted twice.
func TestNewPodOnNewNode(t *testing.T) {
	s := makeTestbed(t, func(*testbed) {}, (*testbed).build)
	vip, listen := at(serviceAddr, 80), at(externalAddr, 9080)
	synproxy(s, s.external.in, 9080)
	service(vip, listen, 0)(s)
	s.external.ensure(listen.String())
	for i := range 2 {
		dialAndExchange(s.shop, s.external, fmt.Sprint("c", i), vip, listen)
	}
	near := unmatched{nat: "dnat+snat", port: 9080, original: vip, client: shopAddr, server: externalAddr, local: shopAddr, far: serviceAddr}
	want := map[string]int64{
		"netconn.attempts": 2, "netconn.active": 2, "netconn.io transmit": 2000, "netconn.io receive": 40_000, "known": 2,
	}
	diff := ""
	if !poll(func() bool {
		r := s.sink.latest().find(s.shop.key())
		got := map[string]int64{"known": r.series[of(near.flow("client"), "netconn.active")].count}
		for name, v := range r.series {
			got[strings.TrimSpace(metricOf(name)+" "+attributeOf(name, "network.io.direction"))] += v.count
		}
		diff = cmp.Diff(want, got)
		return diff == ""
	}) {
		t.Fatalf("sums over all flows, and the connections whose translation is known (-want +got):\n%s", diff)
	}
}
