//go:build linux

package conntrack

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// An IPv6 packet is followed by its own route too. While two ways lead to two namespaces, a socket can be bound to either.
func TestEgressIPv6(t *testing.T) {
	pod, node, other := testnet.New(t), testnet.New(t), testnet.New(t)
	testnet.Link(pod, node, "up0", "fd00:78::1/64", "fd00:78::2/64")
	testnet.Link(pod, other, "up1", "fd00:79::1/64", "fd00:79::2/64")
	packet := tuple("[fd00:78::1]:40000", "[fd00:96::10]:80")
	for _, step := range []struct {
		name    string
		command []string
		outer   uint32
		certain bool
	}{
		{"no route", nil, 0, true},
		{"the default route", []string{"-6", "route", "add", "default", "via", "fd00:78::2"}, node.Inode, true},
		{"a route elsewhere", []string{"-6", "route", "add", "fd00:96::/112", "via", "fd00:79::2"}, other.Inode, false},
		{"one way left", []string{"link", "set", "up0", "down"}, other.Inode, true},
	} {
		if step.command != nil {
			pod.Command("ip", step.command...)
		}
		x := openTables(t, SourceNone)
		if outer, certain := outerOf(t, x, pod, packet); outer != step.outer || certain != step.certain {
			t.Errorf("%s: %d, certain %v; want %d, %v", step.name, outer, certain, step.outer, step.certain)
		}
	}
}

// More routes than are kept make no answer wrong.
func TestRoutesAreBounded(t *testing.T) {
	pod, node, other := testnet.New(t), testnet.New(t), testnet.New(t)
	testnet.Link(pod, node, "up0", "10.78.1.1/24", "10.78.1.2/24")
	testnet.Link(pod, other, "up1", "10.79.1.1/24", "10.79.1.2/24")
	pod.Command("ip", "route", "add", "default", "via", "10.78.1.2")
	x := openTables(t, SourceNone)
	packet := tuple("10.78.1.1:40000", "198.51.100.1:443")
	want, _ := outerOf(t, x, pod, packet)
	_, i, err := x.interfaces(time.Now(), pod.Inode)
	if err != nil {
		t.Fatal(err)
	}
	for n := range maxRoutes {
		a := netip.AddrFrom4([4]byte{100, 64, byte(n >> 8), byte(n)})
		i.routes[routeKey{destination: a}] = 0
	}
	packet.Destination = netip.MustParseAddrPort("198.51.100.2:443")
	if outer, _ := outerOf(t, x, pod, packet); outer != want || outer != node.Inode {
		t.Errorf("%d, want %d", outer, node.Inode)
	}
	if len(i.routes) > maxRoutes {
		t.Errorf("%d routes are kept, want %d at most", len(i.routes), maxRoutes)
	}
}

// A kernel without nf_tables has no rules of it. Any other error leaves open whether there are rules.
func TestWithoutTables(t *testing.T) {
	for err, want := range map[error]bool{
		unix.EINVAL: true, unix.EOPNOTSUPP: true, unix.EPERM: false, os.ErrDeadlineExceeded: false, errors.New("other"): false,
	} {
		if got := withoutTables(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
