// Package testnet makes network namespaces for tests, and what tests do in them. Everything is private to the test and gone with it;
// nothing outside is touched. It needs root; see Require.
package testnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Require skips the test where the kernel or the rights do not allow it; with NETCONN_REQUIRE_KERNEL=1 that is a failure, so that a
// continuous integration cannot pass by skipping.
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
	Inode uint32
	t     testing.TB
	file  *os.File
	work  chan func()
}

// New makes a namespace whose loopback interface is up.
func New(t testing.TB) *Namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		Require(t, fmt.Errorf("network namespaces need root"))
	}
	n := &Namespace{t: t, work: make(chan func())}
	ready := make(chan error)
	go n.serve(ready)
	if err := <-ready; err != nil {
		Require(t, err)
	}
	t.Cleanup(func() {
		close(n.work)
		n.file.Close()
	})
	n.Command("ip", "link", "set", "lo", "up")
	return n
}

// serve owns the thread that stands in the namespace. It ends with the goroutine, as it is never unlocked.
func (n *Namespace) serve(ready chan<- error) {
	runtime.LockOSThread()
	err := n.enter()
	ready <- err
	if err != nil {
		return
	}
	for f := range n.work {
		f()
	}
}

func (n *Namespace) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	file, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return err
	}
	n.file, n.Inode = file, uint32(st.Ino)
	return nil
}

// Do runs f in the namespace, one at a time. Processes that f starts, and sockets that it opens, belong to the namespace; goroutines that
// it starts do not.
func (n *Namespace) Do(f func()) {
	done := make(chan struct{})
	n.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// Command runs a program in the namespace, and ends the test if it fails.
func (n *Namespace) Command(name string, arguments ...string) {
	n.t.Helper()
	var out []byte
	var err error
	n.Do(func() { out, err = exec.Command(name, arguments...).CombinedOutput() })
	if err != nil {
		n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
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

// HasSysctl tells whether the namespace has a variable of its own.
func (n *Namespace) HasSysctl(name string) (has bool) {
	n.Do(func() {
		_, err := os.Stat(sysctlPath(name))
		has = err == nil
	})
	return has
}

func sysctlPath(name string) string {
	return filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
}

// Sysctl sets a variable of the namespace, such as net.ipv4.tcp_syn_retries.
func (n *Namespace) Sysctl(name, value string) {
	n.t.Helper()
	var err error
	n.Do(func() {
		err = os.WriteFile(sysctlPath(name), []byte(value), 0)
	})
	if err != nil {
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

// Socket opens a TCP socket that is not connected yet; family is unix.AF_INET or AF_INET6. It is closed at the end of the test if it is
// open still.
func (n *Namespace) Socket(family int) (fd int) {
	n.t.Helper()
	var err error
	n.Do(func() { fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP) })
	if err != nil {
		n.t.Fatal(err)
	}
	return fd
}

// Link joins two namespaces by a pair of interfaces with the given addresses, for instance 10.1.0.1/24 and 10.1.0.2/24, or IPv6.
func Link(a, b *Namespace, name string, addressA, addressB string) {
	a.t.Helper()
	peer := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), b.file.Fd())
	a.Command("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", peer)
	for _, end := range []struct {
		namespace *Namespace
		address   string
	}{{a, addressA}, {b, addressB}} {
		arguments := []string{"address", "add", end.address, "dev", name}
		if netip.MustParsePrefix(end.address).Addr().Is6() {
			arguments = append(arguments, "nodad")
		}
		end.namespace.Command("ip", arguments...)
		end.namespace.Command("ip", "link", "set", name, "up")
	}
}
