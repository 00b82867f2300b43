//go:build linux

package conntrack

import (
	"net"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
)

// virtualService makes a service of IPVS on a node, which leads to a server on another machine.
func virtualService(t *testing.T, service, destination string) (node, server *testnet.Namespace) {
	t.Helper()
	node, server = testnet.New(t), testnet.New(t)
	testnet.Link(node, server, "down0", "10.78.2.2/24", "10.78.2.1/24")
	var err error
	node.Do(func() { err = exec.Command("ipvsadm", "-l").Run() })
	if err != nil {
		t.Skipf("the kernel has no IPVS (%v): make vm-test runs this where it has", err)
	}
	node.Command("ip", "address", "add", netip.MustParseAddrPort(service).Addr().String()+"/32", "dev", "lo")
	node.Command("ipvsadm", "-A", "-t", service, "-s", "rr")
	node.Command("ipvsadm", "-a", "-t", service, "-r", destination, "-m")
	return node, server
}

// A virtual service translates in both address families, as far as is known here.
func TestReadRulesOfIPVS(t *testing.T) {
	node, server := virtualService(t, "10.96.0.10:80", "10.78.2.1:9080")
	wantEqual(t, "the node's rules", rulesIn(t, node) == rules{known: true, ipv4: true, ipv6: true}, true)
	wantEqual(t, "the server's rules", rulesIn(t, server) == rules{known: true}, true)
}

// IPVS tracks its connections only with net.ipv4.vs.conntrack, which kube-proxy sets, and beside a rule that wants
// connections to be tracked, as kube-proxy's. A connection that is not tracked is no proof against a translation.
func TestThroughIPVS(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		const service, destination = "10.96.0.10:80", "10.78.2.1:9080"
		node, server := virtualService(t, service, destination)
		node.Command("iptables", "-t", "nat", "-A", "POSTROUTING", "-d", "10.99.0.0/16", "-j", "MASQUERADE")
		l := server.Listen(destination)
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 78, 2, 2)}}
		dial := func() (client, accepted net.Conn) {
			t.Helper()
			c, err := node.TryDial(from, service)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			a, err := l.AcceptTCP()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { a.Close() })
			return c, a
		}
		client, _ := dial()
		wantEqual(t, "untracked", ask(x, node, tupleOf(client)), Answer{Result: NoEntry, Translates: true})

		node.Sysctl("net.ipv4.vs.conntrack", "1")
		client, accepted := dial()
		sent := tupleOf(client)
		wantEqual(t, "client", ask(x, node, sent), translated(sent, destination))
		wantEqual(t, "server", ask(x, node, tupleOf(accepted)), replyTo(sent))
	})
}
