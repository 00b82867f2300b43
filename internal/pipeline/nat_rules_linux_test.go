//go:build linux

package pipeline

import (
	"maps"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
)

// A site is a node with two pods, and a machine outside.
type site struct{ node, pod, other, outside *testnet.Namespace }

func newSite(t *testing.T) site {
	t.Helper()
	s := site{testnet.New(t), testnet.New(t), testnet.New(t), testnet.New(t)}
	testnet.Link(s.pod, s.node, "pod0", "10.244.1.11/24", "10.244.1.1/24")
	testnet.Link(s.other, s.node, "pod1", "10.244.2.13/24", "10.244.2.1/24")
	testnet.Link(s.outside, s.node, "out0", "192.0.2.7/24", "192.0.2.10/24")
	s.pod.Command("ip", "address", "add", "fd00:1::11/64", "dev", "pod0", "nodad")
	s.node.Command("ip", "address", "add", "fd00:1::1/64", "dev", "pod0", "nodad")
	s.other.Command("ip", "address", "add", "fd00:2::13/64", "dev", "pod1", "nodad")
	s.node.Command("ip", "address", "add", "fd00:2::1/64", "dev", "pod1", "nodad")
	s.pod.Command("ip", "-6", "route", "add", "default", "via", "fd00:1::1")
	s.other.Command("ip", "-6", "route", "add", "default", "via", "fd00:2::1")
	s.node.Sysctl("net.ipv6.conf.all.forwarding", "1")
	for n, via := range map[*testnet.Namespace]string{s.pod: "10.244.1.1", s.other: "10.244.2.1", s.outside: "192.0.2.10"} {
		n.Command("ip", "route", "add", "default", "via", via)
	}
	s.node.Sysctl("net.ipv4.ip_forward", "1")
	return s
}

// rule adds a rule to the nat table; one that holds an IPv6 address to that of IPv6.
func rule(n *testnet.Namespace, text string) {
	command := "iptables"
	if strings.Contains(text, "fd00:") {
		command = "ip6tables"
	}
	n.Command(command, strings.Fields("-t nat "+text)...)
}

const dnatToOther = "-p tcp -d 10.96.1.3 --dport 80 -j DNAT --to 10.244.2.13:9080"

// A translated connection: what is asked for, what becomes of it, and what is known of it on either side.
type translated struct {
	rules        func(site)
	from         func(site) *testnet.Namespace // the pod, if nil
	dial, listen string
	want         way        // with both ends on the machine
	alone        func(*way) // what the client's side cannot know when the server is elsewhere
	aloneThere   func(*way) // and the server's
}

// onNode adds rules to the node.
func onNode(rules ...string) func(site) {
	return func(s site) {
		for _, r := range rules {
			rule(s.node, r)
		}
	}
}

// translations are ways from a client to a server.
func translations() map[string]translated {
	all := map[string]translated{
		"none": {
			rules: onNode(), dial: "10.244.2.13:9080", listen: "10.244.2.13:9080",
			want: way{NAT: "none", Server: "10.244.2.13:9080", Client: "10.244.1.11"},
		},
		"DNAT in the client's own namespace": {
			rules: func(s site) { rule(s.pod, "-A OUTPUT "+dnatToOther) }, dial: "10.96.1.3:80", listen: "10.244.2.13:9080",
			want:       way{NAT: "dnat", Server: "10.244.2.13:9080", Client: "10.244.1.11", Asked: "10.96.1.3:80"},
			aloneThere: func(w *way) { w.NAT, w.Asked = "none", "" },
		},
		"REDIRECT where the server is": {
			rules: func(s site) { rule(s.other, "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080") },
			dial:  "10.244.2.13:80", listen: "10.244.2.13:8080",
			want:  way{NAT: "redirect", Server: "10.244.2.13:80", Client: "10.244.1.11", Asked: "10.244.2.13:80"},
			alone: func(w *way) { w.NAT, w.Asked = "none", "" },
		},
		"DNAT on the node": {
			rules: onNode("-A PREROUTING " + dnatToOther), dial: "10.96.1.3:80", listen: "10.244.2.13:9080",
			want: way{NAT: "dnat", Server: "10.244.2.13:9080", Client: "10.244.1.11", Asked: "10.96.1.3:80"},
		},
		"DNAT in the pod, and then on the node": {
			rules: func(s site) {
				rule(s.pod, "-A OUTPUT -p tcp -d 10.96.9.9 --dport 443 -j DNAT --to 10.96.1.3:80")
				rule(s.node, "-A PREROUTING "+dnatToOther)
			},
			dial: "10.96.9.9:443", listen: "10.244.2.13:9080",
			want:       way{NAT: "dnat", Server: "10.244.2.13:9080", Client: "10.244.1.11", Asked: "10.96.9.9:443"},
			aloneThere: func(w *way) { w.Asked = "10.96.1.3:80" }, // as it left the client's machine
		},
		"DNAT on the node, and then REDIRECT where the server is": {
			rules: func(s site) {
				rule(s.node, "-A PREROUTING "+dnatToOther)
				rule(s.other, "-A PREROUTING -p tcp --dport 9080 -j REDIRECT --to-ports 15006")
			},
			dial: "10.96.1.3:80", listen: "10.244.2.13:15006",
			want: way{NAT: "dnat", Server: "10.244.2.13:9080", Client: "10.244.1.11", Asked: "10.96.1.3:80"},
		},
		"IPv6: DNAT on the node": {
			rules: onNode("-A PREROUTING -p tcp -d fd00:96::3 --dport 80 -j DNAT --to [fd00:2::13]:9080"),
			dial:  "[fd00:96::3]:80", listen: "[fd00:2::13]:9080",
			want: way{NAT: "dnat", Server: "[fd00:2::13]:9080", Client: "fd00:1::11", Asked: "[fd00:96::3]:80"},
		},
		"IPv6: REDIRECT where the server is": {
			rules: func(s site) {
				rule(s.other, "-A PREROUTING -p tcp -d fd00:2::13 --dport 80 -j REDIRECT --to-ports 8080")
			},
			dial: "[fd00:2::13]:80", listen: "[fd00:2::13]:8080",
			want:  way{NAT: "redirect", Server: "[fd00:2::13]:80", Client: "fd00:1::11", Asked: "[fd00:2::13]:80"},
			alone: func(w *way) { w.NAT, w.Asked = "none", "" },
		},
	}
	maps.Copy(all, masqueraded())
	return all
}

// masqueraded are the translations of the client's address.
func masqueraded() map[string]translated {
	outside := func(s site) *testnet.Namespace { return s.outside }
	other := func(s site) *testnet.Namespace { return s.other }
	return map[string]translated{
		"masquerade between pod and outside": {
			rules: onNode("-A POSTROUTING -o out0 -j MASQUERADE"), dial: "192.0.2.7:443", listen: "192.0.2.7:443",
			want: way{NAT: "snat", Server: "192.0.2.7:443", Client: "10.244.1.11"},
		},
		"a service, masqueraded": {
			rules: onNode("-A PREROUTING "+dnatToOther, "-A POSTROUTING -d 10.244.2.13 -j MASQUERADE"),
			dial:  "10.96.1.3:80", listen: "10.244.2.13:9080",
			want: way{NAT: "dnat+snat", Server: "10.244.2.13:9080", Client: "10.244.1.11", Asked: "10.96.1.3:80"},
		},
		"node port, masqueraded": {
			from: outside,
			rules: onNode("-A PREROUTING -p tcp -d 192.0.2.10 --dport 30080 -j DNAT --to 10.244.2.13:9080",
				"-A POSTROUTING -d 10.244.2.13 -j MASQUERADE"),
			dial: "192.0.2.10:30080", listen: "10.244.2.13:9080",
			want: way{NAT: "dnat+snat", Server: "10.244.2.13:9080", Client: "192.0.2.7", Asked: "192.0.2.10:30080"},
		},
		"hairpin: a pod dials its own service": {
			from:  other,
			rules: onNode("-A PREROUTING "+dnatToOther, "-A POSTROUTING -s 10.244.2.13 -d 10.244.2.13 -j MASQUERADE"),
			dial:  "10.96.1.3:80", listen: "10.244.2.13:9080",
			want: way{NAT: "dnat+snat", Server: "10.244.2.13:9080", Client: "10.244.2.13", Asked: "10.96.1.3:80"},
		},
	}
}

// place returns the namespaces of the two ends.
func (c translated) place(s site) (from, to *testnet.Namespace) {
	from, to = s.pod, s.other
	if c.from != nil {
		from = c.from(s)
	}
	if strings.HasPrefix(c.listen, "192.") {
		to = s.outside
	}
	return from, to
}

// ends returns what is known on both sides of the machine.
func (c translated) ends() (client, server way) {
	client, server = c.want, c.want
	client.Role, client.Sent, client.Received = "client", sentOut, sentBack
	server.Role, server.Sent, server.Received = "server", sentBack, sentOut
	client.Peer, server.Peer = "node", "node"
	return client, server
}
