//go:build linux

package mesh

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Service is a virtual address and its endpoints.
type Service struct {
	Address   netip.AddrPort
	Endpoints []netip.AddrPort // of the same address family; in turn, one connection each
	NodePort  uint16           // where every address of a node answers too; 0: nowhere
}

// Serve brings the rules of services to a node, as kube-proxy would: for what its pods and others send through it,
// and for what it sends itself. A client of a NodePort, and a pod that reaches itself, gets the address
// of the node.
func (n *Node) Serve(services ...Service) error {
	for _, family := range []struct {
		six     bool
		restore string
	}{{false, "iptables-nft-restore"}, {true, "ip6tables-nft-restore"}} {
		var of []Service
		for _, s := range services {
			if s.Address.Addr().Is6() == family.six {
				of = append(of, s)
			}
		}
		if len(of) == 0 {
			continue
		}
		if err := n.Feed(serviceRules(of), family.restore, "--noflush"); err != nil {
			return err
		}
	}
	return nil
}

// masqueradeMark marks a packet: its source is to be translated when it leaves.
const masqueradeMark = "0x4000/0x4000"

func serviceRules(services []Service) string {
	var b strings.Builder
	b.WriteString("*nat\n:SERVICES - [0:0]\n:NODEPORTS - [0:0]\n")
	for i, s := range services {
		fmt.Fprintf(&b, ":SVC%d - [0:0]\n", i)
		for j := range s.Endpoints {
			fmt.Fprintf(&b, ":SVC%d-%d - [0:0]\n", i, j)
		}
	}
	b.WriteString("-A PREROUTING -j SERVICES\n-A OUTPUT -j SERVICES\n")
	b.WriteString("-I POSTROUTING -m mark --mark " + masqueradeMark + " -j MASQUERADE\n")
	for i, s := range services {
		fmt.Fprintf(&b, "-A SERVICES -d %s -p tcp --dport %d -j SVC%d\n", s.Address.Addr(), s.Address.Port(), i)
		if s.NodePort != 0 {
			fmt.Fprintf(&b, "-A NODEPORTS -p tcp --dport %d -j MARK --or-mark 0x4000\n", s.NodePort)
			fmt.Fprintf(&b, "-A NODEPORTS -p tcp --dport %d -j SVC%d\n", s.NodePort, i)
		}
		for j, e := range s.Endpoints {
			fmt.Fprintf(&b, "-A SVC%d -m statistic --mode nth --every %d --packet 0 -j SVC%[1]d-%[3]d\n", i,
				len(s.Endpoints)-j, j)
			fmt.Fprintf(&b, "-A SVC%d-%d -s %s -j MARK --or-mark 0x4000\n", i, j, e.Addr())
			fmt.Fprintf(&b, "-A SVC%d-%d -p tcp -j DNAT --to-destination %s\n", i, j, e)
		}
	}
	b.WriteString("-A SERVICES -m addrtype --dst-type LOCAL -j NODEPORTS\nCOMMIT\n")
	return b.String()
}

// AllowProbes makes the sets in which Istio's ambient mode keeps the pods that the node itself may reach past their
// ztunnel. It takes ipset.
func (n *Node) AllowProbes(pods ...*Pod) error {
	sets := "create istio-inpod-probes-v4 hash:ip\ncreate istio-inpod-probes-v6 hash:ip family inet6\n"
	for _, p := range pods {
		sets += fmt.Sprintf("add istio-inpod-probes-v4 %s\nadd istio-inpod-probes-v6 %s\n", p.Addr4, p.Addr6)
	}
	return n.Feed(sets, "ipset", "restore")
}
