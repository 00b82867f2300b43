package kubernetes

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// Two pods may listen on one port of their node's network. Then the answer is the node.
func TestHostPortOfTwoPods(t *testing.T) {
	s := storeOf(Config{})
	a := netip.MustParseAddr("192.0.2.2")
	s.putNode(&node{key: key{name: "node-2"}, addresses: []netip.Addr{a}}, start)
	for _, name := range []string{"one", "two"} {
		p := podAt(name, 0, 0)
		p.node, p.hostPorts = "node-2", []exposed{{9100, 0}}
		s.putPod(p, start)
	}
	if got, _ := s.Address(conn.Query{Address: a, Port: 9100, At: after(1), Now: after(time.Hour)}); got[names.PeerType] != names.TypeNode {
		t.Errorf("got %+v", got)
	}
}

// At a port of the node it is the container that has the port, and not one that has the number within the pod; a proxy
// in front of it may take it.
func TestContainerAtHostPort(t *testing.T) {
	p := podAt("web", 0, 0, shared)
	p.node, p.hostPorts = "node-2", []exposed{{8080, 1}, {9090, -1}}
	p.containers = []container{{name: "a", ports: []port{8080}, runs: true}, {name: "b", ports: []port{80}, runs: true}}
	s := storeOf(Config{})
	s.putNode(&node{key: key{name: "node-2"}, addresses: []netip.Addr{node2}}, start)
	want := func(port uint16, pod, container string) {
		t.Helper()
		got, _ := s.Address(conn.Query{Address: node2, Port: port, At: after(1), Now: after(time.Hour)})
		if got[names.PeerPod] != pod || got[names.PeerContainerName] != container {
			t.Errorf("port %d: %+v", port, got)
		}
	}
	s.putPod(p, start)
	want(8080, "web", "b")
	want(9090, "web", "")
	want(80, "", "")
	meshed := *p
	meshed.meshed = true
	s.putPod(&meshed, start)
	want(8080, "web", "")
}

// The container that a pod's address reaches is named only if no other one can be meant.
func TestContainerReached(t *testing.T) {
	for _, c := range []struct {
		what string
		pod  pod
		want string
	}{
		{"the only one", pod{containers: []container{{name: "app", runs: true}}}, "app"},
		{"the only one that runs", pod{containers: []container{{name: "app", runs: true}, {name: "init"}}}, "app"},
		{"by port", pod{containers: []container{{name: "a", runs: true, ports: []port{80}}, {name: "b", runs: true}}}, "a"},
		{"two with the port", pod{containers: []container{
			{name: "a", runs: true, ports: []port{80}}, {name: "b", runs: true, ports: []port{80}}}}, ""},
		{"none with the port", pod{containers: []container{{name: "a", runs: true}, {name: "b", runs: true}}}, ""},
		{"behind a sidecar", pod{meshed: true, containers: []container{{name: "a", runs: true, ports: []port{80}}, {name: "p", runs: true}}}, ""},
	} {
		got := ""
		if found := c.pod.reached(80); found != nil {
			got = found.name
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// Before a pod was on its node, it did not listen on a port of the node.
func TestHostPortBeforeThePod(t *testing.T) {
	s := storeOf(Config{})
	s.putNode(&node{key: key{name: "node-2"}, addresses: []netip.Addr{node2}}, start)
	p := hostPod("exporter", "node-2", 9100)
	p.began = after(time.Minute)
	s.putPod(p, after(time.Minute))
	for at, want := range map[time.Duration]string{time.Minute: "exporter", time.Minute - 1: ""} {
		if got, _ := s.Address(conn.Query{Address: node2, Port: 9100, At: after(at), Now: after(time.Hour)}); got[names.PeerPod] != want {
			t.Errorf("at %v: %q, want %q", at, got[names.PeerPod], want)
		}
	}
}
