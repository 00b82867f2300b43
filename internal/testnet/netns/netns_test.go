//go:build linux

package netns_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/thread"
)

func newNamespace(t *testing.T) *netns.Namespace {
	t.Helper()
	n, err := netns.New()
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func TestNamespacesAreApart(t *testing.T) {
	a, b := newNamespace(t), newNamespace(t)
	ids := make(map[string]bool)
	note := func() error {
		id, err := os.Readlink("/proc/thread-self/ns/net")
		ids[id] = true
		return err
	}
	for range 2 {
		for _, in := range []func(func() error) error{thread.Run, a.Do, b.Do} {
			if err := in(note); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(ids) != 3 {
		t.Errorf("got %v, want this machine's and two more", ids)
	}
}

func TestCommandSaysWhy(t *testing.T) {
	n := newNamespace(t)
	err := n.Command("ip", "link", "set", "nobody", "up")
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v", err)
	}
	if err := n.Sysctl("net.ipv4.nonsense", "1"); err == nil {
		t.Error("what is no variable was set")
	}
}

// A namespace has a loopback interface that is up, and nothing else.
func TestNew(t *testing.T) {
	out, err := newNamespace(t).Output("ip", "-o", "link")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(out, "\n") != 1 || !strings.Contains(out, "lo: <LOOPBACK,UP,LOWER_UP>") {
		t.Errorf("its interfaces are\n%s", out)
	}
}

// The inode is what /proc shows of a thread in the namespace, and of a process that has only the handle.
func TestInode(t *testing.T) {
	n := newNamespace(t)
	want := fmt.Sprintf("net:[%d]", n.Inode)
	var inside string
	err := n.Do(func() (err error) {
		inside, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	if err != nil || inside != want {
		t.Errorf("a thread is in %s, %v; want %s", inside, err, want)
	}
	c := exec.Command("readlink", "/proc/self/fd/3")
	c.ExtraFiles = []*os.File{n.File()}
	if out, err := c.Output(); err != nil || string(out) != want+"\n" {
		t.Errorf("a process has %q, %v; want %s", out, err, want)
	}
}

func TestFeedAndOutput(t *testing.T) {
	n := newNamespace(t)
	if err := n.Feed("address add 10.1.2.3/32 dev lo\n", "ip", "-batch", "-"); err != nil {
		t.Fatal(err)
	}
	if out, err := n.Output("ip", "-o", "address"); err != nil || !strings.Contains(out, "10.1.2.3/32") {
		t.Errorf("%v; the addresses are\n%s", err, out)
	}
	if _, err := n.Output("ip", "nonsense"); err == nil || !strings.Contains(err.Error(), "run ip nonsense: ") {
		t.Errorf("got %v", err)
	}
}

func TestSysctl(t *testing.T) {
	n := newNamespace(t)
	if err := n.Sysctl("net.ipv4.ip_forward", "1"); err != nil {
		t.Fatal(err)
	}
	if out, err := n.Output("cat", netns.SysctlPath("net.ipv4.ip_forward")); err != nil || out != "1\n" {
		t.Errorf("it is %q, %v", out, err)
	}
	if err := n.Sysctl("net.ipv4.nonsense", "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a variable that does not exist: %v", err)
	}
}

// Both ends of a link are up and have their addresses at once; a namespace may be linked with itself.
func TestLink(t *testing.T) {
	a, b := newNamespace(t), newNamespace(t)
	end := func(in *netns.Namespace, name string, addresses ...string) netns.End {
		e := netns.End{In: in, Interface: name}
		for _, address := range addresses {
			e.Addresses = append(e.Addresses, netip.MustParsePrefix(address))
		}
		return e
	}
	if err := netns.Link(end(a, "one", "10.1.0.1/24", "fd00::1/64"), end(b, "two", "10.1.0.2/24", "fd00::2/64")); err != nil {
		t.Fatal(err)
	}
	if err := netns.Link(end(a, "three"), end(a, "four")); err != nil {
		t.Errorf("a link with itself: %v", err)
	}
	for _, address := range []string{"10.1.0.2:9080", "[fd00::2]:9080"} {
		var l net.Listener
		if err := b.Do(func() (err error) { l, err = net.Listen("tcp", address); return err }); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err := a.Do(func() error {
			c, err := net.Dial("tcp", address)
			if err == nil {
				c.Close()
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := netns.Link(end(a, "one"), end(b, "five")); err == nil || !strings.Contains(err.Error(), "File exists") {
		t.Errorf("an interface that exists: %v", err)
	}
}

// A handle may be closed twice; the namespace cannot be entered any more.
func TestClose(t *testing.T) {
	n := newNamespace(t)
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := n.Do(func() error { return nil }); err == nil {
		t.Error("a closed namespace was entered")
	}
}
