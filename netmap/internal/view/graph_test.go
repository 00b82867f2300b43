package view

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
)

func draw(t *testing.T, s *snap.Snapshot, tag, group string, metrics ...string) *Graph {
	t.Helper()
	q := GraphQuery{Query: Query{Filter: new(filter.Filter)}, By: by(t, tag), Group: by(t, group), Rank: metric(t, "volume"), Nodes: 100, Edges: 100}
	for _, name := range metrics {
		q.Metrics = append(q.Metrics, metric(t, name))
	}
	return graphOf(t, s, q)
}

// A node is what its group, its name, the tag of its name and its kind are; the ends of it are counted once.
func TestNodes(t *testing.T) {
	app := func(namespace, pod string) *edge.End {
		return ofTags(t, "type", "pod", "namespace", namespace, "workload", "web", "name", "web", "pod", pod)
	}
	one, two, elsewhere := app("shop", "web-1"), app("shop", "web-2"), app("bank", "web-3")
	public, called := ofTags(t, "type", "public"), ofTags(t, "type", "public", "name", "web")
	s := snapshotOf(
		calls(one, public, 443, 1), calls(one, public, 80, 2), calls(two, public, 443, 3), calls(elsewhere, public, 443, 4), calls(one, called, 1, 5),
		calls(one, ofTags(t), 1, 6),
	)
	g := draw(t, s, "workload", "namespace", "tx")
	got := map[string]int{}
	for i, name := range g.Nodes.Name {
		got[fmt.Sprintf("%s/%s by %s, %s", g.Groups[g.Nodes.Group[i]], name, g.Nodes.Tag[i], g.Kinds[g.Nodes.Kind[i]])] = g.Nodes.Ends[i]
	}
	want := map[string]int{
		"shop/web by workload, internal": 2, "bank/web by workload, internal": 1, "/public by type, external": 1, "/web by name, external": 1,
		"/unknown by type, unresolved": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes and their ends (-want +got):\n%s", diff)
	}
	total := 0
	for _, n := range g.Edges.Count {
		total += n
	}
	if len(g.Edges.Client) != 4 || total != 6 || g.Totals.Edges != 6 {
		t.Errorf("%d edges of %d, want 4 of 6", len(g.Edges.Client), total)
	}
}

// Everything beyond a limit of the receiver is one node, whatever it is grouped by, and has no ends.
func TestTheNodeOfWhatIsBeyondALimit(t *testing.T) {
	o := edge.Overflow()
	a := ofTags(t, "name", "a", "type", "host", "namespace", "n")
	g := draw(t, snapshotOf(calls(a, &o, 80, 1), calls(&o, &o, 81, 2)), "port", "namespace", "tx")
	others := 0
	for i, kind := range g.Nodes.Kind {
		if g.Kinds[kind] == "other" {
			others++
			if g.Nodes.Name[i] != "" || g.Nodes.Tag[i] != "" || g.Nodes.Ends[i] != 0 || g.Groups[g.Nodes.Group[i]] != "" {
				t.Errorf("the node is %q by %q in %q with %d ends", g.Nodes.Name[i], g.Nodes.Tag[i], g.Groups[g.Nodes.Group[i]], g.Nodes.Ends[i])
			}
		}
	}
	if others != 1 {
		t.Errorf("%d nodes, want one", others)
	}
}

// A hop from a node to itself is folded within a pod only, and counts where it is shown.
func TestFoldedLoops(t *testing.T) {
	a := ofTags(t, "name", "a", "type", "pod")
	for scope, folded := range map[edge.Scope]bool{
		edge.ScopeContainer: true, edge.ScopePod: true, edge.ScopeNode: false, edge.ScopeRemote: false, edge.ScopeUnknown: false,
	} {
		e := calls(a, a, 80, 5)
		e.Link.Scope, e.Rx = scope, 6
		g := draw(t, snapshotOf(e), "name", "", "tx")
		want := Volume{}
		if folded {
			want = Volume{Edges: 1, Tx: 5, Rx: 6}
		}
		if g.Folded.Loops != want || (g.Totals.Edges == 0) != folded || (len(g.Nodes.Name) == 0) != folded {
			t.Errorf("scope %v: folded %+v, totals %+v, %d nodes", scope, g.Folded.Loops, g.Totals, len(g.Nodes.Name))
		}
	}
}

// In a table, a hop is a loop if both ends have the same tags and are of the same kind.
func TestLoopsOfATable(t *testing.T) {
	pod := ofTags(t, "name", "a", "type", "pod", "container", "app")
	for name, tt := range map[string]struct {
		server *edge.End
		tags   []string
		folded int
	}{
		"the same":             {ofTags(t, "name", "a", "type", "pod", "container", "proxy"), []string{"name"}, 1},
		"another container":    {ofTags(t, "name", "a", "type", "pod", "container", "proxy"), []string{"name", "container"}, 0},
		"another kind":         {ofTags(t, "name", "a", "type", "public"), []string{"name"}, 0},
		"with the edge's port": {ofTags(t, "name", "a", "type", "pod"), []string{"name", "port"}, 1},
	} {
		e := calls(pod, tt.server, 80, 5)
		e.Link.Scope = edge.ScopePod
		q := FlowsQuery{Query: Query{Filter: new(filter.Filter)}, Clients: []By{by(t, "name")}, Sort: Sort{By: metric(t, "tx")}, Limit: 10}
		for _, tag := range tt.tags {
			q.Servers = append(q.Servers, by(t, tag))
		}
		f, err := NewFlows(t.Context(), snapshotOf(e), q)
		if err != nil || f.Folded.Loops.Edges != tt.folded || f.Rows != 1-tt.folded {
			t.Errorf("%s: %d folded, %d rows (%v)", name, f.Folded.Loops.Edges, f.Rows, err)
		}
	}
}

// Failures and breaks come with the metrics of their names, and not without.
func TestOutcomesOfAGraph(t *testing.T) {
	e := calls(program(t, "a"), program(t, "b"), 80, 5)
	e.Outcomes = []snap.Outcome{{Kind: 2, N: 3}, {Kind: 3, N: 4}}
	for _, tt := range []struct {
		metrics          []string
		failures, breaks Outcomes
	}{
		{[]string{"tx"}, Outcomes{}, Outcomes{}},
		{[]string{"failures"}, Outcomes{"refused": {{0, 3}}}, Outcomes{}},
		{[]string{"tx", "breaks"}, Outcomes{}, Outcomes{"reset": {{0, 4}}}},
	} {
		g := draw(t, snapshotOf(e), "name", "", tt.metrics...)
		if diff := cmp.Diff([]Outcomes{tt.failures, tt.breaks}, []Outcomes{g.Failures, g.Breaks}); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.metrics, diff)
		}
		b, err := json.Marshal(g.Edges)
		var fields map[string]any
		if err != nil || json.Unmarshal(b, &fields) != nil || len(fields) != 4+len(tt.metrics) {
			t.Errorf("%v: marshals as %s (%v)", tt.metrics, b, err)
		}
	}
}

// What is kept at a limit does not depend on the order of the edges.
func TestTheOrderOfEdgesDoesNotMatter(t *testing.T) {
	var edges []snap.Edge
	for i := range 8 {
		edges = append(edges, calls(program(t, fmt.Sprint("c", i%4)), program(t, fmt.Sprint("s", i)), 80, 7)) // all have the same rank
	}
	limited := func() []string {
		return lines(graphOf(t, snapshotOf(edges...), GraphQuery{
			Query: Query{Filter: new(filter.Filter)}, By: by(t, "name"), Group: None, Metrics: []Metric{metric(t, "tx"), metric(t, "rx")},
			Rank: metric(t, "volume"), Nodes: 6, Edges: 4,
		}))
	}
	first := limited()
	for i := range edges {
		edges[0], edges[i] = edges[i], edges[0]
		if diff := cmp.Diff(first, limited()); diff != "" {
			t.Fatalf("in another order (-first +now):\n%s", diff)
		}
	}
}

func TestValues(t *testing.T) {
	a, b := ofTags(t, "name", "Alpha", "type", "host"), ofTags(t, "name", "beta", "type", "host")
	e, f := calls(a, b, 80, 5), calls(a, a, 443, 3)
	e.Rx = 2
	s := snapshotOf(e, f)
	for name, tt := range map[string]struct {
		q    ValuesQuery
		want TagValues
	}{
		"either":        {ValuesQuery{Client: true, Server: true, Limit: 2}, TagValues{Values: []TagValue{{"Alpha", 2, 10}, {"beta", 1, 7}}}},
		"clients":       {ValuesQuery{Client: true, Limit: 9}, TagValues{Values: []TagValue{{"Alpha", 2, 10}}}},
		"servers":       {ValuesQuery{Server: true, Limit: 9}, TagValues{Values: []TagValue{{"beta", 1, 7}, {"Alpha", 1, 3}}}},
		"one of them":   {ValuesQuery{Server: true, Limit: 1}, TagValues{Values: []TagValue{{"beta", 1, 7}}, More: true}},
		"search":        {ValuesQuery{Client: true, Server: true, Search: "aLP", Limit: 9}, TagValues{Values: []TagValue{{"Alpha", 2, 10}}}},
		"nothing found": {ValuesQuery{Client: true, Server: true, Search: "x", Limit: 9}, TagValues{Values: []TagValue{}}},
	} {
		tt.q.By = by(t, "name")
		tt.q.Filter = new(filter.Filter)
		if diff := cmp.Diff(&tt.want, valuesOf(t, s, tt.q)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	q := ValuesQuery{Query: Query{Filter: parse(t, "port=443")}, By: by(t, "port"), Client: true, Server: true, Limit: 9}
	if diff := cmp.Diff(&TagValues{Values: []TagValue{{"443", 1, 3}}}, valuesOf(t, s, q)); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestUseOfTags(t *testing.T) {
	a, b := ofTags(t, "name", "a", "zone", "1"), ofTags(t, "name", "b", "zone", "1")
	list := NewTagList(snapshotOf(calls(a, b, 80, 1), calls(b, a, 81, 1)))
	uses := map[string]TagUse{}
	for _, u := range list.Tags {
		uses[u.Tag] = u
	}
	for tag, want := range map[string]TagUse{
		"name":   {Tag: "name", Attribute: "netconn.name", Of: "end", Ends: 2, Values: 2},
		"zone":   {Tag: "zone", Attribute: "cloud.availability_zone", Of: "end", Ends: 2, Values: 1},
		"domain": {Tag: "domain", Attribute: "netconn.domain", Of: "end"},
		"port":   {Tag: "port", Attribute: "server.port", Of: "edge", Values: 2},
		"nat":    {Tag: "nat", Attribute: "netconn.nat", Of: "edge"},
	} {
		if diff := cmp.Diff(want, uses[tag]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tag, diff)
		}
	}
	if len(list.Tags) != int(names.Tags)+int(names.EdgeTags) {
		t.Errorf("%d tags", len(list.Tags))
	}
}

func TestTheUnresolvedShare(t *testing.T) {
	known, unknown := program(t, "a"), ofTags(t, "type", "private")
	both := calls(known, known, 1, 60)
	both.Rx = 15
	for name, tt := range map[string]struct {
		edges []snap.Edge
		want  Unresolved
	}{
		"nothing":            {nil, Unresolved{Seconds: 30}},
		"an unknown server":  {[]snap.Edge{both, calls(known, unknown, 1, 25)}, Unresolved{Bytes: 25, Total: 100, Share: 0.25, Seconds: 30}},
		"an unknown client":  {[]snap.Edge{both, calls(unknown, known, 1, 25)}, Unresolved{Bytes: 25, Total: 100, Share: 0.25, Seconds: 30}},
		"an external server": {[]snap.Edge{both, calls(known, ofTags(t, "type", "public"), 1, 25)}, Unresolved{Total: 100, Seconds: 30}},
	} {
		if got := NewUnresolved(snapshotOf(tt.edges...)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// The edges with most volume are described, and those of both ends say so.
func TestWhichEdgesAreDescribed(t *testing.T) {
	a, b := program(t, "a"), program(t, "b")
	least, most := calls(a, b, 1, 1), calls(a, b, 2, 2)
	most.Rx, most.ByServer, least.ByClient, least.ByServer = 100, true, false, true
	s, err := NewSeries(t.Context(), snapshotOf(least, most), Query{Filter: new(filter.Filter)}, 1)
	if err != nil || len(s.Edges) != 1 || s.Count != 2 || s.Edges[0].Edge["port"] != "2" {
		t.Fatalf("%d of %d edges: %+v (%v)", len(s.Edges), s.Count, s.Edges, err)
	}
	if diff := cmp.Diff([]string{"client", "server"}, s.Edges[0].ReportedBy); diff != "" {
		t.Errorf("reported by (-want +got):\n%s", diff)
	}
	if d := detail(snapshotOf(), &Query{}, &least); len(d.ReportedBy) != 1 || d.ReportedBy[0] != "server" || d.Flags != flagServerOnly {
		t.Errorf("reported by %v, flags %d", d.ReportedBy, d.Flags)
	}
}

// A node that is called by an id has a label for people, if an end has the name.
func TestIdsHaveLabels(t *testing.T) {
	client := ofTags(t, "type", "pod", "name", "web", "container", "app", "container.id", "c0ffee", "pod", "web-1", "pod.uid", "u-1", "host.id", "h-1", "host", "node-1")
	bare := ofTags(t, "type", "container", "container.id", "c0ffee", "host.id", "h-2")
	server := ofTags(t, "type", "container", "name", "redis", "container.id", "decade", "pod.uid", "u-2", "host.id", "h-2", "node", "n2")
	s := snapshotOf(calls(bare, server, 1, 5), calls(client, server, 2, 4))
	for tag, want := range map[string]map[string]string{
		"container.id": {"c0ffee": "app", "decade": "redis"},
		"pod.uid":      {"u-1": "web-1", "u-2": "redis", "container": ""},
		"host.id":      {"h-1": "node-1", "h-2": "n2"},
		"workload":     {"web": "", "redis": "", "container": ""},
		"port":         {"1": "", "2": "", "web": "", "container": ""},
	} {
		g := graphOf(t, s, GraphQuery{Query: Query{Filter: parse(t, "")}, By: by(t, tag), Group: None, Rank: metric(t, "volume"), Nodes: 9, Edges: 9})
		got := make(map[string]string)
		for i, name := range g.Nodes.Name {
			got[name] = g.Nodes.Label[i]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", tag, diff)
		}
	}
}
