//go:build linux

package e2e

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A kept connection is open while one collector is replaced by another.
type keptConnection struct {
	name         string
	dial, listen netip.AddrPort
	port         int
	nat          string
}

var keptConnections = []keptConnection{
	{"direct", at(stockAddr, 9081), at(stockAddr, 9081), 9081, "none"},
	{"service", at(serviceAddr, 80), at(stockAddr, 9080), 9080, "dnat"},
	{"redirected", at(serviceAddr, 8000), at(stockAddr, 9082), 80, "dnat"},
}

// hop returns what both ends are to report. If connection tracking has no entry, the ends still show each other and what
// was asked for, but not where it was translated.
func (k keptConnection) hop(s *testbed, entry bool, connections int, there, back int64) hop {
	h := hop{client: s.shop.member, server: s.stock.member, port: k.port, nat: k.nat, connections: connections, open: 1,
		there: there, back: back, views: &views{
			client: shopAddr, server: stockAddr, clientLocal: shopAddr, clientFar: k.dial.Addr(),
			serverLocal: stockAddr, serverFar: shopAddr,
		}}
	if k.dial == k.listen {
		return h
	}
	h.original = k.dial
	if !entry {
		h.port, h.nat = int(k.dial.Port()), "unresolved"
	}
	return h
}

func keptHops(s *testbed, entries bool, connections int, there, back int64) counts {
	var all []hop
	for _, k := range keptConnections {
		all = append(all, k.hop(s, entries, connections, there, back))
	}
	return expect(all)
}

// The second collector finds what the first one had found, as far as connection tracking still has it, and counts from
// where it found the connections.
func TestOpenConnectionsAfterARestart(t *testing.T) {
	for name, entries := range map[string]bool{"with entries": true, "without entries": false} {
		t.Run(name, func(t *testing.T) {
			s := makeTestbed(t, func(s *testbed) {
				s.build()
				s.openBeforeARestart()
				s.exchangeKept(500, 500) // between the two collectors
				if !entries {
					s.forgetEntries()
				}
			}, func(*testbed) {})
			there, back := 0, 0
			if entries { // or packets make new ones
				there, back = 307, 70_001
				s.exchangeKept(there, back)
			}
			want := keptHops(s, entries, 0, int64(there), int64(back))
			for _, series := range want { // connections that were open are no attempts
				maps.DeleteFunc(series, func(name string, _ int64) bool { return metricOf(name) == "netconn.attempts" })
			}
			s.sink.want(want, 3)
		})
	}
}

// openBeforeARestart opens the connections beside a collector, which ends.
func (s *testbed) openBeforeARestart() {
	s.t.Helper()
	for _, n := range s.node {
		s.check(n.Serve(mesh.Service{Address: at(serviceAddr, 80), Endpoints: []netip.AddrPort{at(stockAddr, 9080)}},
			mesh.Service{Address: at(serviceAddr, 8000), Endpoints: []netip.AddrPort{at(stockAddr, 80)}}))
	}
	redirectAtStock(9082)(s)
	earlier := newSink(s.t)
	c := run(s.t, setup{OTLP: earlier.address, Receiver: []string{"collection_interval: 500ms",
		meshMetrics("server.address", "client.address", "network.peer.address", "network.local.address")}})
	earlier.next(1)
	for _, k := range keptConnections {
		s.stock.ensure(k.listen.String())
		s.shop.do("dial %s %s", k.name, k.dial)
		s.stock.do("accept s%s %s", k.name, k.listen)
	}
	s.exchangeKept(1001, 20_003)
	earlier.want(keptHops(s, true, 1, 1001, 20_003), 3)
	s.check(c.Stop())
}

func (s *testbed) exchangeKept(there, back int) {
	s.t.Helper()
	for _, k := range keptConnections {
		exchange(s.shop.driver, s.stock.driver, k.name, there, back)
	}
}

func (s *testbed) forgetEntries() {
	s.t.Helper()
	for _, n := range []*netns.Namespace{
		s.node[0].Namespace, s.node[1].Namespace, s.pod[0].Namespace, s.pod[1].Namespace,
	} {
		s.check(n.Command("conntrack", "-F"))
	}
}
