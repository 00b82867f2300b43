//go:build linux

package testnet_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// recorder records how a test would have ended, and goes on.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, arguments ...any) {
	r.ended = "failed: " + fmt.Sprintf(format, arguments...)
}

func (r *recorder) Skipf(format string, arguments ...any) {
	r.ended = "skipped: " + fmt.Sprintf(format, arguments...)
}

// A test whose requirement is missing is skipped, and fails where the environment says that nothing may be skipped.
func TestRequire(t *testing.T) {
	for name, c := range map[string]struct {
		missing error
		require string
		want    string
	}{
		"nothing is missing":            {nil, "1", ""},
		"something is missing":          {errors.New("root"), "", "skipped: needs the kernel: root"},
		"nothing may be missing":        {errors.New("root"), "1", "failed: required by NETCONN_REQUIRE_KERNEL=1: root"},
		"another value says it is fine": {errors.New("root"), "0", "skipped: needs the kernel: root"},
	} {
		t.Setenv("NETCONN_REQUIRE_KERNEL", c.require)
		r := &recorder{TB: t}
		testnet.Require(r, c.missing)
		if r.ended != c.want {
			t.Errorf("%s: %q, want %q", name, r.ended, c.want)
		}
	}
}

// network returns the network namespace of a process or thread.
func network(t *testing.T, of string) string {
	t.Helper()
	link, err := os.Readlink("/proc/" + of + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// A thread stands in a namespace until the end of the test that made it, and in no other one.
func TestNewIsInhabited(t *testing.T) {
	var inode uint32
	inside := func() (n int) {
		links, err := filepath.Glob("/proc/self/task/*/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && target == fmt.Sprintf("net:[%d]", inode) {
				n++
			}
		}
		return n
	}
	t.Run("namespace", func(t *testing.T) {
		inode = testnet.New(t).Inode
		// A thread that was started for the set-up may not have ended yet.
		for deadline := time.Now().Add(10 * time.Second); inside() != 1; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d threads are in the namespace, want 1", inside())
			}
		}
	})
	for deadline := time.Now().Add(10 * time.Second); inside() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a thread is in the namespace after the test's end")
		}
	}
}

// Functions and processes run in the namespace.
func TestDoAndStart(t *testing.T) {
	n := testnet.New(t)
	want := fmt.Sprintf("net:[%d]", n.Inode)
	var inside string
	n.Do(func() { inside = network(t, "thread-self") })
	if inside != want || network(t, "self") == want {
		t.Errorf("a function is in %s, want %s; the test is in %s", inside, want, network(t, "self"))
	}
	c := exec.Command("sleep", "60")
	t.Run("process", func(t *testing.T) {
		other := testnet.New(t)
		other.Start(c)
		if got := network(t, fmt.Sprint(c.Process.Pid)); got != fmt.Sprintf("net:[%d]", other.Inode) {
			t.Errorf("the process is in %s", got)
		}
	})
	if status := c.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("at the end of its test the process ended with %v", status)
	}
}

// Variables are the namespace's own.
func TestSysctl(t *testing.T) {
	a, b := testnet.New(t), testnet.New(t)
	a.Sysctl("net.ipv4.tcp_syn_retries", "2")
	value := func(n *testnet.Namespace) (text string) {
		n.Do(func() {
			content, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_syn_retries")
			text = strings.TrimSpace(string(content))
		})
		return text
	}
	if value(a) != "2" || value(b) == "2" {
		t.Errorf("%s in the namespace, %s in another", value(a), value(b))
	}
	if !a.HasSysctl("net.ipv4.tcp_syn_retries") || a.HasSysctl("net.ipv4.nonsense") {
		t.Errorf("it has tcp_syn_retries: %v, nonsense: %v", a.HasSysctl("net.ipv4.tcp_syn_retries"), a.HasSysctl("net.ipv4.nonsense"))
	}
}

// Two linked namespaces exchange bytes over both families, and the ends of a connection belong together.
func TestConnect(t *testing.T) {
	client, server := testnet.New(t), testnet.New(t)
	testnet.Link(client, server, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	testnet.Link(client, server, "nc1", "fd00:78::1/64", "fd00:78::2/64")
	for _, address := range []string{"10.78.0.2:9080", "[fd00:78::2]:9080"} {
		near, far := client.Connect(server.Listen(address), address)
		if near.RemoteAddr().String() != address || near.LocalAddr().String() != far.RemoteAddr().String() {
			t.Errorf("%s to %s, and %s to %s", near.LocalAddr(), near.RemoteAddr(), far.LocalAddr(), far.RemoteAddr())
		}
		if _, err := near.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		near.CloseWrite()
		if text, err := io.ReadAll(far); err != nil || string(text) != "hello" {
			t.Errorf("%q, %v", text, err)
		}
	}
	if c, err := client.TryDial(net.Dialer{}, "10.78.0.2:9081"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("dial where nothing listens: %v, %v", c, err)
	}
}

// A socket belongs to the namespace, and has the family that was asked for.
func TestSocket(t *testing.T) {
	n := testnet.New(t)
	n.Command("ip", "address", "add", "10.78.1.1/32", "dev", "lo")
	fd := n.Socket(unix.AF_INET)
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 78, 1, 1}}); err != nil {
		t.Errorf("bind to an address of the namespace: %v", err)
	}
	six := n.Socket(unix.AF_INET6)
	defer unix.Close(six)
	if family, err := unix.GetsockoptInt(six, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || family != unix.AF_INET6 {
		t.Errorf("family %d, %v", family, err)
	}
}

// A command runs in the namespace: it sees that namespace's interfaces, and none of the machine's.
func TestCommand(t *testing.T) {
	n := testnet.New(t)
	list := filepath.Join(t.TempDir(), "interfaces")
	n.Command("sh", "-c", "ip -o link >"+list)
	text, err := os.ReadFile(list)
	if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), "lo: <LOOPBACK,UP") {
		t.Errorf("interfaces %q, %v", text, err)
	}
}
