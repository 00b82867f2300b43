// Package testnet makes network namespaces for tests, and what tests do in them. Everything is private to the test
// and gone with it; nothing outside is touched. It needs root; see Require.
package testnet

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/thread"
)

// Require skips the test where the kernel or the rights do not allow it; with NETCONN_REQUIRE_KERNEL=1 that is a
// failure, so that a continuous integration cannot pass by skipping.
func Require(t testing.TB, missing error) {
	t.Helper()
	switch {
	case missing == nil:
	case os.Getenv("NETCONN_REQUIRE_KERNEL") == "1":
		t.Fatalf("required by NETCONN_REQUIRE_KERNEL=1: %v", missing)
	default:
		t.Skipf("needs the kernel: %v", missing)
	}
}

// Namespace is a network namespace.
type Namespace struct {
	*netns.Namespace
	t testing.TB
}

// New makes a namespace whose loopback interface is up. A thread stands in it until the end of the test, as a process
// does in a pod's: a namespace is found by who is in it.
func New(t testing.TB) *Namespace {
	t.Helper()
	n, err := netns.New()
	if err != nil {
		Require(t, err)
	}
	leave := make(chan struct{})
	there := make(chan error)
	thread.Go(func() {
		there <- n.Enter()
		<-leave
	})
	if err := <-there; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(leave)
		n.Close()
	})
	return &Namespace{Namespace: n, t: t}
}

// Do runs f in the namespace. Processes that f starts, and sockets that it opens, belong to the namespace; goroutines
// that it starts do not.
func (n *Namespace) Do(f func()) {
	n.t.Helper()
	err := n.Namespace.Do(func() error {
		f()
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// Command runs a program in the namespace, and ends the test if it fails.
func (n *Namespace) Command(name string, arguments ...string) {
	n.t.Helper()
	if err := n.Namespace.Command(name, arguments...); err != nil {
		n.t.Fatal(err)
	}
}

// Start starts a prepared command in the namespace, and kills it at the end of the test.
func (n *Namespace) Start(command *exec.Cmd) {
	n.t.Helper()
	var err error
	n.Do(func() { err = command.Start() })
	if err != nil {
		n.t.Fatalf("start %s: %v", command, err)
	}
	n.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// HasSysctl reports whether the namespace has a variable of its own.
func (n *Namespace) HasSysctl(name string) (has bool) {
	n.Do(func() {
		_, err := os.Stat(netns.SysctlPath(name))
		has = err == nil
	})
	return has
}

// Sysctl sets a variable of the namespace, such as net.ipv4.tcp_syn_retries.
func (n *Namespace) Sysctl(name, value string) {
	n.t.Helper()
	if err := n.Namespace.Sysctl(name, value); err != nil {
		n.t.Fatal(err)
	}
}

// Listen opens a listening TCP socket.
func (n *Namespace) Listen(address string) *net.TCPListener {
	n.t.Helper()
	var l net.Listener
	var err error
	n.Do(func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// TryDial connects.
func (n *Namespace) TryDial(d net.Dialer, address string) (c *net.TCPConn, err error) {
	n.Do(func() {
		var dialled net.Conn
		if dialled, err = d.Dial("tcp", address); err == nil {
			c = dialled.(*net.TCPConn)
		}
	})
	return c, err
}

// Dial connects, and ends the test if that fails.
func (n *Namespace) Dial(address string) *net.TCPConn {
	n.t.Helper()
	c, err := n.TryDial(net.Dialer{}, address)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return c
}

// Connect returns both ends of a new connection from this namespace to a listener.
func (n *Namespace) Connect(l *net.TCPListener, address string) (client, server *net.TCPConn) {
	n.t.Helper()
	client = n.Dial(address)
	server, err := l.AcceptTCP()
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { server.Close() })
	return client, server
}

// Socket opens a TCP socket that is not connected yet; family is unix.AF_INET or AF_INET6. It is closed at the end of
// the test if it is open still.
func (n *Namespace) Socket(family int) (fd int) {
	n.t.Helper()
	var err error
	n.Do(func() { fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP) })
	if err != nil {
		n.t.Fatal(err)
	}
	return fd
}

// Link joins two namespaces by a pair of interfaces with the given addresses, for instance 10.1.0.1/24 and
// 10.1.0.2/24, or IPv6.
func Link(a, b *Namespace, name string, addressA, addressB string) {
	a.t.Helper()
	end := func(n *Namespace, address string) netns.End {
		return netns.End{In: n.Namespace, Interface: name, Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	if err := netns.Link(end(a, addressA), end(b, addressB)); err != nil {
		a.t.Fatal(err)
	}
}
