//go:build linux

package mesh

import (
	"fmt"
	"net/netip"

	"github.com/netconn/netconn/internal/testnet/netns"
)

// AgentPort is where the agent of a sidecar answers queries, at 127.0.0.1.
const AgentPort = 15053

// CaptureDNS leads what a pod asks a resolver over IPv4 to the agent of its sidecar, with the rules of Istio's DNS
// capture. The agent runs as ProxyID, so what it asks itself passes. Its query may have the ports of the one that it
// answers: zones 1 and 2 of connection tracking keep the two apart.
func CaptureDNS(pod *netns.Namespace, resolver netip.Addr) error {
	return pod.Feed(fmt.Sprintf(`*raw
-A OUTPUT -p udp --dport 53 -m owner --uid-owner %[1]d -j CT --zone 1
-A OUTPUT -p udp --sport %[2]d -m owner --uid-owner %[1]d -j CT --zone 2
-A OUTPUT -d %[3]s -p udp --dport 53 -m owner ! --uid-owner %[1]d -j CT --zone 2
-A PREROUTING -s %[3]s -p udp --sport 53 -j CT --zone 1
COMMIT
*nat
-A OUTPUT -m owner --uid-owner %[1]d -j RETURN
-A OUTPUT -d %[3]s -p udp --dport 53 -j REDIRECT --to-ports %[2]d
-A OUTPUT -d %[3]s -p tcp --dport 53 -j REDIRECT --to-ports %[2]d
COMMIT
`, ProxyID, AgentPort, resolver), "iptables-nft-restore", "--noflush")
}

// ServeDNS has a node translate the address of a service to that of a resolver, for what comes from its pods over IPv4.
func ServeDNS(node *netns.Namespace, service, resolver netip.Addr) error {
	return node.Feed(fmt.Sprintf(`*nat
-A PREROUTING -d %[1]s -p udp --dport 53 -j DNAT --to-destination %[2]s
-A PREROUTING -d %[1]s -p tcp --dport 53 -j DNAT --to-destination %[2]s
COMMIT
`, service, resolver), "iptables-nft-restore", "--noflush")
}
