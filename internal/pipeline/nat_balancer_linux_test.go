//go:build linux

package pipeline

import (
	"net"
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/peer"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/balancer"
)

const serviceAt, endpointAt = "10.96.1.3:80", "10.244.2.13:9080"

// newBalancedSite is a site with an eBPF load balancer between a pod and the node.
func newBalancedSite(t *testing.T) site {
	t.Helper()
	s := newSite(t)
	s.node.Do(func() {
		device, err := net.InterfaceByName("pod0")
		if err != nil {
			t.Fatal(err)
		}
		b, err := balancer.AttachPath(device.Index, netip.MustParseAddrPort(serviceAt), netip.MustParseAddrPort(endpointAt))
		if err != nil {
			testnet.Require(t, err)
		}
		t.Cleanup(func() { b.Close() })
	})
	return s
}

// A load balancer between the pod and the node translates after the pod's socket and before the node's connection
// tracking. So no entry has both addresses, whatever tracks connections. A service address is never who answered.
func TestBalancerBetweenPodAndNode(t *testing.T) {
	track := func(n *testnet.Namespace) {
		n.Command("iptables", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "NEW")
		n.Command("iptables", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW")
	}
	client := way{
		Role: "client", NAT: "unresolved", Server: "invalid AddrPort", Client: "10.244.1.11", Asked: serviceAt, Peer: "unknown",
		Sent: sentOut, Received: sentBack,
	}
	for name, rules := range map[string]func(site){
		"nothing is tracked":       func(site) {},
		"the node tracks":          func(s site) { track(s.node) },
		"the pod tracks":           func(s site) { track(s.pod) },
		"both track":               func(s site) { track(s.pod); track(s.node) },
		"the node translates, too": func(s site) { onNode("-A OUTPUT -p tcp -d 192.0.2.99 --dport 80 -j DNAT --to 192.0.2.7:80")(s) },
		"the node masquerades":     func(s site) { onNode("-A POSTROUTING -o pod1 -j MASQUERADE")(s) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newBalancedSite(t)
			rules(s)
			p := newPlant(t, s.pod)
			p.elsewhere = map[uint32]bool{s.other.Inode: true}
			p.peers = peer.New(nil, netip.MustParsePrefix("10.96.0.0/16"))
			p.exchange(s.pod, s.other.Listen(endpointAt), serviceAt)
			wantWays(t, p.told(1), client)
		})
	}
}

// With both ends here, their sequence numbers show who answered, and that the destination was translated.
func TestBalancerWithBothEndsHere(t *testing.T) {
	s := newBalancedSite(t)
	p := newPlant(t, s.pod, s.other)
	p.peers = peer.New(nil, netip.MustParsePrefix("10.96.0.0/16"))
	p.exchange(s.pod, s.other.Listen(endpointAt), serviceAt)
	for _, w := range p.told(2) {
		if w.NAT == conn.NATNone.String() || w.Server != endpointAt || w.Client != "10.244.1.11" {
			t.Errorf("got %+v", w)
		}
	}
}
