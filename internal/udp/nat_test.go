//go:build linux

package udp

import (
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
)

// The peer of an exchange is what the application asked for, both ways. Where the rules of the socket's own namespace
// lead is seen beside it, and so is the hash, which both ends share.
func TestTranslated(t *testing.T) {
	asked := netip.MustParseAddrPort("10.96.0.10:80")
	for name, rule := range map[string]struct{ do, actual string }{
		"DNAT":     {"-d 10.96.0.10 --dport 80 -j DNAT --to-destination 10.80.0.2:9000", "10.80.0.2:9000"},
		"REDIRECT": {"-d 10.96.0.10 --dport 80 -j REDIRECT --to-ports 9000", "127.0.0.1:9000"},
	} {
		for kind, connected := range map[string]bool{"connected": true, "unconnected": false} {
			t.Run(name+" "+kind, func(t *testing.T) {
				a, b := linked(t)
				a.Command("ip", "route", "add", "default", "via", "10.80.0.2")
				a.Command("sh", "-c", "iptables -t nat -A OUTPUT -p udp "+rule.do)
				at, address := b, "0.0.0.0:9000"
				if name == "REDIRECT" {
					at, address = a, rule.actual
				}
				w := observe(t, Options{All: true}, a, b)
				s := listen(t, at, "udp4", address)
				c := listen(t, a, "udp4", "0.0.0.0:0")
				if connected {
					c = dial(t, a, "udp4", asked.String())
					send(t, c, 100, 7)
				} else {
					sendTo(t, c, asked, 100, 7)
				}
				sendTo(t, s, receive(t, s, 2), 30)
				if from := receive(t, c, 1); from != asked && !connected {
					t.Fatalf("the answer is from %v", from)
				}
				all := w.want(figures{client, open, 107, 30, 2, 1}, figures{server, open, 30, 107, 1, 2})
				if got := all[0].Tuple.Destination; got != asked {
					t.Errorf("the peer is %v, want %v", got, asked)
				}
				if got := all[0].Datagrams.Actual.String(); got != rule.actual {
					t.Errorf("the datagrams went to %v, want %v", got, rule.actual)
				}
				if connected && all[0].Datagrams.SentHash != all[1].Datagrams.ReceivedHash {
					t.Errorf("hashes: %+v and %+v", all[0].Datagrams, all[1].Datagrams)
				}
			})
		}
	}
}

// A router translates both addresses on the way. The hash of a connected socket still is the same at both ends.
func TestTranslatedOnTheWay(t *testing.T) {
	a, router, b := testnet.New(t), testnet.New(t), testnet.New(t)
	testnet.Link(a, router, "nc0", "10.80.0.1/24", "10.80.0.2/24")
	testnet.Link(router, b, "nc1", "10.82.0.1/24", "10.82.0.2/24")
	a.Command("ip", "route", "add", "default", "via", "10.80.0.2")
	router.Sysctl("net.ipv4.ip_forward", "1")
	router.Command("sh", "-c", "iptables -t nat -A PREROUTING -d 10.96.0.10 -p udp --dport 80 -j DNAT --to-destination 10.82.0.2:9000")
	router.Command("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "nc1", "-j", "MASQUERADE")
	w := observe(t, Options{All: true}, a, b)
	s := listen(t, b, "udp4", "10.82.0.2:9000")
	c := dial(t, a, "udp4", "10.96.0.10:80")
	send(t, c, 100, 7)
	from := receive(t, s, 2)
	sendTo(t, s, from, 30)
	receive(t, c, 1)
	all := w.want(figures{client, open, 107, 30, 2, 1}, figures{server, open, 30, 107, 1, 2})
	if from.Addr().String() != "10.82.0.1" || all[1].Tuple.Destination != from || all[0].Datagrams.Actual.IsValid() {
		t.Errorf("the server has %v and the client %+v", all[1].Tuple, all[0].Datagrams)
	}
	if h := all[0].Datagrams.SentHash; h == 0 || h != all[1].Datagrams.ReceivedHash {
		t.Errorf("hashes: %+v and %+v", all[0].Datagrams, all[1].Datagrams)
	}
}

// In the cgroup of a socket that uses UDP, a query to port 53 is left out although a rule sends it to another port.
func TestRedirectedQuery(t *testing.T) {
	n := testnet.New(t)
	n.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-p", "udp", "--dport", "53", "-j", "REDIRECT", "--to-ports", "15053")
	w := observe(t, Options{}, n)
	resolver := listen(t, n, "udp4", "127.0.0.1:15053")
	attachedHere(t, w)
	c := listen(t, n, "udp4", "127.0.0.1:0")
	sendTo(t, c, netip.MustParseAddrPort("127.0.0.1:53"), 40)
	sendTo(t, resolver, receive(t, resolver, 1), 80)
	receive(t, c, 1)
	d := dial(t, n, "udp4", "127.0.0.1:53")
	send(t, d, 40)
	receive(t, resolver, 1)
	// The server has its own port; the clients have asked for port 53.
	w.want(figures{server, open, 80, 40, 1, 1}, figures{server, open, 0, 40, 0, 1})
}
