//go:build linux

package kubernetes

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// whoIs asks for the pod at the shared address, for a connection that began a while ago.
func whoIs(k *Cluster) (conn.Peer, conn.Answer) {
	now := time.Now()
	return k.Address(conn.Query{Address: shared, Port: 80, At: now.Add(-time.Second), Now: now.Add(time.Hour)})
}

// A pod of another node is requested by name, once, and so is its node. Then it is known as if it were watched.
func TestFetch(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	k := s.join(t, Config{Scope: ScopeNode, Node: "node-1"})
	if p, a := whoIs(k); a != conn.Provisional || p[names.PeerName] != "web" || p[names.PeerWorkload] != "" {
		t.Errorf("before it is known: %v, %v", a, p)
	}
	want := conn.Peer{
		names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "front",
		names.PeerNamespace: "shop", names.PeerWorkload: "front", names.PeerWorkloadKind: "StatefulSet",
		names.PeerPod: "web", names.PeerNode: "node-2", names.PeerZone: "zone-b", names.PeerService: "front",
		names.PeerServiceNamespace: "shop", names.PeerContainerName: "app", names.PeerImageTag: "1",
	}
	var got conn.Peer
	until(t, "the pod and its node", func() bool { got, _ = whoIs(k); return got[names.PeerZone] != "" })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 10 {
		whoIs(k)
	}
	if pods, nodes := s.asked("pods/web"), s.asked("nodes/node-2"); pods != 1 || nodes != 1 {
		t.Errorf("requested %d and %d times, want once", pods, nodes)
	}
	if stats := k.Stats(); stats.Fetches != 2 || stats.FetchFailures != 0 || len(k.Faults()) != 0 {
		t.Errorf("%+v, faults %v", stats, k.Faults())
	}
	if zone, region, _ := k.Here(); zone != "zone-a" || region != "east" {
		t.Errorf("here is %s in %s", zone, region)
	}
}

// A pod that the API does not have is an answer, not a fault. It is not requested again within fetchPause.
func TestFetchOfNothing(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	delete(s.objects, "pods/web")
	k := s.join(t, Config{Scope: ScopeNode, Node: "node-1"})
	whoIs(k)
	until(t, "a request", func() bool { return k.Stats().Fetches == 1 })
	for range 10 {
		whoIs(k)
	}
	k.fetches.expire(time.Now().Add(fetchPause - time.Second))
	whoIs(k)
	if n := s.asked("pods/web"); n != 1 || k.Stats().FetchFailures != 0 || len(k.Faults()) != 0 {
		t.Errorf("%d requests, %+v, faults %v", n, k.Stats(), k.Faults())
	}
	s.set(s.elsewhere)
	until(t, "it to be requested again", func() bool {
		k.fetches.expire(time.Now().Add(fetchPause + time.Second))
		p, _ := whoIs(k)
		return p[names.PeerWorkload] == "front"
	})
}

// Another pod of the same name is not the one that the slice has.
func TestFetchOfAnotherPod(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	s.objects["pods/web"] = strings.ReplaceAll(s.objects["pods/web"], "uid-web", "uid-other")
	k := s.join(t, Config{Scope: ScopeNode, Node: "node-1"})
	whoIs(k)
	until(t, "a request", func() bool { return k.Stats().Fetches == 1 })
	if p, a := whoIs(k); p[names.PeerWorkload] != "" || a != conn.Provisional || s.asked("nodes/node-2") != 0 {
		t.Errorf("%v, %v, %d requests for its node", p, a, s.asked("nodes/node-2"))
	}
}

// A right that is missing is a fault until a request is answered. The pod keeps the name of its service.
func TestFetchIsForbidden(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	s.refusal = http.StatusForbidden
	k := s.join(t, Config{Scope: ScopeNode, Node: "node-1"})
	whoIs(k)
	until(t, "a fault", func() bool { return len(k.Faults()) == 1 })
	fault := k.Faults()[0]
	const costs = "get pods and nodes by name in the Kubernetes API (without: pods of other nodes have no workload): "
	if fault.About != "objects" || !strings.HasPrefix(fault.Err.Error(), costs) || k.Stats().FetchFailures != 1 {
		t.Errorf("%s: %v, %+v", fault.About, fault.Err, k.Stats())
	}
	if p, _ := whoIs(k); p[names.PeerName] != "web" {
		t.Errorf("without the pod: %v", p)
	}
	s.set(func() { s.refusal = 0 })
	until(t, "no fault", func() bool {
		k.fetches.expire(time.Now().Add(fetchPause + time.Second))
		whoIs(k)
		return len(k.Faults()) == 0
	})
}

// A node that cannot be had costs the zone of the pod, not its name.
func TestFetchWithoutNode(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	delete(s.objects, "nodes/node-2")
	k := s.join(t, Config{Scope: ScopeNode, Node: "node-1"})
	var p conn.Peer
	until(t, "the pod", func() bool { p, _ = whoIs(k); return p[names.PeerWorkload] == "front" })
	until(t, "both requests", func() bool { return k.Stats().Fetches == 2 })
	if p[names.PeerZone] != "" || p[names.PeerNode] != "node-2" {
		t.Errorf("%v", p)
	}
}

// The queue is bounded. A pod that finds no room is requested by a later look-up.
func TestFetchQueueIsBounded(t *testing.T) {
	f := newFetches()
	name := func(i int) request { return request{uid: podName(i), key: key{"shop", podName(i)}} }
	for i := range maxRequests + 10 {
		f.request(name(i))
		f.request(name(i))
	}
	if len(f.queue) != maxRequests || len(f.requested) != maxRequests {
		t.Fatalf("%d queued, %d known, want %d", len(f.queue), len(f.requested), maxRequests)
	}
	first := <-f.queue
	f.request(name(maxRequests + 5))
	if len(f.queue) != maxRequests {
		t.Error("it is not requested when there is room")
	}
	f.expire(start.Add(time.Hour))
	if len(f.requested) != maxRequests+1 {
		t.Errorf("%d are known, want those in the queue and the one that is being requested", len(f.requested))
	}
	f.done(first.uid, start)
	f.expire(start.Add(fetchPause))
	if _, kept := f.requested[first.uid]; !kept {
		t.Error("it may be requested again too early")
	}
	f.expire(start.Add(fetchPause + 1))
	if _, kept := f.requested[first.uid]; kept {
		t.Error("it is never requested again")
	}
}

// With ScopeCluster nothing is requested by name.
func TestNothingIsFetchedInScopeCluster(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	k := s.join(t, Config{Scope: ScopeCluster, Node: "node-1"})
	whoIs(k)
	time.Sleep(50 * time.Millisecond)
	if stats := k.Stats(); stats.Fetches != 0 || s.asked("pods/web") != 0 {
		t.Errorf("%+v", stats)
	}
}
