//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/untraced"
)

// by returns the views of a connection from the shop to the stock by way of an address.
func by(address netip.Addr) *views {
	return &views{client: shopAddr, server: stockAddr, clientLocal: shopAddr, clientFar: address, serverLocal: stockAddr, serverFar: shopAddr}
}

// toStock returns connections from the shop to the stock by way of a service.
func (s *testbed) toStock(service, listen netip.AddrPort, connections, open int, there, back int64) hop {
	return hop{client: s.shop.member, server: s.stock.member, port: int(listen.Port()), nat: "dnat", original: service,
		connections: connections, open: open, there: there, back: back, views: by(service.Addr())}
}

// A port of the client is used again at once, for another service and for the same one, which has another server by
// then: each connection has its own translation.
func TestPortUsedAgain(t *testing.T) {
	s := newTestbed(t)
	first, second := at(serviceAddr, 80), at(serviceAddr, 81)
	one, two, three := at(stockAddr, 9080), at(stockAddr, 9081), at(stockAddr, 9082)
	s.check(s.node[0].Serve(
		mesh.Service{Address: first, Endpoints: []netip.AddrPort{one, two}}, // in turn
		mesh.Service{Address: second, Endpoints: []netip.AddrPort{three}},
	))
	s.reuse("c0", first, one, 1000)
	s.reuse("c1", second, three, 20_000)
	s.reuse("c2", first, two, 300_000)
	want := expect([]hop{
		s.toStock(first, one, 1, 0, 1000, 1), s.toStock(first, two, 1, 0, 300_000, 1), s.toStock(second, three, 1, 0, 20_000, 1),
	})
	s.sink.want(wasReset(want, s.stock.member), 3)
}

// If the same addresses and ports are used again at once, the entry may belong to either connection: then a
// connection is unresolved. It never has the other's.
func TestTupleUsedAgain(t *testing.T) {
	s := newTestbed(t)
	first, second, listen := at(serviceAddr, 80), at(serviceAddr, 81), at(stockAddr, 9080)
	s.check(s.node[0].Serve(
		mesh.Service{Address: first, Endpoints: []netip.AddrPort{listen}}, mesh.Service{Address: second, Endpoints: []netip.AddrPort{listen}},
	))
	for i, x := range []struct {
		service netip.AddrPort
		there   int
	}{{first, 1000}, {second, 20_000}, {first, 300_000}} {
		// Else the node would take another port for the second of two connections that are one to the server.
		s.check(s.node[0].Command("conntrack", "-F"))
		s.reuse(fmt.Sprint("c", i), x.service, listen, x.there)
	}
	want := wasReset(expect([]hop{
		s.toStock(first, listen, 2, 0, 301_000, 2), s.toStock(second, listen, 1, 0, 20_000, 1),
	}), s.stock.member)
	diff := ""
	if !poll(func() bool {
		diff = want.differ(forgive(s.sink.latest().countsOf(want)))
		return diff == ""
	}) {
		t.Fatalf("counts, unresolved or not (-want +got):\n%s", diff)
	}
}

// forgive adds what is unresolved to what was translated. The port of an unresolved connection is that of the service.
func forgive(got counts) counts {
	forgiven := make(counts)
	for key, series := range got {
		forgiven[key] = make(map[string]int64)
		for name, n := range series {
			if strings.Contains(name, "netconn.nat=unresolved") {
				name = strings.NewReplacer("netconn.nat=unresolved", "netconn.nat=dnat",
					"server.port=80}", "server.port=9080}", "server.port=81}", "server.port=9080}").Replace(name)
			}
			forgiven[key][name] += n
		}
	}
	return forgiven
}

// reuse has the shop connect to a service from the port that is always the same, and leave it free: a reset leaves no
// TIME_WAIT, and the entry gives way to the next connection's.
func (s *testbed) reuse(name string, service, listen netip.AddrPort, there int) {
	s.t.Helper()
	s.stock.ensure(listen.String())
	s.shop.do("dial %s %s %s", name, service, at(shopAddr, 40_000))
	s.stock.do("accept s%s %s", name, listen)
	exchange(s.shop.driver, s.stock.driver, name, there, 1)
	s.shop.do("reset %s", name)
	s.stock.do("reset-by-peer s%s", name)
}

// wasReset has all that a member's connections ended with be a reset from the other end.
func wasReset(want counts, m member) counts {
	series := make(map[string]int64)
	for name, n := range want[m.key()] {
		if metricOf(name) == "netconn.closed" {
			attributes := strings.TrimSuffix(strings.TrimPrefix(name, "netconn.closed{"), "}")
			name = named("netconn.closed", append(strings.Split(attributes, ", "), "error.type=reset")...)
		}
		series[name] = n
	}
	want[m.key()] = series
	return want
}

// After a reset the entry lives on for a while, which operators shorten: the translation is known all the same.
func TestResetByService(t *testing.T) {
	for _, timeout := range []string{"10", "1"} {
		t.Run("timeout "+timeout, func(t *testing.T) {
			s := newTestbed(t)
			for _, n := range s.node {
				s.check(n.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_close", timeout))
			}
			vip, listen := at(serviceAddr, 80), at(stockAddr, 9080)
			service(vip, listen, 0)(s)
			s.stock.ensure(listen.String())
			for i := range 5 {
				name := fmt.Sprint("c", i)
				s.shop.do("dial %s %s", name, vip)
				s.stock.do("accept s%s %s", name, listen)
				exchange(s.shop.driver, s.stock.driver, name, 100, 200)
				s.stock.do("reset s%s", name)
				s.shop.do("reset-by-peer %s", name)
			}
			s.sink.want(wasReset(expect([]hop{s.toStock(vip, listen, 5, 0, 500, 1000)}), s.shop.member), 3)
		})
	}
}

// An attempt that is refused leaves no entry: its peer is what was asked for, and netconn says that it does not know.
func TestRefusedByService(t *testing.T) {
	s := newTestbed(t)
	vip := at(serviceAddr, 80)
	service(vip, at(stockAddr, 9099), 0)(s)
	s.shop.fail("connection refused", "dial c %s", vip)
	x := unmatched{nat: "unresolved", port: 80, client: shopAddr, server: serviceAddr, local: shopAddr, far: serviceAddr}
	flow := x.flow("client")
	s.sink.want(counts{s.shop.key(): {of(flow, "netconn.attempts", "error.type=refused"): 1}}, 3)
}

// What was found at the start is kept, though the entry is deleted by hand.
func TestEntryDeleted(t *testing.T) {
	s := newTestbed(t)
	vip, listen := at(serviceAddr, 80), at(externalAddr, 9080)
	synproxy(s, s.external.in, 9080)
	service(vip, listen, 0)(s)
	s.external.ensure(listen.String())
	dialAndExchange(s.shop, s.external, "c", vip, listen)
	atShop := unmatched{nat: "dnat+snat", port: 9080, original: vip, client: shopAddr, server: externalAddr, local: shopAddr, far: serviceAddr}
	want := make(counts)
	want.add(s.shop.member, atShop.flow("client"), 1, 1, 1000, 20_000)
	s.sink.want(want, 1)
	s.check(s.node[0].Command("conntrack", "-D", "-p", "tcp", "--orig-dst", serviceAddr.String()))
	s.shop.do("send c 5000")
	s.external.do("receive sc 5000")
	clear(want)
	want.add(s.shop.member, atShop.flow("client"), 1, 1, 6000, 20_000)
	s.sink.want(want, 3)
}

// Two pods that have one address, each in a cluster of its own, are never taken for each other.
func TestOneAddressTwice(t *testing.T) {
	s := newTestbed(t)
	other := &testbed{t: t, sink: s.sink}
	other.build()
	vip, listen := at(serviceAddr, 80), at(stockAddr, 9080)
	var hops []hop
	for i, x := range []*testbed{s, other} {
		service(vip, listen, 0)(x)
		x.stock.ensure(listen.String())
		x.shop.do("dial c %s %s", vip, at(shopAddr, 40_000))
		x.stock.do("accept sc %s", listen)
		exchange(x.shop.driver, x.stock.driver, "c", 1000*(i+1), 7)
		hops = append(hops, x.toStock(vip, listen, 1, 1, int64(1000*(i+1)), 7))
	}
	s.sink.want(expect(hops), 3)
}

// A pod that goes with its namespace, in the middle of a connection, takes nothing with it that is reported of the other
// end.
func TestNamespaceDeleted(t *testing.T) {
	s := newTestbed(t)
	vip, listen := at(serviceAddr, 80), at(stockAddr, 9080)
	service(vip, listen, 0)(s)
	s.stock.ensure(listen.String())
	s.shop.do("dial c %s", vip)
	s.stock.do("accept sc %s", listen)
	exchange(s.shop.driver, s.stock.driver, "c", 1000, 20_000)
	s.check(s.pod[0].Close())
	s.stock.do("close sc") // first: the namespace takes the last packets with it
	s.shop.end()
	want := expect([]hop{s.toStock(vip, listen, 1, 0, 1000, 20_000)})
	delete(want, s.shop.key())
	s.sink.want(want, 3)
}

// One connection after the other through a service, faster than anybody looks: none is unresolved.
func TestChurnThroughService(t *testing.T) {
	const connections = 1000
	repeatHidden(t, func(t *testing.T) (hidden bool) {
		s := newTestbed(t)
		packets := untraced.Watch(t, s.pod[0].Namespace, s.pod[1].Namespace)
		vip, listen := at(serviceAddr, 80), at(stockAddr, 9080)
		service(vip, listen, 0)(s)
		s.stock.ensure(listen.String())
		s.stock.do("serve %s", listen)
		s.shop.do("visit %s %d", vip, connections)
		h := s.toStock(vip, listen, connections, 0, connections, 0)
		return s.sink.wantOrHidden(expect([]hop{h}), 3, packets)
	})
}
