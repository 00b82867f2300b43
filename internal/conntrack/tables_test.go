//go:build linux

package conntrack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
)

// tables opens both sources, each of which must give the same answers.
func tables(t *testing.T, run func(t *testing.T, x *Tables)) {
	for name, source := range map[string]Source{"lookup": Lookup, "netlink": Netlink} {
		t.Run(name, func(t *testing.T) {
			x := openTables(t, Options{Source: source})
			if x.Stats().Source != source {
				testnet.Require(t, errors.New("the kernel has no connection tracking"))
			}
			run(t, x)
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
	return x
}

// ask asks one question, until it is not too early any more.
func ask(x *Tables, n *testnet.Namespace, packet conn.Tuple) Answer {
	answers, _ := askFrom(x, time.Now(), about(n, packet))
	return answers[0]
}

// askFrom asks from a time on, and returns when it was not too early any more.
func askFrom(x *Tables, at time.Time, questions ...Question) ([]Answer, time.Time) {
	for {
		answers := x.Ask(at, questions)
		if !slices.ContainsFunc(answers, func(a Answer) bool { return a.Result == Early }) {
			return answers, at
		}
		at = at.Add(searchPause)
	}
}

func about(n *testnet.Namespace, packet conn.Tuple) Question {
	return Question{Namespace: n.Inode, Process: uint32(os.Getpid()), Tuple: packet}
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

func TestNoConnectionTracking(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		client, _ := n.Connect(n.Listen("127.0.0.1:80"), "127.0.0.1:80")
		wantEqual(t, "answer", ask(x, n, tupleOf(client)), Answer{Result: NoEntry})
	})
}

// A socket that opened is asked about by the tuple that it has, and one that accepted by that of its answers.
func TestDNATOnTheWay(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		pod, node, server := chain(t)
		node.Command("iptables", "-t", "nat", "-A", "PREROUTING", "-d", "10.96.1.3", "-p", "tcp", "--dport", "80", "-j", "DNAT", "--to", "10.78.2.1:9080")
		node.Command("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "down0", "-j", "MASQUERADE")
		client, accepted := pod.Connect(server.Listen("10.78.2.1:9080"), "10.96.1.3:80")
		sent := tupleOf(client)
		wantEqual(t, "in the pod", ask(x, pod, sent), Answer{Result: NoEntry})
		answers := tupleOf(accepted)
		wantEqual(t, "client, on the node", ask(x, node, sent), Answer{Tuple: answers.Reverse(), State: Established})
		wantEqual(t, "server, on the node", ask(x, node, answers), Answer{Tuple: sent.Reverse(), Reply: true, State: Established})
	})
}

// chain is a pod, the node that it is on, and another machine.
func chain(t *testing.T) (pod, node, server *testnet.Namespace) {
	t.Helper()
	pod, node, server = testnet.New(t), testnet.New(t), testnet.New(t)
	testnet.Link(pod, node, "up0", "10.78.1.1/24", "10.78.1.2/24")
	testnet.Link(node, server, "down0", "10.78.2.2/24", "10.78.2.1/24")
	pod.Command("ip", "route", "add", "default", "via", "10.78.1.2")
	server.Command("ip", "route", "add", "default", "via", "10.78.2.2")
	node.Sysctl("net.ipv4.ip_forward", "1")
	return pod, node, server
}

// Two pods of one address each have a connection with one tuple.
func TestOneTupleInTwoNamespaces(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}}
		want := map[*testnet.Namespace]string{}
		for _, port := range []string{"9080", "9090"} {
			n := testnet.New(t)
			n.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", port)
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
		n.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-p", "udp", "--dport", "53", "-j", "DNAT", "--to", "127.0.0.1:15053")
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
		answers := x.Ask(time.Now(), []Question{{Namespace: n.Inode, Process: uint32(os.Getpid()), Protocol: UDP, Tuple: sent}})
		want := conn.Tuple{Source: sent.Source, Destination: netip.MustParseAddrPort("127.0.0.1:15053")}
		wantEqual(t, "answer", answers[0], Answer{Tuple: want})
	})
}

func TestStates(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		n.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "9080")
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

// A packet can have an entry in a zone other than 0; which zones there are is learnt from the table, once.
func TestZones(t *testing.T) {
	for name, c := range map[string]struct{ asking, answering []string }{
		"of both directions": {[]string{"--zone", "7"}, []string{"--zone", "7"}},
		"of one direction":   {[]string{"--zone-orig", "7"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tables(t, func(t *testing.T, x *Tables) {
				n := testnet.New(t)
				zone := func(port string, arguments []string) {
					n.Command("iptables", append(strings.Fields("-t raw -A OUTPUT -p tcp "+port+" -j CT"), arguments...)...)
				}
				zone("--dport 80", c.asking)
				if c.answering != nil {
					zone("--sport 9080", c.answering)
				}
				n.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "9080")
				client, server := n.Connect(n.Listen("127.0.0.1:9080"), "127.0.0.2:80")
				sent := tupleOf(client)
				for range 2 {
					wantEqual(t, "client", ask(x, n, sent), Answer{
						Tuple: conn.Tuple{Source: sent.Source, Destination: netip.MustParseAddrPort("127.0.0.1:9080")}, State: Established,
					})
					wantEqual(t, "server", ask(x, n, tupleOf(server)), Answer{Tuple: sent.Reverse(), Reply: true, State: Established})
				}
				wantEqual(t, "tables read", x.Stats().Dumps, 1)
			})
		})
	}
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
				got = merge(Question{Tuple: packet}, got, a)
			}
			wantEqual(t, "answer", got, c.want)
		})
	}
}

// guest starts a process in a network namespace of its own, and returns the namespace and what ends it.
func guest(t *testing.T) (inode, process uint32, end func()) {
	t.Helper()
	command := exec.Command("sleep", "60")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	c, err := harness.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	if inode, err = inodeOf(fmt.Sprintf("/proc/%d/ns/net", c.PID)); err != nil {
		t.Fatal(err)
	}
	return inode, uint32(c.PID), c.Kill
}

// Nothing here keeps a namespace alive, and what is told of one that has ended is not told of another one with its inode.
func TestNamespaceThatEnds(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		nobody := tuple("127.0.0.1:1", "127.0.0.1:2")
		inode, process, end := guest(t)
		question := Question{Namespace: inode, Process: process, Tuple: nobody}
		result := func() Result { return x.Ask(time.Now(), []Question{question})[0].Result }
		wantEqual(t, "while it lives", result(), NoEntry)
		n := x.registry.inodes[inode]
		end()
		for x.registry.ids[n.id] == n && result() != NoNamespace {
			time.Sleep(time.Millisecond) // the kernel ends namespaces in the background
		}
		if x.registry.inodes[inode] == n {
			t.Error("it is known still")
		}
		for range 100 {
			again, process, _ := guest(t)
			if again != inode {
				continue
			}
			question.Process = process
			wantEqual(t, "another one with its inode", result(), NoEntry)
			return
		}
	})
}

// A namespace has ended before anybody asked about it, and another one has its inode: that is not asked in its place, nor forgotten with it.
func TestNamespaceThatHadTheInode(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		inode, process, _ := guest(t)
		living := Question{Namespace: inode, Process: process, Cookie: cookie(t, process), Tuple: tuple("127.0.0.1:1", "127.0.0.1:2")}
		if living.Cookie == 0 {
			t.Skip("the kernel does not tell cookies")
		}
		dead, whichever := living, living
		dead.Process, dead.Cookie, whichever.Cookie = 0, living.Cookie-1, 0
		results := func(now time.Time) (all [4]Result) {
			for i, a := range x.Ask(now, []Question{dead, living, whichever, dead}) {
				all[i] = a.Result
			}
			return all
		}
		now := time.Now().Add(time.Hour)
		wantEqual(t, "results", results(now), [4]Result{NoNamespace, NoEntry, NoEntry, Early})
		known := x.registry.inodes[inode]
		wantEqual(t, "results an hour later", results(now.Add(time.Hour)), [4]Result{NoNamespace, NoEntry, NoEntry, Early})
		if x.registry.inodes[inode] != known {
			t.Error("the living one was forgotten with the dead one")
		}
	})
}

// cookie returns the cookie of the network namespace that a process is in; 0: the kernel does not tell.
func cookie(t *testing.T, process uint32) uint64 {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", process))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return cookieOf(file)
}

func TestNamespaceThatWasNeverThere(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		question := Question{Namespace: 1, Process: 1, Tuple: tuple("127.0.0.1:1", "127.0.0.1:2")}
		now := time.Now().Add(time.Hour)
		searches := x.Stats().Searches
		var got []Result
		for range 3 {
			got = append(got, x.Ask(now, []Question{question})[0].Result)
		}
		wantEqual(t, "answers at one time", got, []Result{NoNamespace, Early, Early})
		wantEqual(t, "searches", x.Stats().Searches-searches, 1)
	})
}

// A namespace without any process is found where it is mounted.
func TestMountedNamespace(t *testing.T) {
	name := fmt.Sprintf("netconn-test-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		testnet.Require(t, fmt.Errorf("ip netns add: %w: %s", err, out))
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	var st unix.Stat_t
	if err := unix.Stat("/run/netns/"+name, &st); err != nil {
		t.Fatal(err)
	}
	tables(t, func(t *testing.T, x *Tables) {
		question := Question{Namespace: uint32(st.Ino), Tuple: tuple("127.0.0.1:1", "127.0.0.1:2")}
		wantEqual(t, "answer", x.Ask(time.Now(), []Question{question})[0], Answer{Result: NoEntry})
	})
}

// outer returns the namespace around one.
func outer(t *testing.T, x *Tables, of *testnet.Namespace) uint32 {
	t.Helper()
	for at := time.Now(); ; at = at.Add(searchPause) {
		inode, err := x.Outer(at, of.Inode, netip.MustParseAddr("198.51.100.1"))
		if errors.Is(err, ErrEarly) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return inode
	}
}

func TestOuter(t *testing.T) {
	pod, node, _ := chain(t)
	x := openTables(t, Options{})
	wantEqual(t, "outside the pod", outer(t, x, pod), node.Inode)
	wantEqual(t, "outside the node", outer(t, x, node), 0)

	other := testnet.New(t)
	testnet.Link(pod, other, "up1", "10.79.1.1/24", "10.79.1.2/24")
	pod.Command("ip", "route", "replace", "default", "via", "10.79.1.2")
	x.Ask(time.Now(), nil)
	wantEqual(t, "outside the pod after its route has changed", outer(t, x, pod), other.Inode)
}

func TestLocal(t *testing.T) {
	pod, _, _ := chain(t)
	x := openTables(t, Options{})
	local := func(a string) bool {
		t.Helper()
		is, err := x.Local(time.Now(), pod.Inode, netip.MustParseAddr(a))
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	got := map[string]bool{}
	for _, a := range []string{"127.0.0.6", "::1", "10.78.1.1", "10.78.1.2", "10.78.9.9"} {
		got[a] = local(a)
	}
	wantEqual(t, "local", got, map[string]bool{"127.0.0.6": true, "::1": true, "10.78.1.1": true, "10.78.1.2": false, "10.78.9.9": false})
	pod.Command("ip", "address", "add", "10.78.9.9/32", "dev", "lo")
	x.Ask(time.Now(), nil)
	wantEqual(t, "local after it was added", local("10.78.9.9"), true)
}

func TestCloseTwice(t *testing.T) {
	x := openTables(t, Options{})
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// The process that opened a connection is gone, and another one is in its namespace still.
func TestAnotherMember(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	tables(t, func(t *testing.T, x *Tables) {
		inode, _, _ := guest(t)
		question := Question{Namespace: inode, Process: uint32(gone.Process.Pid), Tuple: tuple("127.0.0.1:1", "127.0.0.1:2")}
		later := time.Now().Add(time.Hour) // when there may be another search
		wantEqual(t, "answer", x.Ask(later, []Question{question})[0], Answer{Result: NoEntry})
	})
}

// The kernel has connection tracking as a module, which somebody loads after netconn was started.
func TestModuleThatIsLoadedLater(t *testing.T) {
	if _, err := os.Stat(present); err == nil {
		t.Skip("the kernel has connection tracking already: make vm-test runs this where it has not")
	}
	n := testnet.New(t)
	l := n.Listen("127.0.0.1:9080")
	earlier, _ := n.Connect(l, "127.0.0.1:9080")
	all := map[Source]*Tables{Lookup: openTables(t, Options{}), Netlink: openTables(t, Options{Source: Netlink})}
	for source, x := range all {
		wantEqual(t, source.String()+", before", ask(x, n, tupleOf(earlier)), Answer{Result: NoEntry})
	}
	if _, err := os.Stat(present); err == nil {
		t.Error("asking has loaded the module")
	}
	n.Command("iptables", strings.Fields("-t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 9080")...)
	client, server := n.Connect(l, "127.0.0.2:80")
	sent := tupleOf(client)
	for source, x := range all {
		want := Answer{Tuple: conn.Tuple{Source: sent.Source, Destination: netip.MustParseAddrPort("127.0.0.1:9080")}, State: Established}
		wantEqual(t, source.String()+", client", ask(x, n, sent), want)
		wantEqual(t, source.String()+", server", ask(x, n, tupleOf(server)), Answer{Tuple: sent.Reverse(), Reply: true, State: Established})
		wantEqual(t, "source", x.Stats().Source, source)
	}
}
