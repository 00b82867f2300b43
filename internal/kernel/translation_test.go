//go:build linux

package kernel

import (
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// Whatever is translated between the two ends, both know the same two initial sequence numbers.
func TestSequencePairsThroughTranslation(t *testing.T) {
	type nodes struct{ client, router, server *testnet.Namespace }
	for name, c := range map[string]struct {
		dial  string
		rules func(nodes)
	}{
		"DNAT where the client is": {"10.96.1.3:9080", func(n nodes) {
			n.client.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-d", "10.96.1.3", "-p", "tcp", "-j", "DNAT", "--to", "10.78.2.1:9080")
		}},
		"REDIRECT where the server is": {"10.78.2.1:80", func(n nodes) {
			n.server.Command("iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "9080")
		}},
		"masquerade in between": {"10.78.2.1:9080", func(n nodes) {
			n.router.Command("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "down0", "-j", "MASQUERADE")
		}},
		"a service: DNAT and masquerade in between": {"10.96.1.3:80", func(n nodes) {
			n.router.Command("iptables", "-t", "nat", "-A", "PREROUTING", "-d", "10.96.1.3", "-p", "tcp", "-j", "DNAT", "--to", "10.78.2.1:9080")
			n.router.Command("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "down0", "-j", "MASQUERADE")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			n := nodes{testnet.New(t), testnet.New(t), testnet.New(t)}
			testnet.Link(n.client, n.router, "up0", "10.78.1.1/24", "10.78.1.2/24")
			testnet.Link(n.router, n.server, "down0", "10.78.2.2/24", "10.78.2.1/24")
			n.client.Command("ip", "route", "add", "default", "via", "10.78.1.2")
			n.server.Command("ip", "route", "add", "default", "via", "10.78.2.2")
			n.router.Sysctl("net.ipv4.ip_forward", "1")
			c.rules(n)
			l := n.server.Listen("10.78.2.1:9080")
			o := observe(t, Options{}, n.client, n.server)
			client, server := n.client.Connect(l, c.dial)
			write(t, client, 1234)
			read(t, server, 1234)
			client.Close()
			readEnd(t, server)
			server.Close()
			ends := o.wantEnded(
				outcome{conn.RoleClient, conn.Closed, "", 1234, 0},
				outcome{conn.RoleServer, conn.Closed, "", 0, 1234},
			)
			wantEqual(t, "sequence of the other end", ends[0].Sequence.Reverse(), ends[1].Sequence)
			if ends[0].Tuple.Reverse() == ends[1].Tuple {
				t.Errorf("nothing was translated: %v", ends[0].Tuple)
			}
		})
	}
}
