package view

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/store"
)

var (
	app        = func(pod string) side { return side{pod, "app", "node"} }
	tunnelPeer = feedtest.Attributes{"netconn.peer.proxy": "ztunnel"}
)

func inTheNameOf(workload string) feedtest.Attributes {
	return feedtest.Attributes{"netconn.original_source.name": workload + ".book"}
}

func tunnelOn(node string) side { return side{"ztunnel-" + node, "istio-proxy", "ztunnel"} }

// toTunnelOf is the leg of an application to the ztunnel of its node.
func toTunnelOf(node, pod string, tx, rx int64) []feedtest.Flow {
	return hop(byKubernetes, node, app(pod), tunnelOn(node), "node", 9080, tx, rx, tunnelPeer)
}

// fromTunnelOf is the leg of a ztunnel to an application of its node, in the name of a workload.
func fromTunnelOf(node, workload, pod string, tx, rx int64) []feedtest.Flow {
	both := hop(byKubernetes, node, tunnelOn(node), app(pod), "node", 8080, tx, rx, inTheNameOf(workload))
	both[1].Point = both[1].Point.With(tunnelPeer).With(inTheNameOf(workload))
	return both
}

// encryptedBetween is what both ends of the connection between two ztunnels report. Each takes the address of the other
// end for the pod's that has it.
func encryptedBetween(from, client, to, server string, tx, rx int64) []feedtest.Flow {
	there := hop(byKubernetes, from, tunnelOn(from), app(server), "remote", tunnelPort, tx, rx, inTheNameOf(strings.TrimSuffix(client, "-1")))
	back := hop(byKubernetes, to, app(client), tunnelOn(to), "remote", tunnelPort, tx, rx, nil)
	return []feedtest.Flow{there[0], back[1]}
}

// ambient is a mesh of two nodes: web and cron call api, and web calls something outside.
func ambient() []feedtest.Flow {
	outside := hop(byKubernetes, "n1", tunnelOn("n1"), side{}, "remote", 443, 7, 70, inTheNameOf("web"))[:1]
	outside[0].Point = feedtest.Attributes{
		"netconn.role": "client", "network.transport": "tcp", "server.port": 443, "netconn.peer.type": "public",
		"netconn.peer.scope": "remote", "netconn.peer.domain": "example.com",
	}.With(inTheNameOf("web"))
	return slices.Concat(
		toTunnelOf("n1", "web-1", 107, 270), toTunnelOf("n2", "web-2", 50, 60), toTunnelOf("n1", "cron-1", 1, 2),
		encryptedBetween("n1", "web-1", "n2", "api-1", 120, 220), encryptedBetween("n1", "cron-1", "n2", "api-1", 11, 12),
		fromTunnelOf("n2", "web", "api-1", 150, 260), fromTunnelOf("n2", "cron", "api-1", 1, 2), outside,
	)
}

// By workload, what an application sends another one through ztunnels is one edge, with the figures that the two have.
// What is between ztunnels is transport, on the map as in the table, and the leg to the first of them is the same again.
func TestTheWayThroughTunnelsIsOneEdge(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(ambient()...)
	for _, tag := range []string{"workload", "name"} {
		g := w.graph(t, tag, "", "")
		want(t, tag, lines(g), "cron -> api 1/2", "web -> api 150/260", "web -> example.com(external) 7/70")
		if g.Totals.Tx != 158 || g.Totals.Rx != 332 || g.Totals.Edges != 3 {
			t.Errorf("by %s: totals %+v", tag, g.Totals)
		}
		if g.Folded.Loops != (Volume{Edges: 7, Tx: 158 + 2*131, Rx: 332 + 2*232}) {
			t.Errorf("by %s: folded %+v", tag, g.Folded.Loops)
		}
		for i, flags := range g.Edges.Flags {
			if flags&flagThrough == 0 {
				t.Errorf("by %s: edge %d does not say that it goes through a ztunnel", tag, i)
			}
		}
		f := flowsOf(t, w, tag)
		if f.Rows != 3 || f.Totals.Tx != 158 || f.Folded.Loops.Edges != 7 {
			t.Errorf("the table by %s: %d rows, totals %+v, folded %+v", tag, f.Rows, f.Totals, f.Folded)
		}
	}
	want(t, "grouped", lines(w.graph(t, "workload", "namespace", "client.workload=web")),
		"book/web -> book/api 150/260", "book/web -> example.com(external) 7/70")
}

// By container, and by whatever tells pods apart, both legs are there, and what is between ztunnels is not.
func TestTheLegsToTunnelsAreThereByContainer(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(ambient()...)
	legs := []string{
		"cron/app -> ztunnel/istio-proxy 1/2", "web/app -> ztunnel/istio-proxy 157/330",
		"ztunnel/istio-proxy -> api/app 151/262", "ztunnel/istio-proxy -> example.com(external) 7/70",
	}
	g := w.graph(t, "container", "workload", "")
	want(t, "by container", lines(g), legs...)
	if g.Folded.Loops != (Volume{Edges: 4, Tx: 2 * 131, Rx: 2 * 232}) {
		t.Errorf("folded: %+v", g.Folded.Loops)
	}
	want(t, "by proxy", lines(w.graph(t, "proxy", "", "")), "cron -> ztunnel 1/2", "web -> ztunnel 157/330",
		"ztunnel -> api 151/262", "ztunnel -> example.com(external) 7/70")
	for i, flags := range g.Edges.Flags {
		if flags&flagThrough != 0 {
			t.Errorf("edge %d says that it goes through a ztunnel", i)
		}
	}
}

// With its hops, the mesh is shown as it is.
func TestTheHopsBetweenTunnelsCanBeShown(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(ambient()...)
	g := graphOf(t, w.snapshot(), GraphQuery{
		Query: Query{Filter: parse(t, ""), Loops: true}, By: by(t, "workload"), Group: None,
		Metrics: []Metric{metric(t, "tx"), metric(t, "rx")}, Rank: metric(t, "volume"), Nodes: 1000, Edges: 5000,
	})
	want(t, "edges", lines(g), "cron -> ztunnel 12/14", "web -> ztunnel 277/550", "ztunnel -> api 282/494", "ztunnel -> example.com(external) 7/70")
}

// What no ztunnel says it does in a workload's name stays as it is: nothing is hidden that is not counted elsewhere.
func TestALegWithoutTheOtherStays(t *testing.T) {
	w := newWorld(store.Config{})
	flows := slices.Concat(toTunnelOf("n1", "web-1", 100, 200), fromTunnelOf("n1", "web", "api-1", 100, 200))
	for i := range flows {
		flows[i].Point = maps.Clone(flows[i].Point)
		delete(flows[i].Point, "netconn.original_source.name")
	}
	w.collect(append(flows, toTunnelOf("n1", "job-1", 3, 4)...)...)
	want(t, "edges", lines(w.graph(t, "workload", "", "")),
		"job -> ztunnel 3/4", "web -> ztunnel 100/200", "ztunnel -> api 100/200")
}

// A waypoint opens what was encrypted for it, and is an end of its own.
func TestTheWayThroughAWaypoint(t *testing.T) {
	waypoint := side{"waypoint-1", "istio-proxy", "envoy"}
	to := hop(byKubernetes, "n1", tunnelOn("n1"), waypoint, "remote", tunnelPort, 120, 220,
		inTheNameOf("web").With(feedtest.Attributes{"netconn.peer.proxy": "waypoint"}))[:1]
	from := hop(byKubernetes, "n2", waypoint, tunnelOn("n2"), "remote", tunnelPort, 130, 230, tunnelPeer)[:1]
	w := newWorld(store.Config{})
	w.collect(slices.Concat(toTunnelOf("n1", "web-1", 100, 200), to, from, fromTunnelOf("n2", "waypoint", "api-1", 101, 201))...)
	want(t, "edges", lines(w.graph(t, "workload", "", "")), "waypoint -> api 101/201", "web -> waypoint 120/220")
}

// The panel of a joined edge has its figures, and both ends: the containers of the workload, not the ztunnel.
func TestThePanelOfAJoinedEdge(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(ambient()...)
	q := Query{Filter: parse(t, "client.workload=web server.workload=api"), New: 900, Level: []By{by(t, "workload"), None}}
	s, err := NewSeries(context.Background(), w.snapshot(), q, 10)
	if err != nil || s.Totals.Tx != 150 || s.Totals.Rx != 260 || s.Count != 1 {
		t.Fatalf("totals %+v of %d edges, %v", s.Totals, s.Count, err)
	}
	if got := s.Edges[0].Client["netconn.proxy"]; got != "ztunnel" {
		t.Errorf("the client comes by %q", got)
	}
	node := q
	node.Filter = parse(t, "client.workload=web")
	if s, err := NewSeries(context.Background(), w.snapshot(), node, 10); err != nil || s.Totals.Tx != 157 {
		t.Errorf("what the workload sends: %+v, %v", s.Totals, err)
	}
	edges, err := Select(context.Background(), w.snapshot(), q)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "clients", clientsOf(edges), "web-1", "web-2")
	q.Level = nil
	if edges, err := Select(context.Background(), w.snapshot(), q); err != nil || len(edges) != 0 {
		t.Errorf("without a level: %d edges, %v", len(edges), err)
	}
}

func clientsOf(edges []*snap.Edge) (pods []string) {
	for _, e := range edges {
		pods = append(pods, e.Client.Get(names.TagPod))
	}
	slices.Sort(pods)
	return pods
}

// The end of a workload has what all of its ends have: the zone, so that costs and flags hold, but no pod.
func TestTheEndOfAWorkloadHasWhatItsEndsShare(t *testing.T) {
	w := newWorld(store.Config{})
	flows := ambient()
	for i := range flows {
		flows[i].Resource = flows[i].Resource.With(feedtest.Attributes{"cloud.availability_zone": "a"})
	}
	w.collect(flows...)
	q := Query{Filter: parse(t, ""), Level: []By{by(t, "name")}}
	s := q.level(w.snapshot())
	for i := range s.Edges {
		e := &s.Edges[i]
		if e.Client.Get(names.TagWorkload) != "web" || e.Link.Source == (edge.Value{}) {
			continue
		}
		got := []string{e.Client.Get(names.TagZone), e.Client.Get(names.TagPod), e.Client.Get(names.TagNamespace)}
		if diff := cmp.Diff([]string{"a", "", "book"}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// flowsOf returns the table by a tag.
func flowsOf(t *testing.T, w *world, tag string) *Flows {
	t.Helper()
	f, err := NewFlows(context.Background(), w.snapshot(), FlowsQuery{
		Query: Query{Filter: parse(t, "")}, Clients: []By{by(t, tag)}, Servers: []By{by(t, tag)}, Limit: 10, Sort: Sort{Names: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}
