//go:build linux

package mesh_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A cluster is two nodes with a pod each, and a machine outside.
type cluster struct {
	t       *testing.T
	node    [2]*mesh.Node
	pod     [2]*mesh.Pod
	outside *mesh.Node
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	m := newMesh(t)
	c := &cluster{t: t}
	for i := range c.node {
		c.node[i] = must(m.Node(fmt.Sprint("node", i+1), i+1, fmt.Sprint("172.18.0.", i+3)))(t)
		c.pod[i] = must(c.node[i].Pod(fmt.Sprint("pod", i+1), 11))(t)
	}
	c.outside = must(m.Outside("outside", "172.18.0.1"))(t)
	return c
}

// serve listens in a namespace, and tells each client its name and the client's address.
func (c *cluster) serve(n *netns.Namespace, name string, port uint16) {
	c.t.Helper()
	var l net.Listener
	err := n.Do(func() (err error) { l, err = net.Listen("tcp", fmt.Sprint(":", port)); return err })
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, name, netip.MustParseAddrPort(conn.RemoteAddr().String()).Addr().Unmap())
			conn.Close()
		}
	}()
}

// dial returns what a server says.
func (c *cluster) dial(from *netns.Namespace, to netip.AddrPort) (said string) {
	c.t.Helper()
	err := from.Do(func() error {
		conn, err := net.Dial("tcp", to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		said, err = bufio.NewReader(conn).ReadString('\n')
		return err
	})
	if err != nil {
		c.t.Fatalf("dial %s: %v", to, err)
	}
	return strings.TrimSpace(said)
}

// Pods and nodes reach each other by their own addresses; only what leaves the cluster is masqueraded.
func TestNetwork(t *testing.T) {
	c := newCluster(t)
	c.serve(c.pod[1].Namespace, "pod2", 9080)
	c.serve(c.outside.Namespace, "outside", 9080)
	got := map[string]string{
		"pod to pod":           c.dial(c.pod[0].Namespace, netip.AddrPortFrom(c.pod[1].Addr4, 9080)),
		"pod to pod, IPv6":     c.dial(c.pod[0].Namespace, netip.AddrPortFrom(c.pod[1].Addr6, 9080)),
		"own node to pod":      c.dial(c.node[1].Namespace, netip.AddrPortFrom(c.pod[1].Addr4, 9080)),
		"pod to outside":       c.dial(c.pod[0].Namespace, netip.AddrPortFrom(c.outside.Addr4, 9080)),
		"pod to outside, IPv6": c.dial(c.pod[0].Namespace, netip.AddrPortFrom(c.outside.Addr6, 9080)),
		"node to outside":      c.dial(c.node[0].Namespace, netip.AddrPortFrom(c.outside.Addr4, 9080)),
	}
	want := map[string]string{
		"pod to pod": "pod2 10.244.1.11", "pod to pod, IPv6": "pod2 fd00:10:244:1::b", "own node to pod": "pod2 10.244.2.1",
		"pod to outside": "outside 172.18.0.3", "pod to outside, IPv6": "outside fd00:172:18::3", "node to outside": "outside 172.18.0.3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("which server answers each client (-want +got):\n%s", diff)
	}
}

// A service answers in turn at its address, to pods, to nodes, to its own endpoint, and at every node's port.
func TestServe(t *testing.T) {
	c := newCluster(t)
	vip, vip6 := netip.MustParseAddrPort("10.96.1.3:80"), netip.MustParseAddrPort("[fd00:10:96::3]:80")
	for i, name := range []string{"a", "b"} {
		c.serve(c.pod[1].Namespace, name, uint16(9080+i))
	}
	endpoints := func(a netip.Addr) []netip.AddrPort {
		return []netip.AddrPort{netip.AddrPortFrom(a, 9080), netip.AddrPortFrom(a, 9081)}
	}
	for _, n := range c.node {
		err := n.Serve(
			mesh.Service{Address: vip, Endpoints: endpoints(c.pod[1].Addr4), NodePort: 30080},
			mesh.Service{Address: vip6, Endpoints: endpoints(c.pod[1].Addr6)[:1]},
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	turn := map[string]bool{}
	for range 2 {
		turn[c.dial(c.pod[0].Namespace, vip)] = true
	}
	if diff := cmp.Diff(map[string]bool{"a 10.244.1.11": true, "b 10.244.1.11": true}, turn); diff != "" {
		t.Errorf("a pod's connections, in turn (-want +got):\n%s", diff)
	}
	// A real node has a default route, without which the kernel does not get as far as its rules.
	if err := c.node[0].Command("ip", "route", "add", mesh.ServiceNetwork4, "dev", "eth0"); err != nil {
		t.Fatal(err)
	}
	second := func(said string) string { _, address, _ := strings.Cut(said, " "); return address }
	got := map[string]string{
		"IPv6":                   c.dial(c.pod[0].Namespace, vip6),
		"a node":                 second(c.dial(c.node[0].Namespace, vip)),
		"the endpoint itself":    second(c.dial(c.pod[1].Namespace, vip)),
		"port of the first node": second(c.dial(c.outside.Namespace, netip.AddrPortFrom(c.node[0].Addr4, 30080))),
		"port of the second":     second(c.dial(c.outside.Namespace, netip.AddrPortFrom(c.node[1].Addr4, 30080))),
	}
	want := map[string]string{
		"IPv6": "a fd00:10:244:1::b", "a node": "172.18.0.3", "the endpoint itself": "10.244.2.1",
		"port of the first node": "172.18.0.3", "port of the second": "10.244.2.1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the client's address at the endpoint (-want +got):\n%s", diff)
	}
}

// Probes are allowed for the pods that are named.
func TestAllowProbes(t *testing.T) {
	c := newCluster(t)
	if err := c.node[0].AllowProbes(c.pod[0]); err != nil {
		t.Fatal(err)
	}
	for set, address := range map[string]string{"istio-inpod-probes-v4": "10.244.1.11", "istio-inpod-probes-v6": "fd00:10:244:1::b"} {
		out := must(c.node[0].Output("ipset", "list", set))(t)
		if !strings.Contains(out, address) || !strings.Contains(out, "Number of entries: 1\n") {
			t.Errorf("%s is\n%s, want %s alone", set, out, address)
		}
	}
}

// A node that cannot be attached is an error with its name.
func TestNodeFails(t *testing.T) {
	m := newMesh(t)
	if _, err := m.Node("node1", 1, "nowhere"); err == nil || !strings.Contains(err.Error(), "attach node1: ") {
		t.Errorf("an address that is none: %v", err)
	}
}
