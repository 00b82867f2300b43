//go:build linux

package pipeline

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// clientPort is used again and again.
const clientPort = 40000

// dialFrom connects from one port. It is free at once when the connection was reset.
func dialFrom(t *testing.T, n *testnet.Namespace, address string) *net.TCPConn {
	t.Helper()
	c, err := n.TryDial(net.Dialer{
		LocalAddr: &net.TCPAddr{Port: clientPort}, Timeout: 5 * time.Second,
		Control: func(_, _ string, raw syscall.RawConn) (err error) {
			return raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		},
	}, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// say sends to the end that accepts, and waits for the acknowledgement.
func say(t *testing.T, c *net.TCPConn, l *net.TCPListener) {
	t.Helper()
	server, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	carry(t, c, server, sentOut)
}

func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

// backends are two servers of one service, the second of which takes over from the first.
func backends(t *testing.T, s site) (first, second *net.TCPListener, takeOver func()) {
	t.Helper()
	first, second = s.other.Listen("10.244.2.13:9080"), s.other.Listen("10.244.2.13:9090")
	rule(s.node, "-A PREROUTING "+dnatToOther)
	return first, second, func() {
		rule(s.node, "-R PREROUTING 1 -p tcp -d 10.96.1.3 --dport 80 -j DNAT --to 10.244.2.13:9090")
	}
}

// wayTo is what is known of a connection to a server of the service, from the client's side.
func wayTo(server string) way {
	return way{
		Role: "client", NAT: "dnat", Server: server, Client: "10.244.1.11", Asked: "10.96.1.3:80", Peer: "remote", Sent: sentOut,
	}
}

// unresolved is what is known of one that may be another's.
func unresolved() way {
	return way{Role: "client", NAT: "unresolved", Server: "10.96.1.3:80", Client: "10.244.1.11", Peer: "remote", Sent: sentOut}
}

// One client, one port, one service, and another server each time: the same tuple has another translation a moment
// later. Each connection has its own, or none, whenever it is that the ends are read.
func TestTupleUsedAgain(t *testing.T) {
	never := func(*plant) {}
	toFirst, toSecond := wayTo("10.244.2.13:9080"), wayTo("10.244.2.13:9090")
	for name, c := range map[string]struct {
		during, between, later func(*plant) // the first, the two, the second
		want                   []way
	}{
		"between the two":          {never, (*plant).hear, never, []way{toFirst, toSecond}},
		"after both":               {never, never, never, []way{unresolved(), toSecond}},
		"while the second is open": {never, never, (*plant).hear, []way{unresolved(), toSecond}},
		"while the first is open":  {(*plant).read, never, never, []way{toFirst, toSecond}},
		"while either is open":     {(*plant).read, never, (*plant).read, []way{toFirst, toSecond}},
		"always":                   {(*plant).read, (*plant).hear, (*plant).read, []way{toFirst, toSecond}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			first, second, takeOver := backends(t, s)
			p := newPlant(t, s.pod)
			dial := func(to *net.TCPListener, during func(*plant)) {
				c := dialFrom(t, s.pod, "10.96.1.3:80")
				say(t, c, to)
				during(p)
				reset(c)
			}
			dial(first, c.during)
			c.between(p)
			takeOver()
			dial(second, c.later)
			wantWays(t, p.told(2), c.want...)
		})
	}
}

// The entry is deleted: what was found before is kept.
func TestEntryDeletedByHand(t *testing.T) {
	s := newSite(t)
	first, _, _ := backends(t, s)
	p := newPlant(t, s.pod)
	c := dialFrom(t, s.pod, "10.96.1.3:80")
	say(t, c, first)
	p.read()
	s.node.Command("conntrack", "-F")
	reset(c)
	wantWays(t, p.told(1), wayTo("10.244.2.13:9080"))
}

// The entries are deleted before the first reading: the translation cannot be known.
func TestEntriesDeletedBeforeTheyAreRead(t *testing.T) {
	s := newSite(t)
	first, _, _ := backends(t, s)
	p := newPlant(t, s.pod)
	one := dialFrom(t, s.pod, "10.96.1.3:80")
	say(t, one, first)
	reset(one)
	wantWays(t, p.told(1), wayTo("10.244.2.13:9080"))
	two := dialFrom(t, s.pod, "10.96.1.3:80")
	say(t, two, first)
	reset(two)
	s.node.Command("conntrack", "-F")
	wantWays(t, p.told(1), unresolved())
}

// A zone comes into use after the table was read for zones.
func TestZoneThatComesLater(t *testing.T) {
	s := newSite(t)
	first, _, _ := backends(t, s)
	p := newPlant(t, s.pod)
	plain := dialFrom(t, s.pod, "10.244.2.13:9080")
	say(t, plain, first)
	p.read()
	for _, side := range []string{"pod0", "pod1"} {
		s.node.Command("iptables", "-t", "raw", "-A", "PREROUTING", "-i", side, "-j", "CT", "--zone", "5")
	}
	c, err := s.pod.TryDial(net.Dialer{}, "10.96.1.3:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say(t, c, first)
	for range 30 {
		p.read()
		time.Sleep(100 * time.Millisecond)
	}
	reset(c)
	wantWays(t, p.told(1), wayTo("10.244.2.13:9080"))
}

// Nothing was tracked anywhere when the namespaces were looked at, and then a rule translates.
func TestRuleThatComesLater(t *testing.T) {
	for name, c := range map[string]struct {
		where func(site) *testnet.Namespace
		rule  string
	}{
		"in the pod":  {func(s site) *testnet.Namespace { return s.pod }, "-A OUTPUT "},
		"on the node": {func(s site) *testnet.Namespace { return s.node }, "-A PREROUTING "},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			l := s.other.Listen("10.244.2.13:9080")
			p := newPlant(t, s.pod)
			exchange := func(address string) {
				conn := dialFrom(t, s.pod, address)
				say(t, conn, l)
				reset(conn)
			}
			exchange("10.244.2.13:9080")
			before := wayTo("10.244.2.13:9080")
			before.NAT, before.Asked = "none", ""
			wantWays(t, p.told(1), before)
			rule(c.where(s), c.rule+dnatToOther)
			exchange("10.96.1.3:80")
			wantWays(t, p.told(1), wayTo("10.244.2.13:9080"))
		})
	}
}

// An entry that was reset is gone within a second: what is read in time is known, and what is read later is not taken
// for untranslated.
func TestShortTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		wait time.Duration
		want way
	}{
		"in time":  {0, wayTo("10.244.2.13:9080")},
		"too late": {2500 * time.Millisecond, unresolved()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			first, _, _ := backends(t, s)
			s.node.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_close", "1")
			p := newPlant(t, s.pod)
			conn := dialFrom(t, s.pod, "10.96.1.3:80")
			say(t, conn, first)
			reset(conn)
			time.Sleep(c.wait)
			wantWays(t, p.told(1), c.want)
		})
	}
}

// Two pods have one address and use one port, on two nodes of one machine.
func TestOneAddressTwice(t *testing.T) {
	sites := []site{newSite(t), newSite(t)}
	first, _, _ := backends(t, sites[0])
	_, second, takeOver := backends(t, sites[1])
	takeOver()
	p := newPlant(t, sites[0].pod, sites[1].pod)
	open := []*net.TCPConn{}
	for i, l := range []*net.TCPListener{first, second} {
		c := dialFrom(t, sites[i].pod, "10.96.1.3:80")
		say(t, c, l)
		open = append(open, c)
	}
	for _, c := range open {
		reset(c)
	}
	wantWays(t, p.told(2), wayTo("10.244.2.13:9080"), wayTo("10.244.2.13:9090"))
}

// The server's namespace is deleted before it is asked. The sockets show both ends, and how the connection was
// translated is not known. Within one namespace the sockets show that too.
func TestNamespaceDeletedInTheMiddle(t *testing.T) {
	client := testnet.New(t)
	for name, c := range map[string]struct {
		client *testnet.Namespace // nil: that of the server
		dial   string
		want   way
	}{
		"of the server": {client, "10.77.0.2:80", way{
			NAT: "unresolved", Server: "10.77.0.2:80", Client: "10.77.0.1", Asked: "10.77.0.2:80", Peer: "node",
		}},
		"of both": {nil, "127.0.0.9:80", way{
			NAT: "redirect", Server: "127.0.0.1:80", Client: "127.0.0.1", Asked: "127.0.0.9:80", Peer: "node",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, client)
			var inode uint32
			t.Run("its life", func(t *testing.T) {
				n := testnet.New(t)
				inode = n.Inode
				p.watched[n.Inode] = true
				from, listen := c.client, "10.77.0.2:9080"
				if from == nil {
					from, listen = n, "127.0.0.1:9080"
				} else {
					testnet.Link(from, n, "deleted0", "10.77.0.1/24", "10.77.0.2/24")
				}
				rule(n, "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 9080")
				rule(n, "-A OUTPUT -p tcp -d 127.0.0.9 --dport 80 -j REDIRECT --to-ports 9080")
				p.exchange(from, n.Listen(listen), c.dial)
			})
			// It ends in the background, and as a rule another one gets its inode, which is not to answer in its place.
			for n, i := testnet.New(t), 0; n.Inode != inode && i < 100; n, i = testnet.New(t), i+1 {
				time.Sleep(time.Millisecond)
			}
			client, server := c.want, c.want
			client.Role, client.Sent, client.Received = "client", sentOut, sentBack
			server.Role, server.Sent, server.Received = "server", sentBack, sentOut
			wantWays(t, p.told(2), client, server)
		})
	}
}

// What did not come about has no entry, or one that tells to whom it went.
func TestAttempts(t *testing.T) {
	s := newSite(t)
	rule(s.node, "-A PREROUTING "+dnatToOther)
	s.pod.Sysctl("net.ipv4.tcp_syn_retries", "1")
	p := newPlant(t, s.pod)
	attempt := func() {
		if c, err := s.pod.TryDial(net.Dialer{Timeout: 20 * time.Second}, "10.96.1.3:80"); err == nil {
			c.Close()
			t.Fatal("the port has a listener")
		}
	}
	p.wantAttempt(attempt, way{
		Role: "client", NAT: "unresolved", Error: "refused", Server: "10.96.1.3:80", Client: "10.244.1.11", Peer: "remote",
	})
	s.other.Command("iptables", "-A", "INPUT", "-p", "tcp", "-j", "DROP")
	p.wantAttempt(attempt, way{
		Role: "client", NAT: "dnat", Error: "timed_out", Server: "10.244.2.13:9080", Client: "10.244.1.11", Asked: "10.96.1.3:80",
		Peer: "remote",
	})
}

// The socket has the address that the client asked for, and the port is not the listener's. Nothing is translated.
func TestTPROXY(t *testing.T) {
	s := newSite(t)
	s.other.Command("iptables", "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "--dport", "9080", "-j", "TPROXY",
		"--on-port", "15006", "--tproxy-mark", "1337")
	s.other.Command("ip", "rule", "add", "fwmark", "1337", "lookup", "133")
	s.other.Command("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "133")
	p := newPlant(t, s.pod, s.other) // the listener is newer, or its port would not be known
	l := s.other.Listen("0.0.0.0:15006")
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1) }); err != nil {
		t.Fatal(err)
	}
	p.exchange(s.pod, l, "10.244.2.13:9080")
	client := way{
		Role: "client", NAT: "tproxy", Server: "10.244.2.13:9080", Client: "10.244.1.11", Peer: "node", Sent: sentOut, Received: sentBack,
	}
	server := client
	server.Role, server.Sent, server.Received = "server", sentBack, sentOut
	wantWays(t, p.told(2), client, server)
}

// Entries of the node are in a zone.
func TestZones(t *testing.T) {
	s := newSite(t)
	for _, side := range []string{"pod0", "pod1"} {
		s.node.Command("iptables", "-t", "raw", "-A", "PREROUTING", "-i", side, "-j", "CT", "--zone", "5")
	}
	first, _, _ := backends(t, s)
	p := newPlant(t, s.pod)
	c := dialFrom(t, s.pod, "10.96.1.3:80")
	say(t, c, first)
	reset(c)
	wantWays(t, p.told(1), wayTo("10.244.2.13:9080"))
}

// Connections that are older than netconn are asked about as others are. Where nothing is known of one, its entry may
// have expired.
func TestOlderThanNetconn(t *testing.T) {
	for name, c := range map[string]struct {
		dial string
		want way
	}{
		"translated":  {"10.96.1.3:80", wayTo("10.244.2.13:9080")},
		"not tracked": {"10.244.1.1:9080", way{Role: "client", NAT: "unresolved", Server: "10.244.1.1:9080", Client: "10.244.1.11", Peer: "remote"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			first, _, _ := backends(t, s)
			if name == "not tracked" {
				first = s.node.Listen("10.244.1.1:9080")
				s.node.Command("iptables", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "9080", "-j", "NOTRACK")
				s.node.Command("iptables", "-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--sport", "9080", "-j", "NOTRACK")
			}
			client := dialFrom(t, s.pod, c.dial)
			say(t, client, first)
			p := newPlant(t, s.pod)
			p.read()
			reset(client)
			c.want.Sent = 0 // before netconn
			wantWays(t, p.told(1), c.want)
		})
	}
}
