//go:build linux

package program

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// ownNamespace returns a descriptor of this process's network namespace.
func ownNamespace(t *testing.T) int {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, fmt.Errorf("to enter a namespace needs root"))
	}
	f, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

// Two ztunnels carry a connection to the endpoint of a service. The application sees the client's own address.
func TestTunnel(t *testing.T) {
	fd := ownNamespace(t)
	backend, at := listenOn(t, "127.88.0.2:0")
	tell(backend)
	outbound, vip := listenOn(t, "127.88.0.1:0")
	tunnel, _ := listenOn(t, fmt.Sprint("127.88.0.2:", TunnelPort))
	near := tunneller{Ztunnel{Endpoints: map[string][]netip.AddrPort{vip.String(): {at}}}, newCounter()}
	far := tunneller{Ztunnel{}, newCounter()}
	go acceptEach(outbound, func(c *net.TCPConn) { near.outbound(fd, c) })
	go acceptEach(tunnel, func(c *net.TCPConn) { far.tunnelled(fd, c) })
	said, err := ask(t, vip)
	if err != nil || said != "127.0.0.1" {
		t.Errorf("the application saw %q, %v", said, err)
	}
	line := int64(len(at.String()) + 1) // which the tunnel begins with
	answer := int64(len("127.0.0.1\n"))
	nearLegs, farLegs := near.count.legs(), far.count.legs()
	got := [][2]int64{
		{nearLegs[0].Received, nearLegs[0].Sent}, {nearLegs[1].Sent, nearLegs[1].Received},
		{farLegs[0].Received, farLegs[0].Sent}, {farLegs[1].Sent, farLegs[1].Received},
	}
	want := [][2]int64{{0, answer}, {line, answer}, {line, answer}, {0, answer}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bytes there and back, hop by hop (-want +got):\n%s", diff)
	}
}

// What comes from outside the mesh is passed on as it is; what does not begin with an address is closed.
func TestPlain(t *testing.T) {
	fd := ownNamespace(t)
	listener, local := listenOn(t, "127.88.0.3:0")
	z := tunneller{Ztunnel{}, newCounter()}
	go acceptEach(listener, func(c *net.TCPConn) { z.tunnelled(fd, c) })
	for _, text := range []string{"no address\n", "", strings.Repeat("x", 100)} {
		c, err := net.Dial("tcp", local.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, text)
		_ = c.(*net.TCPConn).CloseWrite()
		if said, _ := io.ReadAll(c); len(said) > 0 {
			t.Errorf("%q is answered with %q", text, said)
		}
		c.Close()
	}
	for _, leg := range z.count.legs() {
		if !leg.Accepted || leg.Open != 0 {
			t.Errorf("left: %+v", leg)
		}
	}
}

// A function runs in the namespace that it is given, and no other thread does.
func TestWithin(t *testing.T) {
	n, err := netns.New()
	if err != nil {
		testnet.Require(t, err)
	}
	defer n.Close()
	var inside string
	err = within(int(n.File().Fd()), func() (err error) {
		inside, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	outside, _ := os.Readlink("/proc/thread-self/ns/net")
	if want := fmt.Sprintf("net:[%d]", n.Inode); err != nil || inside != want || outside == want {
		t.Errorf("inside %s, outside %s, %v; want %s inside", inside, outside, err, want)
	}
	if err := within(-1, func() error { return nil }); err == nil || !strings.Contains(err.Error(), "setns") {
		t.Errorf("no namespace: %v", err)
	}
}

// A ztunnel whose namespace cannot be entered does not start.
func TestZtunnelFails(t *testing.T) {
	if err := (Ztunnel{Namespaces: []int{-1}}).start(newCounter()); err == nil || !strings.Contains(err.Error(), "listen as a ztunnel: ") {
		t.Errorf("got %v", err)
	}
}
