//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/testnet/balancer"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A translation is a way from a client to a server, and what both are to report of it.
type translation struct {
	client, server func(*testbed) *workload // nil: the shop, the stock
	rules          func(*testbed)           // nil: none
	dial           netip.AddrPort           // what the client asks for
	socket         netip.AddrPort           // the destination that the client's socket has; invalid: what it asks for
	listen         netip.AddrPort           // where the server listens
	from           netip.Addr               // the client's own address
	seen           netip.Addr               // the client's address as the server's socket has it
	port           int
	nat            string
	original       bool // it differs from what the client got
}

func shop(s *testbed) *workload     { return s.shop }
func stock(s *testbed) *workload    { return s.stock }
func external(s *testbed) *workload { return s.external }

// probe is a process of the stock's node, as kubelet is.
func probe(s *testbed) *workload { return s.addHostProcess("probe", s.node[1]) }

// ambientHost brings the stock's node and pod the rules of ambient mode.
func ambientHost(s *testbed) {
	s.t.Helper()
	s.check(s.node[1].AllowProbes(s.pod[1]))
	for name, n := range map[string]*netns.Namespace{"ambient-host.nft": s.node[1].Namespace, "ambient-pod.nft": s.pod[1].Namespace} {
		rules, err := mesh.FamilyNamed(mesh.Own(), name)
		s.check(err)
		s.check(rules.Load(n))
	}
}

// service brings a service to both nodes.
func service(service, endpoint netip.AddrPort, nodePort uint16) func(*testbed) {
	return func(s *testbed) {
		s.t.Helper()
		for _, n := range s.node {
			s.check(n.Serve(mesh.Service{Address: service, Endpoints: []netip.AddrPort{endpoint}, NodePort: nodePort}))
		}
	}
}

// dnatAtHome translates what the shop asks for in its own pod.
func dnatAtHome(to netip.AddrPort, destination netip.Addr) func(*testbed) {
	return func(s *testbed) {
		s.t.Helper()
		s.rule(s.pod[0].Namespace, destination.Is6(), "-t", "nat", "-A", "OUTPUT", "-d", destination.String(), "-p", "tcp", "-j", "DNAT",
			"--to-destination", to.String())
	}
}

// redirectAtStock translates what comes to the stock for port 80, in its own pod.
func redirectAtStock(to uint16) func(*testbed) {
	return func(s *testbed) {
		s.t.Helper()
		s.check(mesh.Redirect(s.pod[1].Namespace, 80, to))
	}
}

// balance translates what the shop asks for inside its connect().
func balance(from, to netip.AddrPort) func(*testbed) {
	return func(s *testbed) {
		s.t.Helper()
		b, err := balancer.Attach(s.shop.group.Path(), from, to)
		s.check(err)
		s.t.Cleanup(func() { b.Close() })
	}
}

func all(rules ...func(*testbed)) func(*testbed) {
	return func(s *testbed) {
		s.t.Helper()
		for _, r := range rules {
			r(s)
		}
	}
}

func translations() map[string]translation {
	all := translations4()
	maps.Copy(all, translations6())
	maps.Copy(all, translationsInConnect())
	return all
}

// translationsInConnect are those of a BPF program in connect(): the server is known, and what was asked for is not.
func translationsInConnect() map[string]translation {
	backend, backend6 := at(stockAddr, 9080), at(stockAddr6, 9080)
	port := at(stockAddr, 80)
	through := translation{
		rules: balance(at(serviceAddr, 80), backend), dial: at(serviceAddr, 80), socket: backend, listen: backend,
		from: shopAddr, seen: shopAddr, port: 9080, nat: "unresolved",
	}
	onlyPort, beside, redirected := through, through, through
	onlyPort.rules, onlyPort.dial = balance(port, backend), port
	beside.dial = backend
	redirected.rules = all(balance(at(serviceAddr, 80), port), redirectAtStock(9080))
	redirected.socket, redirected.port = port, 80
	return map[string]translation{
		"connect(), a service":              through,
		"connect(), only the port":          onlyPort,
		"connect(), nothing":                beside,
		"connect(), a service and REDIRECT": redirected,
		"connect(), IPv6": {
			rules: balance(at(service6, 80), backend6), dial: at(service6, 80), socket: backend6, listen: backend6,
			from: shopAddr6, seen: shopAddr6, port: 9080, nat: "unresolved",
		},
	}
}

func translations4() map[string]translation {
	return map[string]translation{
		"nothing": {
			dial: at(stockAddr, 9080), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr, port: 9080, nat: "none",
		},
		"DNAT in the client's own namespace": {
			rules: dnatAtHome(at(stockAddr, 9080), serviceAddr),
			dial:  at(serviceAddr, 80), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr, port: 9080, nat: "dnat", original: true,
		},
		"REDIRECT in the server's namespace": {
			rules: redirectAtStock(9080),
			dial:  at(stockAddr, 80), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr, port: 80, nat: "redirect", original: true,
		},
		"REDIRECT in a zone of the server's namespace": {
			rules: all(zone("--zone"), redirectAtStock(9080)),
			dial:  at(stockAddr, 80), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr, port: 80, nat: "redirect", original: true,
		},
		"REDIRECT in a zone, one direction only": {
			rules: all(zone("--zone-orig"), redirectAtStock(9080)),
			dial:  at(stockAddr, 80), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr, port: 80, nat: "redirect", original: true,
		},
		"DNAT in the node": {
			rules: service(at(serviceAddr, 80), at(stockAddr, 9080), 0),
			dial:  at(serviceAddr, 80), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr, port: 9080, nat: "dnat", original: true,
		},
		"DNAT in the pod, then in the node": {
			rules: all(dnatAtHome(at(serviceAddr, 80), netip.MustParseAddr("10.96.1.77")), service(at(serviceAddr, 80), at(stockAddr, 9080), 0)),
			dial:  at(netip.MustParseAddr("10.96.1.77"), 8000), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr,
			port: 9080, nat: "dnat", original: true,
		},
		"DNAT in the node, then REDIRECT": {
			rules: all(service(at(serviceAddr, 8000), at(stockAddr, 80), 0), redirectAtStock(9080)),
			dial:  at(serviceAddr, 8000), listen: at(stockAddr, 9080), from: shopAddr, seen: shopAddr, port: 80, nat: "dnat", original: true,
		},
		"masquerade between pod and outside": {
			server: external,
			dial:   at(externalAddr, 9080), listen: at(externalAddr, 9080), from: shopAddr, seen: nodeAddr, port: 9080, nat: "snat",
		},
		"hairpin": {
			client: stock, rules: service(at(serviceAddr, 80), at(stockAddr, 9080), 0),
			dial: at(serviceAddr, 80), listen: at(stockAddr, 9080), from: stockAddr, seen: netip.MustParseAddr("10.244.2.1"),
			port: 9080, nat: "dnat+snat", original: true,
		},
		"NodePort from outside": {
			client: external, rules: service(at(serviceAddr, 80), at(stockAddr, 9080), 30080),
			dial: at(nodeAddr, 30080), listen: at(stockAddr, 9080), from: externalAddr, seen: nodeAddr,
			port: 9080, nat: "dnat+snat", original: true,
		},
		"NodePort from outside, then REDIRECT": {
			client: external, rules: all(service(at(serviceAddr, 80), at(stockAddr, 80), 30080), redirectAtStock(9080)),
			dial: at(nodeAddr, 30080), listen: at(stockAddr, 9080), from: externalAddr, seen: nodeAddr,
			port: 80, nat: "dnat+snat", original: true,
		},
		"a node's probe of a pod in ambient mode": {
			client: probe, rules: ambientHost,
			dial: at(stockAddr, 9080), listen: at(stockAddr, 9080), from: netip.MustParseAddr("10.244.2.1"),
			seen: netip.MustParseAddr("169.254.7.127"), port: 9080, nat: "snat",
		},
	}
}

func translations6() map[string]translation {
	return map[string]translation{
		"IPv6, nothing": {
			dial: at(stockAddr6, 9080), listen: at(stockAddr6, 9080), from: shopAddr6, seen: shopAddr6, port: 9080, nat: "none",
		},
		"IPv6, DNAT in the client's own namespace": {
			rules: dnatAtHome(at(stockAddr6, 9080), service6),
			dial:  at(service6, 80), listen: at(stockAddr6, 9080), from: shopAddr6, seen: shopAddr6, port: 9080, nat: "dnat", original: true,
		},
		"IPv6, REDIRECT in the server's namespace": {
			rules: redirectAtStock(9080),
			dial:  at(stockAddr6, 80), listen: at(stockAddr6, 9080), from: shopAddr6, seen: shopAddr6, port: 80, nat: "redirect", original: true,
		},
		"IPv6, DNAT in the node": {
			rules: service(at(service6, 80), at(stockAddr6, 9080), 0),
			dial:  at(service6, 80), listen: at(stockAddr6, 9080), from: shopAddr6, seen: shopAddr6, port: 9080, nat: "dnat", original: true,
		},
		"IPv6, masquerade between pod and outside": {
			server: external,
			dial:   at(externalAddr6, 9080), listen: at(externalAddr6, 9080), from: shopAddr6, seen: nodeAddr6, port: 9080, nat: "snat",
		},
		"IPv6, NodePort from outside": {
			client: external, rules: service(at(service6, 80), at(stockAddr6, 9080), 30080),
			dial: at(nodeAddr6, 30080), listen: at(stockAddr6, 9080), from: externalAddr6, seen: nodeAddr6,
			port: 9080, nat: "dnat+snat", original: true,
		},
	}
}

// zone has the stock's namespace track what comes to port 80 in a conntrack zone of its own.
func zone(option string) func(*testbed) {
	return func(s *testbed) {
		s.t.Helper()
		n := s.pod[1].Namespace
		s.rule(n, false, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "80", "-j", "CT", option, "7")
		if option == "--zone" {
			s.rule(n, false, "-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--sport", "9080", "-j", "CT", option, "7")
		}
	}
}

// Both ends report the same way, whatever it is: each has the other's name, and the bytes are exact.
func TestTranslations(t *testing.T) {
	for name, tr := range translations() {
		t.Run(name, func(t *testing.T) {
			s := newTestbed(t)
			if tr.rules != nil {
				tr.rules(s)
			}
			h := tr.play(s)
			s.sink.want(expect([]hop{h}), 3)
			checkHistory(t, s.sink.all())
		})
	}
}

// play makes three connections, leaves one of them open, and returns what both ends are to report.
func (tr translation) play(s *testbed) hop {
	s.t.Helper()
	client, server := s.shop, s.stock
	if tr.client != nil {
		client = tr.client(s)
	}
	if tr.server != nil {
		server = tr.server(s)
	}
	h := hop{client: client.member, server: server.member, port: tr.port, nat: tr.nat, connections: 3, open: 1, views: &views{
		client: tr.from, server: tr.listen.Addr(), clientLocal: tr.from, clientFar: tr.dial.Addr(),
		serverLocal: tr.listen.Addr(), serverFar: tr.seen,
	}}
	if tr.socket.IsValid() {
		h.views.clientFar = tr.socket.Addr()
	}
	if tr.original {
		h.original = tr.dial
	}
	for i := range 3 {
		name, there, back := fmt.Sprint("c", i), 1000+i, 20_000+i
		server.ensure(tr.listen.String())
		client.do("dial %s %s", name, tr.dial)
		// The server may be the client: its ends have names of their own.
		server.do("accept %s %s", "s"+name, tr.listen)
		exchange(client.driver, server.driver, name, there, back)
		h.there, h.back = h.there+int64(there), h.back+int64(back)
	}
	client.do("close c0")
	server.do("finish sc0")
	server.do("close sc1")
	client.do("finish c1")
	return h
}
