//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// The mesh as the API server knows it: the bytes between workloads, as the client's side and the server's report them, with
// the container and the version at both ends; services by their names; zones; and the same identity on metrics, events,
// traces and logs.
func TestClusterMesh(t *testing.T) {
	rules := rulesNamed(t, "sidecar-redirect.nft")
	s := newKnownMesh(t, bookinfo.Options{Rules: &rules})
	sink := newSignals(t)
	a := runAgent(t, s.KubeConfig("agent", s.Admin), sink)
	sink.await(t)
	if err := s.mesh.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return s.mesh.Balanced() == nil })

	want := s.edges(t)
	for _, role := range []string{"client", "server"} {
		diff := ""
		if !poll(func() bool { diff = cmp.Diff(want, reportedEdges(sink, role)); return diff == "" }) {
			t.Errorf("reported by the %ss (-counted +reported):\n%s", role, diff)
		}
	}
	t.Run("services", func(t *testing.T) { wantServices(t, sink) })
	t.Run("zones", func(t *testing.T) { wantZones(t, sink, want) })
	t.Run("outside", func(t *testing.T) { wantOutside(t, sink, s.mesh.Client().Name) })
	t.Run("elsewhere", func(t *testing.T) { s.wantElsewhere(t, sink) })
	t.Run("identity", func(t *testing.T) { s.wantIdentity(t, a, sink) })
}

// reportedEdges returns the bytes that one side reports: client -> server, there and back.
func reportedEdges(s *signals, role string) map[string][2]int64 {
	all := make(map[string][2]int64)
	for _, n := range s.now("netconn.io") {
		own, peer := ownEnd(n.resource), peerEnd(n.point)
		if n.point["netconn.role"] != role || n.resource["k8s.namespace.name"] != space && n.point["netconn.peer.k8s.namespace.name"] != space {
			continue
		}
		there := n.point["network.io.direction"] == "transmit"
		k := own + " -> " + peer
		if role == "server" {
			k, there = peer+" -> "+own, !there
		}
		bytes := all[k]
		if there {
			bytes[0] += n.value
		} else {
			bytes[1] += n.value
		}
		all[k] = bytes
	}
	return all
}

// ownEnd names an end by what the stock processor added to its resource.
func ownEnd(v values) string {
	if v["k8s.pod.name"] == "" {
		return "host/" + v["process.executable.name"]
	}
	name := v["k8s.deployment.name"] + "/" + v["k8s.container.name"] + ":" + v["container.image.tag"]
	switch {
	case v["k8s.container.name"] == "istio-proxy":
		name += " (sidecar)"
	case v["k8s.deployment.name"] == "front":
		name += " (gateway)"
	}
	return name
}

// peerEnd names an end by what netconn says of it.
func peerEnd(v values) string {
	if v["netconn.peer.type"] == "host" {
		return "host/" + v["netconn.peer.name"]
	}
	name := v["netconn.peer.name"] + "/" + v["netconn.peer.container.name"] + ":" + v["netconn.peer.container.image.tag"]
	if p := v["netconn.peer.proxy"]; p != "" {
		name += " (" + p + ")"
	}
	return name
}

// wantServices has an application ask for services by their names, and its sidecar for none.
func wantServices(t *testing.T, s *signals) {
	t.Helper()
	got := s.sum("netconn.attempts", func(n number) string {
		if n.point["netconn.role"] != "client" || n.resource["k8s.container.name"] == "istio-proxy" || n.resource["k8s.namespace.name"] != space {
			return ""
		}
		return n.resource["k8s.deployment.name"] + " asks for " + n.point["netconn.original_destination.name"] + ":" +
			n.point["netconn.original_destination.port"] + " " + n.point["netconn.nat"]
	})
	want := map[string]int64{
		"front asks for private:9080 redirect":                requests, // it knows where the pods are, and meets a sidecar
		"productpage asks for details.bookinfo:9080 redirect": requests,
		"productpage asks for reviews.bookinfo:9080 redirect": requests,
		"reviews asks for ratings.bookinfo:9080 redirect":     requests,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// wantZones compares what crosses zones with the edges: of node1's pods, as it is node1's agent.
func wantZones(t *testing.T, s *signals, edges map[string][2]int64) {
	t.Helper()
	got := s.sum("netconn.zone.io", func(n number) string {
		if n.resource["k8s.deployment.name"] != "productpage" || n.point["netconn.role"] != "client" || n.point["network.io.direction"] != "transmit" {
			return ""
		}
		return n.resource["cloud.availability_zone"] + " -> " + n.point["netconn.peer.zone"] + " " + n.point["netconn.peer.region"]
	})
	const proxy = "/istio-proxy:1.29.0 (sidecar)"
	own := edges["productpage/productpage:1.20 -> productpage"+proxy][0] + edges["productpage"+proxy+" -> productpage/productpage:1.20"][0]
	crossed := edges["productpage"+proxy+" -> details"+proxy][0]
	reviews := edges["productpage"+proxy+" -> reviews"+proxy][0] // of both zones
	if diff := cmp.Diff(own+crossed+reviews, got["zone-a -> zone-a east"]+got["zone-a -> zone-b east"]); diff != "" {
		t.Errorf("all zones (-want +got):\n%s", diff)
	}
	if len(got) != 2 || got["zone-a -> zone-b east"] <= crossed || got["zone-a -> zone-a east"] <= own {
		t.Errorf("got %v; want more than %d across, for details, and more than %d within", got, crossed, own)
	}
}

// wantOutside has the client that came through the node's port.
func wantOutside(t *testing.T, s *signals, client string) {
	t.Helper()
	got := s.sum("netconn.attempts", func(n number) string {
		if n.point["netconn.role"] != "server" || n.resource["k8s.deployment.name"] != "front" {
			return ""
		}
		return fmt.Sprintf("%s, %s, asked for %s:%s, %s", n.point["netconn.peer.type"], n.point["netconn.peer.name"],
			n.point["netconn.original_destination.name"], n.point["netconn.original_destination.port"], n.point["netconn.nat"])
	})
	want := map[string]int64{"host, " + client + ", asked for front.bookinfo:30080, dnat+snat": requests}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// wantElsewhere has the gateway ask a pod that the API knows and this machine does not: it is identified by its address.
func (s *knownMesh) wantElsewhere(t *testing.T, sink *signals) {
	t.Helper()
	s.Pod(`
metadata: {name: cart-0, namespace: bookinfo, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: cart, uid: "0", controller: true}]}
spec: {nodeName: node2, containers: [{name: cart, image: "example.com/cart:v7"}]}
status: {phase: Running, startTime: "2026-01-01T00:00:00Z", podIP: 10.244.2.77}`)
	err := s.mesh.Find("gateway", bookinfo.Gateway).Ask(program.Ask{URL: "http://10.244.2.77:8080/", Times: 1})
	if err == nil {
		t.Fatal("the server answered")
	}
	want := map[string]int64{"pod remote cart/cart:v7 cart host_unreachable": 1}
	got := map[string]int64{}
	if !poll(func() bool {
		got = sink.sum("netconn.attempts", func(n number) string {
			p := n.point
			if n.resource["k8s.deployment.name"] != "front" || p["error.type"] == "" {
				return ""
			}
			return strings.Join([]string{p["netconn.peer.type"], p["netconn.peer.scope"], peerEnd(p), p["service.peer.name"], p["error.type"]}, " ")
		})
		return cmp.Equal(want, got)
	}) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
}

// identity is what makes traces, logs and metrics one.
var identity = []string{
	"k8s.pod.uid", "k8s.pod.name", "k8s.namespace.name", "k8s.deployment.name", "k8s.container.name", "service.name", "service.namespace",
	"container.image.tag",
}

func identityOf(v values) values {
	id := make(values)
	for _, key := range identity {
		if v[key] != "" {
			id[key] = v[key]
		}
	}
	return id
}

// wantIdentity sends a span and a log record of an application with what it knows of itself, and finds them with the
// identity that netconn's metrics and events of it have. What netconn says of it as a peer is its service.name, too.
func (s *knownMesh) wantIdentity(t *testing.T, a *agent, sink *signals) {
	t.Helper()
	app := s.mesh.Find("details", bookinfo.Details)
	uid := string(s.pods["details"].UID)
	sendSpan(t, a.otlp, map[string]any{"k8s.pod.uid": uid, "k8s.container.name": "details"}) // by the downward API
	sendLog(t, a.otlp, map[string]any{"container.id": app.ID})                               // as in the path of its file
	want := values{
		"k8s.pod.uid": uid, "k8s.pod.name": "details-8eb-x1", "k8s.namespace.name": space, "k8s.deployment.name": "details",
		"k8s.container.name": "details", "service.name": "book-details", "service.namespace": space,
		"container.image.tag": "1.20",
	}
	got := func() map[string]values {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		all := make(map[string]values)
		for _, v := range sink.traces {
			all["span"] = identityOf(v)
		}
		for _, v := range sink.logs {
			all["log"] = identityOf(v)
		}
		for _, v := range sink.events {
			if v["container.id"] == app.ID {
				all["event"] = identityOf(v)
			}
		}
		for _, n := range sink.numbers["netconn.io"] {
			if n.resource["container.id"] == app.ID && n.at.Equal(sink.latest) {
				all["metric"] = identityOf(n.resource)
			}
		}
		return all
	}
	metric := maps.Clone(want)
	delete(metric, "k8s.pod.uid") // the container says it, and labels of a backend are few
	all := map[string]values{"span": want, "log": want, "event": want, "metric": metric}
	diff := ""
	if !poll(func() bool { diff = cmp.Diff(all, got()); return diff == "" }) {
		t.Errorf("(-want +got):\n%s", diff)
	}
	peers := sink.sum("netconn.io", func(n number) string {
		if n.point["netconn.peer.name"] != "details" {
			return ""
		}
		return n.point["service.peer.name"]
	})
	if len(peers) != 1 || peers["book-details"] == 0 {
		t.Errorf("as a peer it is %v", peers)
	}
}
