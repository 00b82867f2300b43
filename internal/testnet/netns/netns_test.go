//go:build linux

package netns_test

import (
	"os"
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
