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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/thread"
)

// noConnection is a packet that no connection has.
var noConnection = tuple("127.0.0.1:1", "127.0.0.1:2")

// tables runs a test with each source: both must give the same answers.
func tables(t *testing.T, run func(t *testing.T, x *Tables)) {
	for name, source := range map[string]Source{"bpf": SourceBPF, "netlink": SourceNetlink} {
		t.Run(name, func(t *testing.T) {
			x := openTables(t, source)
			if x.Stats().Source != source {
				testnet.Require(t, errors.New("the kernel has no connection tracking"))
			}
			run(t, x)
		})
	}
}

func openTables(t testing.TB, only Source) *Tables {
	t.Helper()
	x, err := open("", only, time.Now())
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

// ask looks up one packet, again until it is not too early.
func ask(x *Tables, n *testnet.Namespace, packet conn.Tuple) Answer {
	answers, _ := askFrom(x, time.Now(), about(n, packet))
	return answers[0]
}

// askFrom does lookups from a time on, and returns the time at which it was not too early.
func askFrom(x *Tables, at time.Time, lookups ...Lookup) ([]Answer, time.Time) {
	for {
		answers := x.LookUp(at, lookups)
		if !slices.ContainsFunc(answers, func(a Answer) bool { return a.Result == TooEarly }) {
			return answers, at
		}
		at = at.Add(searchPause)
	}
}

func about(n *testnet.Namespace, packet conn.Tuple) Lookup {
	return Lookup{Namespace: n.Inode, Process: uint32(os.Getpid()), Tuple: packet}
}

func tuple(source, destination string) conn.Tuple {
	return conn.Tuple{Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort(destination)}
}

func tupleOf(c net.Conn) conn.Tuple {
	return tuple(c.LocalAddr().String(), c.RemoteAddr().String())
}

func wantEqual[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	addresses := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want, got, addresses, cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
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

// startInNetns starts a process in a network namespace of its own. It returns both, and a function that ends the
// process.
func startInNetns(t *testing.T) (inode, process uint32, end func()) {
	t.Helper()
	command := exec.Command("sleep", "60")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	c, err := harness.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	if inode, err = readInode(fmt.Sprintf("/proc/%d/ns/net", c.PID)); err != nil {
		t.Fatal(err)
	}
	return inode, uint32(c.PID), c.Kill
}

// cookie returns the cookie of the network namespace that a process is in; 0: not known.
func cookie(t *testing.T, process uint32) uint64 {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", process))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return readCookie(file)
}

// insert makes an entry by hand: a packet of an open connection, and what becomes of it.
func insert(n *testnet.Namespace, zone int, packet, out conn.Tuple) {
	n.Command("conntrack", entryArguments(zone, packet, out)...)
}

func entryArguments(zone int, packet, out conn.Tuple) []string {
	arguments := []string{"-I", "-p", "tcp", "--state", "ESTABLISHED", "--timeout", "600", "--zone", strconv.Itoa(zone)}
	add := func(address, port string, of netip.AddrPort) {
		arguments = append(arguments, address, of.Addr().String(), port, strconv.Itoa(int(of.Port())))
	}
	add("--src", "--sport", packet.Source)
	add("--dst", "--dport", packet.Destination)
	add("--reply-src", "--reply-port-src", out.Destination)
	add("--reply-dst", "--reply-port-dst", out.Source)
	return arguments
}

// inZone leads connections from one port to another, and tracks both directions in a zone.
func inZone(n *testnet.Namespace, zone, asked, actual int) {
	for _, r := range []string{
		fmt.Sprintf("-t raw -A OUTPUT -p tcp --dport %d -j CT --zone %d", asked, zone),
		fmt.Sprintf("-t raw -A OUTPUT -p tcp --sport %d -j CT --zone %d", actual, zone),
		fmt.Sprintf("-t nat -A OUTPUT -p tcp --dport %d -j REDIRECT --to-ports %d", asked, actual),
	} {
		n.Command("iptables", strings.Fields(r)...)
	}
}

// beside starts a command in the network namespace of a process.
func beside(t *testing.T, process uint32, command *exec.Cmd) {
	t.Helper()
	err := thread.Run(func() error {
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", process))
		if err != nil {
			return err
		}
		defer file.Close()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return command.Start()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// redirect leads connections from a namespace to a port to another port of it.
func redirect(n *testnet.Namespace, command, from, to string) {
	rule := "-t nat -A OUTPUT -p tcp --dport " + from + " -j REDIRECT --to-ports " + to
	n.Command(command, strings.Fields(rule)...)
}

// translated is the answer about a packet of an open connection that has another destination when it leaves.
func translated(sent conn.Tuple, destination string) Answer {
	out := conn.Tuple{Source: sent.Source, Destination: netip.MustParseAddrPort(destination)}
	return Answer{Tuple: out, State: Established}
}

// replyTo is the answer about the other direction of an open connection.
func replyTo(sent conn.Tuple) Answer {
	return Answer{Tuple: sent.Reverse(), Reply: true, State: Established}
}
