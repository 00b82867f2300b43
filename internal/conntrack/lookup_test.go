//go:build linux

package conntrack

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

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
				redirect(n, c.command, "9080", "15001")
				client, server := n.Connect(n.Listen(c.listen), c.dial)
				sent := tupleOf(client)
				wantEqual(t, "client", ask(x, n, sent), translated(sent, c.server))
				wantEqual(t, "server", ask(x, n, tupleOf(server)), replyTo(sent))
			})
		})
	}
}

func TestNoConnectionTracking(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		client, _ := n.Connect(n.Listen("127.0.0.1:80"), "127.0.0.1:80")
		wantEqual(t, "answer", ask(x, n, tupleOf(client)), Answer{Result: NoEntry})
	})
}

// The lookup for a client has the tuple of its socket, and the lookup for a server that of its replies.
func TestDNATOnTheWay(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		pod, node, server := chain(t)
		rule := "-t nat -A PREROUTING -d 10.96.1.3 -p tcp --dport 80 -j DNAT --to 10.78.2.1:9080"
		node.Command("iptables", strings.Fields(rule)...)
		node.Command("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "down0", "-j", "MASQUERADE")
		client, accepted := pod.Connect(server.Listen("10.78.2.1:9080"), "10.96.1.3:80")
		sent := tupleOf(client)
		wantEqual(t, "in the pod", ask(x, pod, sent), Answer{Result: NoEntry})
		answers := tupleOf(accepted)
		wantEqual(t, "client, on the node", ask(x, node, sent), Answer{Tuple: answers.Reverse(), State: Established})
		wantEqual(t, "server, on the node", ask(x, node, answers), replyTo(sent))
	})
}

// Two pods have the same address, and a connection with the same tuple.
func TestOneTupleInTwoNamespaces(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}}
		want := map[*testnet.Namespace]string{}
		for _, port := range []string{"9080", "9090"} {
			n := testnet.New(t)
			redirect(n, "iptables", "80", port)
			n.Listen("127.0.0.1:" + port)
			c, err := n.TryDial(dialer, "127.0.0.9:80")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			want[n] = "127.0.0.1:" + port
		}
		for n, server := range want {
			got := ask(x, n, tuple("127.0.0.1:40000", "127.0.0.9:80"))
			wantEqual(t, "answer", got, Answer{Tuple: tuple("127.0.0.1:40000", server), State: Established})
		}
	})
}

func TestUDP(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		n.Command("iptables", strings.Fields("-t nat -A OUTPUT -p udp --dport 53 -j DNAT --to 127.0.0.1:15053")...)
		var sent conn.Tuple
		n.Do(func() {
			c, err := net.Dial("udp", "127.0.0.53:53")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = c.Write([]byte("query"))
			sent = tupleOf(c)
		})
		lookup := about(n, sent)
		lookup.Protocol = UDP
		answers := x.LookUp(time.Now(), []Lookup{lookup})
		want := conn.Tuple{Source: sent.Source, Destination: netip.MustParseAddrPort("127.0.0.1:15053")}
		wantEqual(t, "answer", answers[0], Answer{Tuple: want})
	})
}

func TestStates(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		redirect(n, "iptables", "80", "9080")
		client, server := n.Connect(n.Listen("127.0.0.1:9080"), "127.0.0.2:80")
		state := func() State { return ask(x, n, tupleOf(client)).State }
		wantEqual(t, "open", state(), Established)
		server.CloseWrite()
		_, _ = client.Read(make([]byte, 1))
		wantEqual(t, "half closed is closing", state().Closing(), true)
		client.SetLinger(0)
		client.Close()
		wantEqual(t, "reset", state(), Close)
	})
}

func TestMerge(t *testing.T) {
	packet := tuple("10.0.0.1:40000", "10.96.1.3:80")
	found := func(destination string) Answer { return Answer{Tuple: tuple("10.0.0.1:40000", destination)} }
	plain, one, two := found("10.96.1.3:80"), found("10.244.2.13:9080"), found("10.244.2.14:9080")
	none, gone := Answer{Result: NoEntry}, Answer{Result: NoNamespace}
	for name, c := range map[string]struct {
		zones []Answer
		want  Answer
	}{
		"nowhere":                        {[]Answer{none, none}, none},
		"in the second":                  {[]Answer{none, one}, one},
		"in the first":                   {[]Answer{one, none}, one},
		"translated in one of two":       {[]Answer{plain, one}, one},
		"translated in the first of two": {[]Answer{one, plain}, one},
		"translated twice, alike":        {[]Answer{one, one}, one},
		"translated twice, differently":  {[]Answer{one, two}, Answer{Result: Ambiguous}},
		"ambiguous whatever follows":     {[]Answer{one, two, none, one, plain}, Answer{Result: Ambiguous}},
		"ended":                          {[]Answer{gone, none}, gone},
		"ended between two zones":        {[]Answer{none, gone}, gone},
		"ended after an answer":          {[]Answer{one, gone}, one},
		"ended after an entry":           {[]Answer{plain, gone}, gone},
		"ended before an entry":          {[]Answer{gone, plain}, gone},
		"ended before an answer":         {[]Answer{gone, one}, one},
	} {
		t.Run(name, func(t *testing.T) {
			got := none
			for _, a := range c.zones {
				got = merge(&Lookup{Tuple: packet}, got, a)
			}
			wantEqual(t, "answer", got, c.want)
		})
	}
}

// The kernel has connection tracking as a module, which is loaded after netconn was started.
func TestModuleThatIsLoadedLater(t *testing.T) {
	if _, err := os.Stat(kernelHasConntrack); err == nil {
		t.Skip("the kernel has connection tracking already: make vm-test runs this where it has not")
	}
	n := testnet.New(t)
	l := n.Listen("127.0.0.1:9080")
	earlier, _ := n.Connect(l, "127.0.0.1:9080")
	all := map[Source]*Tables{SourceBPF: openTables(t, SourceNone), SourceNetlink: openTables(t, SourceNetlink)}
	for source, x := range all {
		wantEqual(t, source.String()+", before", ask(x, n, tupleOf(earlier)), Answer{Result: NoEntry})
	}
	if _, err := os.Stat(kernelHasConntrack); err == nil {
		t.Error("asking has loaded the module")
	}
	redirect(n, "iptables", "80", "9080")
	client, server := n.Connect(l, "127.0.0.2:80")
	sent := tupleOf(client)
	for source, x := range all {
		want := translated(sent, "127.0.0.1:9080")
		wantEqual(t, source.String()+", client", ask(x, n, sent), want)
		wantEqual(t, source.String()+", server", ask(x, n, tupleOf(server)), replyTo(sent))
		wantEqual(t, "source", x.Stats().Source, source)
	}
}

func TestCloseTwice(t *testing.T) {
	x := openTables(t, SourceNone)
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}
