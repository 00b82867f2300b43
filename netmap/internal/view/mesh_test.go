package view

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/store"
)

// A world is a store that a test tells what was collected, every ten seconds.
type world struct {
	*store.Store
	now   time.Time
	began time.Time
}

func newWorld(c store.Config) *world {
	w := &world{now: time.Unix(1_800_000_000, 0)}
	w.began = w.now
	c.Now = func() time.Time { return w.now }
	if c.MaxEdges == 0 {
		c.MaxEdges = 1000
	}
	w.Store = store.New(c)
	return w
}

func (w *world) collect(flows ...feedtest.Flow) {
	w.now = w.now.Add(10 * time.Second)
	for i := range flows {
		flows[i].At = w.now
		if flows[i].Start.IsZero() {
			flows[i].Start = w.began
		}
	}
	w.Add(feedtest.Metrics(feedtest.Cumulative, flows...))
}

func (w *world) snapshot() *snap.Snapshot {
	s, err := w.Snapshot(context.Background(), w.Range(300, 0))
	if err != nil {
		panic(err) // a store does not fail
	}
	return s
}

func by(t *testing.T, name string) By {
	t.Helper()
	if name == "" {
		return None
	}
	b, ok := ParseBy(name)
	if !ok {
		t.Fatalf("no tag %q", name)
	}
	return b
}

func metric(t *testing.T, name string) Metric {
	t.Helper()
	m, ok := ParseMetric(name)
	if !ok {
		t.Fatalf("no metric %q", name)
	}
	return m
}

func parse(t *testing.T, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// graph asks for all edges with their bytes.
func (w *world) graph(t *testing.T, tag, group, text string) *Graph {
	t.Helper()
	return graphOf(t, w.snapshot(), GraphQuery{
		Query: Query{Filter: parse(t, text), New: 900}, By: by(t, tag), Group: by(t, group),
		Metrics: []Metric{metric(t, "tx"), metric(t, "rx")}, Rank: metric(t, "volume"), Nodes: 1000, Edges: 5000,
	})
}

// lines writes a graph as: group/client -> group/server tx/rx.
func lines(g *Graph) []string {
	name := func(i int) string {
		n := g.Nodes.Name[i]
		if kind := g.Kinds[g.Nodes.Kind[i]]; kind != "internal" {
			n += "(" + kind + ")"
		}
		if group := g.Groups[g.Nodes.Group[i]]; group != "" {
			n = group + "/" + n
		}
		return n
	}
	all := []string{}
	for i := range g.Edges.Client {
		all = append(all, fmt.Sprintf("%s -> %s %v/%v", name(g.Edges.Client[i]), name(g.Edges.Server[i]),
			g.Edges.Columns[0][i], g.Edges.Columns[1][i]))
	}
	slices.Sort(all)
	return all
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// container is one of a pod of a workload, in namespace book.
func container(node, pod, name, executable string) feedtest.Attributes {
	workload, _, _ := strings.Cut(pod, "-")
	return feedtest.Attributes{
		"host.id": node, "host.name": node, "k8s.node.name": node, "container.id": pod + name,
		"k8s.namespace.name": "book", "k8s.deployment.name": workload, "k8s.pod.name": pod, "k8s.pod.uid": "uid-" + pod,
		"k8s.container.name": name, "process.executable.name": executable,
	}
}

// A side is what the two views of an end differ in.
type side struct{ pod, container, executable string }

// views are how much the receiver knows of its peers.
type view int

const (
	byKubernetes view = iota // workload and container
	byProgram                // the executable of the container's first process
)

// hop makes both reports of one connection: the client's and the server's.
func hop(v view, node string, client, server side, scope string, port int, tx, rx int64, more feedtest.Attributes) []feedtest.Flow {
	point := func(role string, peer side) feedtest.Attributes {
		a := feedtest.Attributes{
			"netconn.role": role, "network.transport": "tcp", "server.port": port, "netconn.peer.type": "pod", "netconn.peer.scope": scope,
		}
		if v == byProgram {
			return a.With(feedtest.Attributes{"netconn.peer.name": peer.executable, "netconn.peer.container.name": peer.executable})
		}
		workload, _, _ := strings.Cut(peer.pod, "-")
		return a.With(feedtest.Attributes{
			"netconn.peer.name": workload, "netconn.peer.container.name": peer.container, "netconn.peer.k8s.namespace.name": "book",
			"netconn.peer.k8s.workload.name": workload, "netconn.peer.k8s.workload.kind": "deployment",
		})
	}
	return []feedtest.Flow{
		{Resource: container(node, client.pod, client.container, client.executable), Point: point("client", server).With(more), Tx: tx, Rx: rx},
		{Resource: container(node, server.pod, server.container, server.executable), Point: point("server", client), Tx: rx, Rx: tx},
	}
}

// mesh is one node with productpage -> reviews -> ratings, each with a sidecar.
func mesh(v view) []feedtest.Flow {
	app := func(pod string) side { return side{pod, "app", "python"} }
	proxy := func(pod string) side { return side{pod, "istio-proxy", "envoy"} }
	service := func(name string) feedtest.Attributes {
		return feedtest.Attributes{"netconn.nat": "redirect", "netconn.original_destination.name": name, "netconn.original_destination.port": 9080}
	}
	return slices.Concat(
		hop(v, "n1", app("productpage-1"), proxy("productpage-1"), "pod", 9080, 100, 1000, service("reviews")),
		hop(v, "n1", proxy("productpage-1"), proxy("reviews-1"), "node", 9080, 110, 1100, nil),
		hop(v, "n1", proxy("reviews-1"), app("reviews-1"), "pod", 9080, 101, 1001, nil),
		hop(v, "n1", app("reviews-1"), proxy("reviews-1"), "pod", 9080, 10, 50, service("ratings")),
		hop(v, "n1", proxy("reviews-1"), proxy("ratings-1"), "node", 9080, 11, 55, nil),
		hop(v, "n1", proxy("ratings-1"), app("ratings-1"), "pod", 9080, 12, 51, nil),
	)
}

func TestTheMeshByContainer(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(mesh(byKubernetes)...)
	want(t, "edges", lines(w.graph(t, "container", "workload", "")),
		"productpage/app -> productpage/istio-proxy 100/1000",
		"productpage/istio-proxy -> reviews/istio-proxy 110/1100",
		"ratings/istio-proxy -> ratings/app 12/51",
		"reviews/app -> reviews/istio-proxy 10/50",
		"reviews/istio-proxy -> ratings/istio-proxy 11/55",
		"reviews/istio-proxy -> reviews/app 101/1001",
	)
	g := w.graph(t, "original", "", "client.workload=productpage client.container=app")
	want(t, "original destination", lines(g), "productpage -> reviews 100/1000")
}

func TestTheMeshByWorkload(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(mesh(byKubernetes)...)
	for _, tag := range []string{"workload", "pod", "name"} {
		g := w.graph(t, tag, "", "")
		suffix := ""
		if tag == "pod" {
			suffix = "-1"
		}
		want(t, "edges by "+tag, lines(g),
			"productpage"+suffix+" -> reviews"+suffix+" 110/1100", "reviews"+suffix+" -> ratings"+suffix+" 11/55")
		if g.Folded.Loops != (Volume{4, 223, 2102}) || g.Totals.Tx != 121 || g.Totals.Edges != 2 {
			t.Errorf("by %s: loops %+v, totals %+v; want the 4 hops within pods apart", tag, g.Folded.Loops, g.Totals)
		}
	}
}

// Without the Kubernetes API the receiver sees programs, and the two proxies of a node are alike; what is within a pod
// is known all the same, and who reports is known by its resource.
func TestTheMeshByPrograms(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(mesh(byProgram)...)
	want(t, "edges by workload", lines(w.graph(t, "workload", "", "")),
		"productpage -> envoy 110/1100", "reviews -> envoy 11/55")
	want(t, "edges by container", lines(w.graph(t, "container", "workload", "scope=pod")),
		"productpage/app -> productpage/istio-proxy 100/1000",
		"ratings/istio-proxy -> ratings/app 12/51",
		"reviews/app -> reviews/istio-proxy 10/50",
		"reviews/istio-proxy -> reviews/app 101/1001",
	)
}

// outOfMesh is the filter of the page's preset of that name.
const outOfMesh = "client.kind=internal client.proxy= scope!=pod scope!=container"

// Connections that sidecars open are the mesh's, with and without an attribute that says so.
func TestOutOfTheMesh(t *testing.T) {
	for name, v := range map[string]view{"by kubernetes": byKubernetes, "by program": byProgram} {
		w := newWorld(store.Config{})
		w.collect(append(mesh(v), hop(v, "n1", side{"cron-1", "job", "curl"}, side{"ratings-1", "app", "python"}, "node", 9080, 7, 8, nil)...)...)
		g := w.graph(t, "workload", "", outOfMesh)
		if g.Totals.Edges != 1 || g.Totals.Tx != 7 {
			t.Errorf("%s: %v, want only what the job sends past the sidecars", name, lines(g))
		}
	}
}

func TestLoopsCanBeShown(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(mesh(byKubernetes)...)
	g := graphOf(t, w.snapshot(), GraphQuery{
		Query: Query{Filter: new(filter.Filter), Loops: true}, By: by(t, "workload"), Group: None,
		Metrics: []Metric{metric(t, "tx"), metric(t, "rx")}, Rank: metric(t, "volume"), Nodes: 1000, Edges: 5000,
	})
	want(t, "edges", lines(g), "productpage -> productpage 100/1000", "productpage -> reviews 110/1100",
		"ratings -> ratings 12/51", "reviews -> ratings 11/55", "reviews -> reviews 111/1051")
}

// Two replicas that talk to each other are a loop too, but no hop within a pod.
func TestReplicasAreNotFolded(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(hop(byKubernetes, "n1", side{"db-1", "db", "db"}, side{"db-2", "db", "db"}, "node", 7000, 5, 6, nil)...)
	want(t, "edges", lines(w.graph(t, "workload", "", "")), "db -> db 5/6")
}

func TestCanaryByImageTag(t *testing.T) {
	w := newWorld(store.Config{})
	tagged := func(tag string, tx int64) feedtest.Flow {
		f := hop(byKubernetes, "n1", side{"web-1", "app", "node"}, side{"api-1", "app", "go"}, "remote", 80, tx, 0,
			feedtest.Attributes{"netconn.peer.container.image.tag": tag})[0]
		return f
	}
	w.collect(tagged("v1", 90), tagged("v2", 10))
	want(t, "edges", lines(w.graph(t, "image.tag", "workload", "")), "web/web -> api/v1 90/0", "web/web -> api/v2 10/0")
}

// A ztunnel describes itself by its container, which has a sidecar's name, and its peers describe it by what the
// Kubernetes API knows. On the map it is a ztunnel, whichever end reports.
func TestAZtunnelIsOneKindOfProxy(t *testing.T) {
	app, ztunnel := side{"web-1", "app", "node"}, side{"ztunnel-1", "istio-proxy", "ztunnel"}
	peer := feedtest.Attributes{"netconn.peer.proxy": "ztunnel"}
	both := hop(byKubernetes, "n1", app, ztunnel, "node", 15001, 5, 6, peer)
	back := hop(byKubernetes, "n1", ztunnel, app, "node", 8080, 7, 8, nil)
	back[1].Point = back[1].Point.With(peer) // the application describes its client
	for name, flows := range map[string][]feedtest.Flow{
		"both ends report":         append(slices.Clone(both), back...),
		"the ztunnel reports":      {both[1], back[0]},
		"the application reports":  {both[0], back[1]},
		"the label is there alone": labelled(both[1], back[0]),
	} {
		w := newWorld(store.Config{})
		w.collect(flows...)
		want(t, name, lines(w.graph(t, "proxy", "", "")), "web -> ztunnel 5/6", "ztunnel -> web 7/8")
		if g := w.graph(t, "proxy", "", "proxy=sidecar"); g.Totals.Edges != 0 {
			t.Errorf("%s: %d edges of a sidecar", name, g.Totals.Edges)
		}
	}
}

// labelled gives the resources of flows the label of a ztunnel instead of its executable.
func labelled(flows ...feedtest.Flow) []feedtest.Flow {
	flows = slices.Clone(flows)
	for i := range flows {
		flows[i].Resource = flows[i].Resource.With(feedtest.Attributes{
			"process.executable.name": "pilot-agent", "k8s.pod.labels.app": "ztunnel",
		})
	}
	return flows
}
