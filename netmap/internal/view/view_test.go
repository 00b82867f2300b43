package view

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/store"
)

// star is one client with so many servers. The n-th server gets n bytes.
func star(servers int) []feedtest.Flow {
	var flows []feedtest.Flow
	for n := 1; n <= servers; n++ {
		flows = append(flows, feedtest.Flow{
			Resource: feedtest.Attributes{"host.id": "h", "process.executable.name": "client"},
			Point: feedtest.Attributes{
				"netconn.role": "client", "netconn.peer.type": "host", "netconn.peer.scope": "node", "server.port": 80,
				"netconn.peer.name": fmt.Sprintf("server-%02d", n),
			},
			Tx: int64(n),
		})
	}
	return flows
}

func limited(t *testing.T, w *world, nodes, edges int) *Graph {
	t.Helper()
	return graphOf(t, w.snapshot(), GraphQuery{
		Query: Query{Filter: new(filter.Filter)}, By: by(t, "name"), Group: None,
		Metrics: []Metric{metric(t, "tx"), metric(t, "rx")}, Rank: metric(t, "volume"), Nodes: nodes, Edges: edges,
	})
}

func TestBeyondTheLimitOfNodesIsOther(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(star(10)...)
	g := limited(t, w, 4, 5000)
	want(t, "edges", lines(g), "client -> (other) 36/0", "client -> server-09 9/0", "client -> server-10 10/0")
	if len(g.Nodes.Name) != 4 || g.Folded.Nodes != 8 || g.Folded.Edges != 8 || g.Shown != (Volume{2, 19, 0}) || g.Totals.Tx != 55 {
		t.Errorf("%d nodes, folded %+v, shown %+v of %+v", len(g.Nodes.Name), g.Folded, g.Shown, g.Totals)
	}
}

func TestBeyondTheLimitOfEdgesIsOther(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(star(10)...)
	g := limited(t, w, 1000, 3)
	want(t, "edges", lines(g), "(other) -> (other) 36/0", "client -> server-09 9/0", "client -> server-10 10/0")
	if g.Shown != (Volume{2, 19, 0}) || g.Totals.Tx != 55 || g.Folded.Edges != 8 {
		t.Errorf("folded %+v, shown %+v of %+v", g.Folded, g.Shown, g.Totals)
	}
	for limit := 1; limit <= 12; limit++ {
		g := limited(t, w, 1000, limit)
		total := 0.0
		for _, tx := range g.Edges.Columns[0] {
			total += tx
		}
		if len(g.Edges.Client) > limit || total != 55 {
			t.Errorf("limit %d: %d edges with %v bytes, want 55", limit, len(g.Edges.Client), total)
		}
		g = limited(t, w, limit, 5000)
		if len(g.Nodes.Name) > limit {
			t.Errorf("limit %d: %d nodes", limit, len(g.Nodes.Name))
		}
	}
}

func TestKindsOfEnds(t *testing.T) {
	w := newWorld(store.Config{})
	towards := func(name string, more feedtest.Attributes) feedtest.Flow {
		return feedtest.Flow{
			Resource: feedtest.Attributes{"host.id": "h", "process.executable.name": name},
			Point:    feedtest.Attributes{"netconn.role": "client", "netconn.peer.scope": "remote", "server.port": 443}.With(more), Tx: 1,
		}
	}
	w.collect(
		towards("a", feedtest.Attributes{"netconn.peer.type": "public"}),
		towards("b", feedtest.Attributes{"netconn.peer.type": "private"}),
		towards("c", feedtest.Attributes{"netconn.peer.type": "private", "netconn.peer.name": "office"}),
		towards("d", feedtest.Attributes{"netconn.peer.type": "unknown"}),
		towards("e", feedtest.Attributes{"netconn.peer.type": "service", "netconn.peer.name": "dns"}),
		feedtest.Flow{
			Resource: feedtest.Attributes{"host.id": "h", "process.executable.name": "f"},
			Point:    feedtest.Attributes{"otel.metric.overflow": true}, Tx: 1,
		},
	)
	want(t, "edges", lines(w.graph(t, "name", "", "")), "a -> public(external) 1/0", "b -> private(unresolved) 1/0",
		"c -> office(external) 1/0", "d -> unknown(unresolved) 1/0", "e -> dns 1/0", "f -> (other) 1/0")
	if u := NewUnresolved(w.snapshot()); u.Bytes != 2 || u.Total != 6 {
		t.Errorf("unresolved: %+v, want 2 of 6", u)
	}
}

func TestFlagsOfEdges(t *testing.T) {
	w := newWorld(store.Config{Learning: time.Minute})
	zoned := func(port int, role, zone, peer string) feedtest.Flow {
		return feedtest.Flow{
			Resource: feedtest.Attributes{"host.id": "h", "process.executable.name": "a", "cloud.availability_zone": zone},
			Point: feedtest.Attributes{
				"netconn.role": role, "netconn.peer.scope": "remote", "netconn.peer.type": "pod", "netconn.peer.name": "b",
				"netconn.peer.zone": peer, "server.port": port,
			},
			Tx: 1,
		}
	}
	w.collect(zoned(1, "client", "x", "x"), zoned(2, "client", "x", "y"), zoned(3, "server", "x", ""), zoned(4, "unknown", "x", "x"))
	w.now = w.now.Add(2 * time.Minute)
	late := zoned(5, "client", "x", "x")
	late.Start = w.now
	w.collect(late)
	got := map[uint16]int{}
	snapshot := w.snapshot()
	q := Query{New: 60}
	for i := range snapshot.Edges {
		got[snapshot.Edges[i].Link.Port] = q.flags(snapshot, &snapshot.Edges[i])
	}
	if diff := cmp.Diff(map[uint16]int{1: 0, 2: flagZones, 3: flagServerOnly, 4: flagUndirected, 5: flagNew}, got); diff != "" {
		t.Errorf("flags by port (-want +got):\n%s", diff)
	}
	for text, flag := range map[string]int{"a -> b 1/0": flagZones} {
		q := GraphQuery{
			Query: Query{Filter: new(filter.Filter), Only: flag}, By: by(t, "name"), Group: None,
			Metrics: []Metric{metric(t, "tx"), metric(t, "rx")}, Rank: metric(t, "volume"), Nodes: 10, Edges: 10,
		}
		want(t, "only", lines(graphOf(t, snapshot, q)), text)
	}
}

// Edges drawn as one are new only if all of them are.
func TestAGroupIsNewIfAllOfItIs(t *testing.T) {
	w := newWorld(store.Config{})
	port := func(n int, began time.Time) feedtest.Flow {
		f := star(1)[0]
		f.Point = f.Point.With(feedtest.Attributes{"server.port": n})
		f.Start = began
		return f
	}
	w.collect(port(1, time.Time{}))
	w.now = w.now.Add(time.Minute)
	began := w.now
	w.collect(port(2, began))
	if g := w.graph(t, "name", "", ""); g.Edges.Flags[0]&flagNew != 0 {
		t.Error("an edge is new that one of its parts is not")
	}
	if g := w.graph(t, "name", "", "port=2"); g.Edges.Flags[0]&flagNew == 0 {
		t.Error("a new edge is not new")
	}
}

func table(t *testing.T, w *world, sort Sort, clients, servers []By, limit, offset int) *Flows {
	t.Helper()
	volume := metric(t, "volume")
	f, err := NewFlows(t.Context(), w.snapshot(), FlowsQuery{
		Query: Query{Filter: new(filter.Filter)}, Clients: clients, Servers: servers, Sort: sort, Limit: limit, Offset: offset, Spark: &volume,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTableIsSortedAndPaged(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(star(5)...)
	name, port := by(t, "name"), by(t, "port")
	first := func(f *Flows) []string {
		got := []string{}
		for i := range f.Server {
			got = append(got, f.Server[i][0]+":"+f.Server[i][1])
		}
		return got
	}
	most := table(t, w, Sort{By: metric(t, "volume"), Descend: true}, []By{name}, []By{name, port}, 2, 1)
	want(t, "most", first(most), "server-04:80", "server-03:80")
	if most.Rows != 5 || most.Totals.Tx != 15 || most.Offset != 1 {
		t.Errorf("%d rows from %d, totals %+v", most.Rows, most.Offset, most.Totals)
	}
	want(t, "least", first(table(t, w, Sort{By: metric(t, "tx")}, []By{name}, []By{name, port}, 2, 0)), "server-01:80", "server-02:80")
	want(t, "by name", first(table(t, w, Sort{Names: true, Server: true, Descend: true}, []By{name}, []By{name, port}, 1, 0)), "server-05:80")
	want(t, "beyond", first(table(t, w, Sort{By: metric(t, "tx")}, []By{name}, []By{name, port}, 2, 99)))
	spark := most.Spark.Values[0]
	if total := sumOf(spark); total != 4 || len(spark) != 30 {
		t.Errorf("sparkline of %d buckets with %v bytes, want 30 with 4", len(spark), total)
	}
}

func series(t *testing.T, w *world, q Query, details int) *Series {
	t.Helper()
	s, err := NewSeries(t.Context(), w.snapshot(), q, details)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sumOf(n Numbers) float64 {
	total := 0.0
	for _, v := range n {
		total += v
	}
	return total
}

// The sums are those that were sent, however edges are grouped.
func TestTotalsOfAllAnswersAreEqual(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(mesh(byKubernetes)...)
	snapshot := w.snapshot()
	q := Query{Filter: new(filter.Filter), Loops: true}
	var tx, rx float64
	for _, f := range mesh(byKubernetes) {
		if f.Point["netconn.role"] == "client" {
			tx += float64(f.Tx)
			rx += float64(f.Rx)
		}
	}
	for _, tag := range []string{"name", "container", "pod", "host", "port", "zone", "original"} {
		g := graphOf(t, snapshot, GraphQuery{
			Query: q, By: by(t, tag), Group: by(t, "namespace"), Metrics: []Metric{metric(t, "tx"), metric(t, "rx")},
			Rank: metric(t, "volume"), Nodes: 3, Edges: 2,
		})
		if sumOf(g.Edges.Columns[0]) != tx || sumOf(g.Edges.Columns[1]) != rx || float64(g.Totals.Tx) != tx {
			t.Errorf("graph by %s: %v/%v, want %v/%v", tag, sumOf(g.Edges.Columns[0]), sumOf(g.Edges.Columns[1]), tx, rx)
		}
		f, _ := NewFlows(t.Context(), snapshot, FlowsQuery{
			Query: q, Clients: []By{by(t, "name")}, Servers: []By{by(t, tag)}, Sort: Sort{By: metric(t, "rx")}, Limit: 1000,
		})
		if sumOf(f.columns[0]) != tx || sumOf(f.columns[1]) != rx || float64(f.Totals.Rx) != rx {
			t.Errorf("flows by %s: %v/%v, want %v/%v", tag, sumOf(f.columns[0]), sumOf(f.columns[1]), tx, rx)
		}
	}
	s := series(t, w, q, 2)
	if sumOf(s.columns[0]) != tx || sumOf(s.columns[1]) != rx || s.Count != 6 || len(s.Edges) != 2 {
		t.Errorf("series: %v/%v of %d edges, want %v/%v", sumOf(s.columns[0]), sumOf(s.columns[1]), s.Count, tx, rx)
	}
}

func TestDetailsOfAnEdge(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(mesh(byKubernetes)...)
	s := series(t, w, Query{Filter: parse(t, `client.workload="productpage" scope=pod`)}, 10)
	if len(s.Edges) != 1 {
		t.Fatalf("%d edges, want 1", len(s.Edges))
	}
	d := s.Edges[0]
	wantEdge := map[string]string{
		"port": "9080", "scope": "pod", "nat": "redirect", "original": "reviews", "original.port": "9080", "role": "client", "transport": "tcp",
	}
	if diff := cmp.Diff(wantEdge, d.Edge); diff != "" {
		t.Errorf("edge (-want +got):\n%s", diff)
	}
	for attribute, value := range map[string]string{"k8s.pod.name": "productpage-1", "k8s.container.name": "istio-proxy", "host.name": "n1"} {
		if d.Server[attribute] != value {
			t.Errorf("server %s is %q, want %q", attribute, d.Server[attribute], value)
		}
	}
	if diff := cmp.Diff([]string{"client", "server"}, d.ReportedBy); diff != "" {
		t.Errorf("reported by (-want +got):\n%s", diff)
	}
}

func TestValuesOfATag(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(mesh(byKubernetes)...)
	v := valuesOf(t, w.snapshot(), ValuesQuery{
		Query: Query{Filter: new(filter.Filter)}, By: by(t, "workload"), Client: true, Server: true, Search: "R", Limit: 2,
	})
	want := &TagValues{Values: []TagValue{{"reviews", 4, 2438}, {"productpage", 2, 2310}}, More: true}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	uses := map[string]TagUse{}
	for _, u := range NewTagList(w.snapshot()).Tags {
		uses[u.Tag] = u
	}
	if u := uses["container"]; u.Values != 2 || u.Ends != 6 || u.Attribute != "k8s.container.name" {
		t.Errorf("container: %+v, want 6 ends with 2 values", u)
	}
	if u := uses["port"]; u.Values != 1 || u.Of != "edge" {
		t.Errorf("port: %+v", u)
	}
}

// An empty map is lists without elements, never null.
func TestNothingIsLists(t *testing.T) {
	w := newWorld(store.Config{})
	name := By{end: names.TagName}
	for what, answer := range map[string]any{
		"graph":  w.graph(t, "name", "", ""),
		"flows":  table(t, w, Sort{By: metric(t, "tx")}, []By{name}, []By{name}, 10, 0),
		"series": series(t, w, Query{Filter: new(filter.Filter)}, 10),
		"values": valuesOf(t, w.snapshot(), ValuesQuery{Query: Query{Filter: new(filter.Filter)}, By: name, Limit: 1}),
	} {
		b, err := json.Marshal(answer)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		var fields map[string]any
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		for name, value := range fields {
			if value == nil {
				t.Errorf("%s: %s is null", what, name)
			}
		}
	}
}
