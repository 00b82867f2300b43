package signals

import (
	"maps"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Ends have the signals of their pod. A service matches only where nothing that both know differs.
func TestWhoseItIs(t *testing.T) {
	sidecar := attributes{"container.id": "c-proxy", "k8s.pod.uid": "u-reviews", "k8s.container.name": "istio-proxy"}
	service := attributes{"service.name": "reviews"}
	for name, c := range map[string]struct {
		from, end attributes
		want      int
	}{
		"itself":                     {reviews, reviews, 1},
		"the sidecar of the pod":     {reviews, sidecar, 1},
		"another pod of the service": {reviews, attributes{"service.name": "reviews", "k8s.pod.uid": "u-2"}, 0},
		"the service alone":          {reviews, service, 1},
		"a service without a pod":    {service, reviews, 1},
		"a namesake elsewhere": {attributes{"service.name": "reviews", "k8s.namespace.name": "a"},
			attributes{"service.name": "reviews", "k8s.namespace.name": "b"}, 0},
		"a process of the host": {attributes{"host.id": "h", "process.executable.name": "nginx"},
			attributes{"host.id": "h", "process.executable.name": "nginx"}, 1},
		"a process of another host": {attributes{"host.id": "i", "process.executable.name": "nginx"},
			attributes{"host.id": "h", "process.executable.name": "nginx"}, 0},
		"a process of an unknown host": {attributes{"process.executable.name": "nginx"},
			attributes{"host.id": "h", "process.executable.name": "nginx"}, 0},
	} {
		r := newRig(t, 0)
		r.spans(c.from, call{at: noon})
		if got := r.server(c.end); got.Sources != c.want {
			t.Errorf("%s: %d sources, want %d", name, got.Sources, c.want)
		}
	}
}

// A peer is reported by the ID of its container, without that of its pod. Its container leads to the pod, so that the
// connection of a sidecar has the spans of the application.
func TestPodOfAPeerWithoutItsID(t *testing.T) {
	r := newRig(t, 0)
	r.gauges(attributes{"container.id": "c-proxy", "k8s.pod.uid": "u-reviews", "k8s.container.name": "istio-proxy"}, noon,
		map[string]float64{"container.cpu.usage": .1})
	r.spans(reviews, call{at: noon})
	r.spans(attributes{"container.id": "c-other", "k8s.pod.uid": "u-other"}, call{at: noon})
	s := r.server(attributes{"container.id": "c-proxy"})
	if s.Sources != 2 || s.Served.N != 1 || len(s.Usage) != 1 || s.Usage[0].By != byContainer {
		t.Errorf("%d sources, %d spans, usage %+v", s.Sources, s.Served.N, s.Usage)
	}
}

// A source that is found in several ways is counted once, and described by the most exact of them.
func TestMostExactMatch(t *testing.T) {
	for want, end := range map[string]attributes{
		byContainer: {"container.id": "c-reviews", "k8s.pod.uid": "u-reviews", "service.name": "reviews"},
		byPod:       {"k8s.pod.uid": "u-reviews", "service.name": "reviews"},
		byService:   {"service.name": "reviews"},
	} {
		r := newRig(t, 0)
		r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": .1})
		s := r.server(end)
		if s.Sources != 1 || len(s.Usage) != 1 || s.Usage[0].By != want {
			t.Errorf("want a match by %s: %d sources, %+v", want, s.Sources, s.Usage)
		}
	}
}

// Both ends of an edge have their own signals, even if one process is both.
func TestSides(t *testing.T) {
	r := newRig(t, 0)
	frontend := attributes{"container.id": "c-frontend"}
	r.spans(frontend, call{name: "out", at: noon, kind: ptrace.SpanKindClient})
	r.spans(reviews, call{name: "in", at: noon}, call{name: "further", at: noon, kind: ptrace.SpanKindClient})
	to := noon.Unix() + fineStep
	edges := []*snap.Edge{
		{Client: endOf(frontend), Server: endOf(reviews)}, {Client: endOf(reviews), Server: endOf(attributes{"container.id": "db"})},
	}
	a, err := r.Read(t.Context(), edges[:1], snap.Range{From: to - fineSpan, To: to, Step: fineStep}, Sides{true, true}, false)
	if err != nil {
		t.Fatal(err)
	}
	if a.Client.Made.N != 1 || a.Client.Served.N != 0 || a.Server.Served.N != 1 || a.Server.Made.N != 1 {
		t.Errorf("client %+v, server %+v", a.Client.Made, a.Server.Served)
	}
	a, err = r.Read(t.Context(), edges, snap.Range{From: to - fineSpan, To: to, Step: fineStep}, Sides{true, true}, false)
	if err != nil {
		t.Fatal(err)
	}
	if a.Client.Ends != 2 || a.Client.Sources != 2 || a.Client.Made.N != 2 || a.Server.Sources != 1 {
		t.Errorf("two edges: clients %+v, servers %+v", a.Client, a.Server)
	}
}

// A service is only part of an identity: whatever else both know must agree.
func TestFitsOfServices(t *testing.T) {
	full := identity{container: "c", pod: "u", namespace: "n", service: "s", serviceNamespace: "sn", hostID: "h", hostName: "a"}
	end := attributes{"container.id": "c", "k8s.pod.uid": "u", "k8s.namespace.name": "n", "service.name": "s",
		"service.namespace": "sn", "host.id": "h", "host.name": "a"}
	if !full.fits(endOf(end), byService, false) || !full.fits(endOf(attributes{"service.name": "s"}), byService, false) {
		t.Error("the same one, or one that says less, does not fit")
	}
	for key := range end {
		if key == "service.name" || key == "host.name" { // by which it was found; the host's ID counts before its name
			continue
		}
		other := maps.Clone(end)
		other[key] = "other"
		if full.fits(endOf(other), byService, true) {
			t.Errorf("another %s fits", key)
		}
	}
}

// An event of an edge names the peer as netconn knows it: by its workload, its service, or its pod.
func TestEventsOfEdge(t *testing.T) {
	client := attributes{"k8s.deployment.name": "frontend", "k8s.pod.name": "frontend-1", "service.name": "shop-ui"}
	for name, c := range map[string]struct {
		peer string
		port int
		role string
		want int
	}{
		"the workload":    {"frontend", 9080, "server", 1},
		"the service":     {"shop-ui", 9080, "server", 1},
		"the pod":         {"frontend-1", 9080, "server", 1},
		"another peer":    {"loadgenerator", 9080, "server", 0},
		"another port":    {"frontend", 80, "server", 0},
		"as a client":     {"frontend", 9080, "client", 0},
		"without a name":  {"", 9080, "server", 0},
		"a part of it":    {"front", 9080, "server", 0},
		"in another case": {"Frontend", 9080, "server", 0},
	} {
		r := newRig(t, 0)
		r.records(reviews, record{at: noon, event: "netconn.connection.closed", attrs: attributes{
			"netconn.role": c.role, "netconn.peer.name": c.peer, "server.port": c.port,
		}})
		e := snap.Edge{Client: endOf(client), Server: endOf(reviews), Link: edge.Link{Role: edge.Client, Port: 9080}}
		to := noon.Unix() + fineStep
		a, err := r.Read(t.Context(), []*snap.Edge{&e}, snap.Range{From: to - fineSpan, To: to, Step: fineStep}, Sides{true, true}, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(a.Server.Events) + len(a.Client.Events); got != c.want {
			t.Errorf("%s: %d events, want %d", name, got, c.want)
		}
	}
}
