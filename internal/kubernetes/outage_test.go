package kubernetes

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// While pods are not watched, an address may go to another pod. So earlier answers are not final, and later connections
// get no name. A container keeps its pod.
func TestSilence(t *testing.T) {
	s := storeOf(Config{})
	p := podAt("first", 0, time.Second, shared)
	p.containers = []container{{name: "app", ids: []string{"c1"}, runs: true}}
	s.putPod(p, after(2*time.Second))
	wantWho(t, s, 30*time.Second, time.Hour, "first", conn.Final)

	s.interrupted(kindPods, after(time.Minute))
	s.interrupted(kindPods, after(90*time.Second)) // the next attempt fails too
	wantWho(t, s, 30*time.Second, time.Hour, "first", conn.Provisional)
	wantWho(t, s, 61*time.Second, time.Hour, "", conn.Unknown)
	if got, a := s.Container("c1"); got[names.PeerPod] != "first" || a != conn.Final {
		t.Errorf("its container: %v, %+v", a, got)
	}

	s.resumed(kindPods, after(2*time.Minute)) // and it has yet to tell what happened
	wantWho(t, s, 30*time.Second, 2*time.Minute+patience, "first", conn.Provisional)
	wantWho(t, s, 61*time.Second, 2*time.Minute+patience, "", conn.Unknown)
	s.interrupted(kindPods, after(2*time.Minute+time.Second))
	wantWho(t, s, 61*time.Second, time.Hour, "", conn.Unknown)
	s.resumed(kindPods, after(3*time.Minute))
	wantWho(t, s, 61*time.Second, 3*time.Minute+patience+1, "first", conn.Final)

	s.interrupted(kindPods, after(10*time.Minute))
	wantWho(t, s, 9*time.Minute, time.Hour, "first", conn.Provisional)
	wantWho(t, s, 10*time.Minute+1, time.Hour, "", conn.Unknown)
	s.listed(kindPods)
	wantWho(t, s, 10*time.Minute+1, time.Hour, "first", conn.Final)
}

// Of a pod that a list has no more it is known that it had its address until the silence began, and not how long since:
// a third may have come and gone.
func TestEndInSilence(t *testing.T) {
	s := storeOf(Config{})
	s.putPod(podAt("first", 0, time.Second, shared), after(2*time.Second))
	s.interrupted(kindPods, after(time.Minute))
	last := podAt("last", 3*time.Minute, 3*time.Minute, shared)
	s.keepPods(map[key]bool{last.key: true}, after(4*time.Minute))
	s.putPod(last, after(4*time.Minute))
	s.listed(kindPods)
	wantWho(t, s, 59*time.Second, time.Hour, "first", conn.Final)
	wantWho(t, s, 2*time.Minute, time.Hour, "", conn.Unknown)
	wantWho(t, s, 3*time.Minute, time.Hour, "last", conn.Final)
}

// Nodes and services keep their names while pods are not watched. A pod that listens in its node's network may have been
// replaced.
func TestSilenceOfNodes(t *testing.T) {
	s := storeOf(Config{})
	a := netip.MustParseAddr("192.0.2.2")
	s.putNode(&node{key: key{name: "node-2"}, addresses: []netip.Addr{a}}, start)
	s.putPod(hostPod("exporter", "node-2", 9100), start)
	s.interrupted(kindPods, after(time.Minute))
	for _, c := range []struct {
		what   string
		port   uint16
		at     time.Duration
		want   string
		answer conn.Answer
	}{
		{"pod, before", 9100, 30 * time.Second, names.TypePod, conn.Provisional},
		{"pod, since", 9100, 2 * time.Minute, "", conn.Unknown},
		{"node", 22, 2 * time.Minute, names.TypeNode, conn.Provisional},
	} {
		got, answer := s.Address(conn.Query{Address: a, Port: c.port, At: after(c.at), Now: after(time.Hour)})
		if got[names.PeerType] != c.want || answer != c.answer {
			t.Errorf("%s: %v, %+v", c.what, answer, got)
		}
	}
}

// A pod of another node ends when no slice names it, so it is in doubt while slices are not watched, and only then.
func TestSilenceOfSlices(t *testing.T) {
	s := storeOf(Config{Scope: ScopeNode})
	p := podAt("first", 0, time.Second, shared)
	p.fetched = true
	s.putPod(p, after(2*time.Second))
	s.interrupted(kindPods, after(time.Minute))
	wantWho(t, s, 2*time.Minute, time.Hour, "first", conn.Final)
	s.interrupted(kindSlices, after(time.Minute))
	wantWho(t, s, 30*time.Second, time.Hour, "first", conn.Provisional)
	wantWho(t, s, 2*time.Minute, time.Hour, "", conn.Unknown)
}

// hostPod is a pod in the network of a node, with one container that declares a port.
func hostPod(name, node string, at port) *pod {
	p := podAt(name, 0, 0)
	p.node, p.hostPorts = node, []exposed{{at, 0}}
	p.containers = []container{{name: name, ports: []port{at}, runs: true}}
	return p
}
