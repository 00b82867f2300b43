//go:build linux

package conntrack

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// tables opens both sources, each of which must give the same answers.
func tables(t *testing.T, run func(t *testing.T, x *Tables)) {
	for name, source := range map[string]Source{"lookup": Lookup, "netlink": Netlink} {
		t.Run(name, func(t *testing.T) {
			run(t, openTables(t, Options{Source: source}))
		})
	}
}

func openTables(t testing.TB, o Options) *Tables {
	t.Helper()
	x, err := Open(o, time.Now())
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	if o.Source != Best && x.Stats().Source != o.Source {
		testnet.Require(t, net.UnknownNetworkError("no connection tracking"))
	}
	return x
}

// ask asks one question.
func ask(x *Tables, n *testnet.Namespace, packet conn.Tuple) Answer {
	return x.Ask(time.Now(), []Question{{Namespace: n.Inode, Process: uint32(os.Getpid()), Tuple: packet}})[0]
}

func tuple(source, destination string) conn.Tuple {
	return conn.Tuple{Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort(destination)}
}

func tupleOf(c net.Conn) conn.Tuple {
	return tuple(c.LocalAddr().String(), c.RemoteAddr().String())
}

func wantEqual[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRedirect(t *testing.T) {
	for family, c := range map[string]struct{ command, listen, dial, server string }{
		"IPv4": {"iptables", "127.0.0.1:15001", "10.96.1.3:9080", "127.0.0.1:15001"},
		"IPv6": {"ip6tables", "[::1]:15001", "[fd00:96::3]:9080", "[::1]:15001"},
	} {
		t.Run(family, func(t *testing.T) {
			tables(t, func(t *testing.T, x *Tables) {
				n := testnet.New(t)
				n.Command("ip", "address", "add", "10.244.1.11/24", "dev", "lo")
				n.Command("ip", "address", "add", "fd00:244::11/64", "dev", "lo", "nodad")
				n.Command("ip", "route", "add", "default", "dev", "lo")
				n.Command("ip", "-6", "route", "add", "default", "dev", "lo")
				n.Command(c.command, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "9080", "-j", "REDIRECT", "--to-ports", "15001")
				client, server := n.Connect(n.Listen(c.listen), c.dial)
				sent := tupleOf(client)
				wantEqual(t, "client", ask(x, n, sent), Answer{
					Tuple: conn.Tuple{Source: sent.Source, Destination: netip.MustParseAddrPort(c.server)}, State: Established,
				})
				wantEqual(t, "server", ask(x, n, tupleOf(server)), Answer{Tuple: sent.Reverse(), Reply: true, State: Established})
			})
		})
	}
}
