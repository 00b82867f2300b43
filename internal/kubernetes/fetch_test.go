package kubernetes

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

var node2 = netip.MustParseAddr("192.0.2.2")

// sliceOf lists pods of node-2 at an address, for a service with a port.
func sliceOf(service string, at port, a netip.Addr, pods ...string) *slice {
	v := &slice{key: key{"shop", service + "-x"}, service: service, ports: []port{at}}
	for _, p := range pods {
		v.endpoints = append(v.endpoints, endpoint{address: a, pod: p, uid: "uid-" + p, node: "node-2"})
	}
	return v
}

// A slice has pods in the network of their node at the node's address: only at the port of the service it is the pod
// that is met. What else there may be is asked for.
func TestEndpointByPort(t *testing.T) {
	pod := func(name, service string) conn.Peer {
		return conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: service,
			names.PeerNamespace: "shop", names.PeerPod: name, names.PeerNode: "node-2",
		}
	}
	for _, c := range []struct {
		what   string
		slices []*slice
		port   uint16
		want   conn.Peer
		answer conn.Answer
		asked  int
	}{
		{"the service's port", []*slice{sliceOf("exporter", 9100, node2, "exporter")}, 9100, pod("exporter", "exporter"), conn.Provisional, 1},
		{"the kubelet", []*slice{sliceOf("exporter", 9100, node2, "exporter")}, 10250, conn.Peer{}, conn.Unknown, 1},
		{"a client", []*slice{sliceOf("exporter", 9100, node2, "exporter")}, 0, conn.Peer{}, conn.Unknown, 1},
		{"two pods of one node", []*slice{sliceOf("exporter", 9100, node2, "exporter"), sliceOf("proxy", 9100, node2, "proxy")},
			9100, conn.Peer{}, conn.Unknown, 2},
		{"a pod and what was entered by hand", []*slice{sliceOf("exporter", 9100, node2, "exporter"), byHand("kubelet")},
			9100, conn.Peer{}, conn.Unknown, 1},
		{"a pod behind two services", []*slice{sliceOf("web", 80, shared, "web"), sliceOf("metrics", 9100, shared, "web")},
			9100, pod("web", "metrics"), conn.Provisional, 1},
		{"a pod behind two services with one port", []*slice{sliceOf("web", 80, shared, "web"), sliceOf("canary", 80, shared, "web")},
			80, pod("web", ""), conn.Provisional, 1},
		{"two services by hand", []*slice{byHand("kubelet"), byHand("metrics")}, 9100, conn.Peer{names.PeerType: names.TypeService}, conn.Final, 0},
		{"a service by hand", []*slice{byHand("kubelet")}, 9100, conn.Peer{
			names.PeerType: names.TypeService, names.PeerName: "kubelet", names.PeerNamespace: "of-kubelet",
		}, conn.Final, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := storeOf(Config{Scope: ScopeNode, Node: "node-1"})
			for _, v := range c.slices {
				s.putSlice(v, start)
			}
			got, a := s.Address(conn.Query{Address: c.slices[0].endpoints[0].address, Port: c.port, At: after(time.Minute), Now: after(time.Hour)})
			if diff := cmp.Diff(c.want, got); diff != "" || a != c.answer {
				t.Errorf("%v (-want +got):\n%s", a, diff)
			}
			if n := len(s.fetches.queue); n != c.asked {
				t.Errorf("%d pods are asked for, want %d", n, c.asked)
			}
		})
	}
}

func byHand(service string) *slice {
	return &slice{key: key{"of-" + service, service + "-x"}, service: service, ports: []port{9100}, endpoints: []endpoint{{address: node2}}}
}

// A pod leaves its slice while its answer is on the way: nothing would ever tell of its end, so it is not kept.
func TestFetchedTooLate(t *testing.T) {
	s := storeOf(Config{Scope: ScopeNode, Node: "node-1"})
	v := sliceOf("web", 80, shared, "web")
	s.putSlice(v, start)
	s.Address(conn.Query{Address: shared, Port: 80, At: after(time.Second), Now: after(time.Hour)})
	r := <-s.fetches.queue
	s.dropSlice(v.key, after(time.Second))
	if s.putFetched(podAt("web", 0, 0, shared), r, after(2*time.Second)) {
		t.Error("it is kept")
	}
	s.expire(after(time.Hour))
	wantEmpty(t, s)

	s.putSlice(v, after(time.Hour))
	if !s.putFetched(podAt("web", 0, 0, shared), r, after(time.Hour)) ||
		s.pods.byUID.newest("uid-web") == nil || !s.pods.byUID.newest("uid-web").fetched {
		t.Error("a pod that a slice names is not kept")
	}
}

// A node that was asked for is known for as long as a pod or a slice names it, and at least for rememberFor.
func TestFetchedNodeExpires(t *testing.T) {
	s := storeOf(Config{Scope: ScopeNode, Node: "node-1"})
	v := sliceOf("web", 80, shared, "web")
	s.putSlice(v, start)
	s.putNode(&node{key: key{name: "node-1"}}, start) // watched
	s.putNode(&node{key: key{name: "node-2"}, addresses: []netip.Addr{node2}, fetched: start}, start)
	s.putNode(&node{key: key{name: "node-3"}, fetched: start}, start)
	s.putNode(&node{key: key{name: "node-4"}, fetched: start}, start)
	last := podAt("last", 0, 0)
	last.node = "node-4"
	s.putPod(last, start)
	want := func(now time.Duration, nodes ...string) {
		t.Helper()
		s.expire(after(now))
		got := make(map[string]bool)
		for k := range s.nodes.objects {
			got[k.name] = true
		}
		for _, name := range nodes {
			if !got[name] {
				t.Errorf("after %v: %s is forgotten", now, name)
			}
		}
		if len(got) != len(nodes) {
			t.Errorf("after %v: %v, want %v", now, got, nodes)
		}
	}
	want(rememberFor, "node-1", "node-2", "node-3", "node-4")
	want(rememberFor+1, "node-1", "node-2", "node-4")
	s.dropSlice(v.key, after(time.Hour))
	s.dropPod(last.key, after(time.Hour)) // and is known for a while yet
	want(time.Hour+1, "node-1", "node-4")
	want(time.Hour+rememberFor+1, "node-1")
	if len(s.nodes.byAddress.first) != 0 {
		t.Error("its address is still a node's")
	}
}
