//go:build linux

package e2e

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/netconn/netconn/internal/testcluster"
)

// describedFlows configures netconn.io to report where the other end is.
const describedFlows = "yaml:receivers::netconn::metrics::netconn.io::attributes: [network.io.direction, netconn.role, server.port, " +
	"netconn.peer.type, netconn.peer.scope, netconn.peer.name, netconn.peer.k8s.node.name, netconn.peer.zone, netconn.peer.region, netconn.nat, " +
	"netconn.original_destination.name, netconn.original_destination.port]"

// newKnownTestbed makes a testbed, and describes its nodes to an API server.
func newKnownTestbed(t *testing.T, c *testcluster.Cluster) *testbed {
	t.Helper()
	writeNodes(c)
	shop := c.MakePod((kind{pod: "shop", owner: "DaemonSet shop"}).object())
	s := &testbed{t: t, shopUID: string(shop.UID)}
	s.build()
	report(t, c, shop, s.shop.pod.Addr4, s.shop.id)
	return s
}

// publicAddr is an address of the world outside that no network numbers itself from.
var publicAddr = netip.MustParseAddr("203.0.113.9")

// A peer on another machine is identified by its address: a node as such, with its zone, also where it stands for its pods; a
// client outside by the name of its network, or as public, and by the service that it asked for.
func TestClusterOutside(t *testing.T) {
	t.Parallel() // it reads its own connections only, so another test may use the same addresses
	c := testcluster.New(t)
	s, sink := newKnownTestbed(t, c), newSignals(t)
	c.Service(`
metadata: {name: front, namespace: bookinfo}
spec: {type: NodePort, clusterIP: 10.96.1.3, selector: {app: shop}, ports: [{port: 80, targetPort: 9080, nodePort: 30090}]}`)
	a := runAgent(t, c.KubeConfig("agent", c.Admin), sink, describedFlows, "file:"+root+"/deploy/components/map/agent.yaml",
		"yaml:receivers::netconn::networks: {office: [172.18.0.1/32], pods: [10.244.0.0/16]}")
	until(t, "all watches", func() bool { return slices.Equal(a.connected(), watched) })

	kubelet := s.addHostProcess("kubelet", s.node[1])
	s.check(s.outside.Address("eth0", netip.PrefixFrom(publicAddr, 32)))
	s.check(s.node[0].Command("ip", "route", "add", publicAddr.String(), "dev", "eth0"))
	api, shopPort, nodePort := at(s.node[1].Addr4, 10250), at(shopAddr, 9080), at(nodeAddr, 30090)
	service(at(serviceAddr, 80), shopPort, nodePort.Port())(s)
	synproxy(s, s.node[1].Namespace, int(api.Port()))
	synproxy(s, s.pod[0].Namespace, int(shopPort.Port()))
	kubelet.ensure(api.String())
	s.shop.ensure(shopPort.String())
	sink.await(t)

	dialAndExchange(s.shop, kubelet, "probe", api, api)
	for _, name := range []string{"clerk", "boss"} {
		dialAndExchange(s.external, s.shop, name, nodePort, shopPort)
	}
	s.external.do("dial public %s %s", nodePort, at(publicAddr, 0))
	exchangeClientFirst(s.external, s.shop, "public", shopPort)

	who := map[string]*workload{"shop": s.shop, "kubelet": kubelet}
	sink.settle(t, map[string]int64{
		"shop client 10250 node remote - node2 zone-b east snat - - transmit":                  1000,
		"shop client 10250 node remote - node2 zone-b east snat - - receive":                   20_000,
		"kubelet server 10250 node node - node1 zone-a east none - - transmit":                 20_000,
		"kubelet server 10250 node node - node1 zone-a east none - - receive":                  1000,
		"shop server 9080 private remote office - - - dnat+snat front.bookinfo 30090 transmit": 40_000,
		"shop server 9080 private remote office - - - dnat+snat front.bookinfo 30090 receive":  2000,
		"shop server 9080 public remote - - - - dnat+snat front.bookinfo 30090 transmit":       20_000,
		"shop server 9080 public remote - - - - dnat+snat front.bookinfo 30090 receive":        1000,
	}, func() map[string]int64 {
		return sink.reported("netconn.io", who, "netconn.role", "server.port", "netconn.peer.type", "netconn.peer.scope",
			"netconn.peer.name", "netconn.peer.k8s.node.name", "netconn.peer.zone", "netconn.peer.region", "netconn.nat",
			"netconn.original_destination.name", "netconn.original_destination.port", "network.io.direction")
	})
	sink.settle(t, map[string]int64{
		"shop client zone-a zone-b east transmit":    1000,
		"shop client zone-a zone-b east receive":     20_000,
		"kubelet server zone-a zone-a east transmit": 20_000,
		"kubelet server zone-a zone-a east receive":  1000,
		"shop server zone-a - - transmit":            60_000,
		"shop server zone-a - - receive":             3000,
	}, func() map[string]int64 {
		return sink.reported("netconn.zone.io", who,
			"netconn.role", "cloud.availability_zone", "netconn.peer.zone", "netconn.peer.region", "network.io.direction")
	})
}

// reported returns what some workloads report, by workload and by attributes of the points and their resources.
func (s *signals) reported(metric string, by map[string]*workload, attributes ...string) map[string]int64 {
	return s.sum(metric, func(n number) string {
		for name, who := range by {
			if key := who.key(); n.resource["container.id"] == key || n.resource["process.executable.name"] == key {
				all := maps.Clone(n.resource)
				maps.Copy(all, n.point)
				return name + " " + all.of(attributes...)
			}
		}
		return ""
	})
}
