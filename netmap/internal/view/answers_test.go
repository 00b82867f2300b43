package view

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// ofTags makes an end of pairs of tag and value.
func ofTags(t *testing.T, pairs ...string) *edge.End {
	t.Helper()
	var e edge.End
	for i := 0; i < len(pairs); i += 2 {
		tag, ok := names.ParseTag(pairs[i])
		if !ok {
			t.Fatalf("no tag %q", pairs[i])
		}
		e[tag] = edge.Text(pairs[i+1])
	}
	return &e
}

// The kinds of all snapshots of these tests.
var outcomes = []snap.Kind{
	{Of: snap.Attempts}, {Of: snap.Closed}, {Of: snap.Attempts, Error: "refused"}, {Of: snap.Closed, Error: "reset"},
	{Of: snap.Attempts, Error: "timed_out"}, {Of: snap.Lookups, Error: "SERVFAIL"}, {Of: snap.Lookups, Error: "NXDOMAIN"},
}

func snapshotOf(edges ...snap.Edge) *snap.Snapshot {
	return &snap.Snapshot{
		Range: snap.Range{From: 1000, To: 1030, Step: 10}, Seconds: 30, Generation: 7, Kinds: outcomes, Edges: edges, History: past{},
	}
}

// program is an end with a name.
func program(t *testing.T, name string) *edge.End { return ofTags(t, "name", name, "type", "host") }

// calls is an edge with n bytes by the client's report.
func calls(client, server *edge.End, port uint16, n uint64) snap.Edge {
	return snap.Edge{
		Client: client, Server: server, Link: edge.Link{Role: edge.Client, Scope: edge.ScopeRemote, Port: port},
		Figures: snap.Figures{Tx: n}, ByClient: true, Learned: true,
	}
}

// looksUp is an edge with one look-up that ended in a way.
func looksUp(client, server *edge.End, port uint16, kind uint8) snap.Edge {
	e := calls(client, server, port, 0)
	e.Link.Lookups, e.Lookups, e.Outcomes = true, 1, []snap.Outcome{{Kind: kind, N: 1}}
	return e
}

func TestMetrics(t *testing.T) {
	f := snap.Figures{
		Tx: 10, Rx: 20, Retransmits: 3, RTTs: 4, RTTSum: 2, RTTMax: 0.7, Handshakes: 5, HandshakeSum: 1, Attempts: 6, Closed: 7, Active: 8,
		Lookups: 9, LookupTimes: 4, LookupSum: 1,
		Outcomes: []snap.Outcome{{Kind: 2, N: 2}, {Kind: 3, N: 1}, {Kind: 4, N: 3}, {Kind: 5, N: 5}, {Kind: 6, N: 1}},
	}
	want := map[string]float64{
		"tx": 10, "rx": 20, "retransmits": 3, "rtt": 0.5, "rtt_max": 0.7, "handshake": 0.2, "attempts": 6, "failures": 5, "closed": 7,
		"breaks": 1, "active": 8, "lookups": 9, "lookup_failures": 5, "lookup_time": 0.25, "volume": 30,
	}
	got := map[string]float64{}
	for _, m := range metrics {
		got[m.String()] = m.value(&f, outcomes)
		if back, ok := ParseMetric(m.String()); !ok || back.name != m.name || m.Column() != (m.name != "volume") {
			t.Errorf("%s is read as %v", m, back)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if _, ok := ParseMetric("nothing"); ok {
		t.Error("nothing is a metric")
	}
	for _, name := range []string{"rtt", "rtt_max", "handshake"} { // without a sample
		if m := metric(t, name); !math.IsNaN(m.value(&snap.Figures{RTTMax: 1}, outcomes)) || !math.IsNaN(m.value(&snap.Figures{RTTs: 0}, outcomes)) {
			t.Errorf("%s without a sample is a number", name)
		}
	}
	if m := metric(t, "rtt_max"); !math.IsNaN(m.value(&snap.Figures{RTTs: 1}, outcomes)) {
		t.Error("the slowest round trip of samples without bounds is a number")
	}
}

func TestNumbersAsJSON(t *testing.T) {
	b, err := json.Marshal(Numbers{0, 1, -2, 1 << 53, 0.123456, 1234.5, 1e-9, math.NaN(), math.Inf(1), math.Inf(-1), 1e30})
	if err != nil {
		t.Fatal(err)
	}
	if want := "[0,1,-2,9007199254740992,0.123,1.23e+03,1e-09,null,null,null,1e+30]"; string(b) != want {
		t.Errorf("%s, want %s", b, want)
	}
	if b, _ := json.Marshal(Numbers{}); string(b) != "[]" {
		t.Errorf("no numbers are %s", b)
	}
	for n, want := range map[Number]string{0.5: "0.5", 3: "3", Number(math.NaN()): "null"} {
		if b, _ := json.Marshal(n); string(b) != want {
			t.Errorf("%v is %s, want %s", float64(n), b, want)
		}
	}
}

// Retransmits of a server belong to the row that all its edges are in, or to none.
func TestUnattributedRetransmits(t *testing.T) {
	a, b, db := program(t, "a"), program(t, "b"), program(t, "db")
	s := snapshotOf(calls(a, db, 1, 1), calls(a, db, 2, 2), calls(b, db, 1, 4))
	for text, tt := range map[string]struct {
		shared             []snap.Shared
		attributed, orphan uint64
	}{
		"":              {[]snap.Shared{{Edges: []int{0, 1}, Retransmits: 5}, {Edges: []int{0, 2}, Retransmits: 70}}, 5, 70},
		"client.name=a": {[]snap.Shared{{Edges: []int{0, 1}, Retransmits: 5}, {Edges: []int{0, 2}, Retransmits: 70}}, 5, 70},
		"client.name=b": {[]snap.Shared{{Edges: []int{0, 1}, Retransmits: 5}, {Edges: []int{1, 2}, Retransmits: 70}}, 0, 70},
		"port=9":        {[]snap.Shared{{Edges: []int{0, 1}, Retransmits: 5}, {Retransmits: 70}}, 0, 0},
	} {
		s.Shared = tt.shared
		g := graphOf(t, s, GraphQuery{
			Query: Query{Filter: parse(t, text)}, By: by(t, "name"), Group: None, Metrics: []Metric{metric(t, "retransmits")},
			Rank: metric(t, "volume"), Nodes: 100, Edges: 100,
		})
		if g.Totals.Retransmits != tt.attributed || g.Unattributed.Retransmits != tt.orphan || sumOf(g.Edges.Columns[0]) != float64(tt.attributed) {
			t.Errorf("%q: graph with %d retransmits of an edge and %d of one of several, want %d and %d",
				text, g.Totals.Retransmits, g.Unattributed.Retransmits, tt.attributed, tt.orphan)
		}
		f, err := NewFlows(t.Context(), s, FlowsQuery{
			Query: Query{Filter: parse(t, text)}, Clients: []By{by(t, "name")}, Servers: []By{by(t, "name")}, Sort: Sort{By: metric(t, "tx")}, Limit: 10,
		})
		if err != nil || f.Totals.Retransmits != tt.attributed || f.Unattributed.Retransmits != tt.orphan {
			t.Errorf("%q: flows with %d and %d (%v)", text, f.Totals.Retransmits, f.Unattributed.Retransmits, err)
		}
	}
}

// Grouped edges have the sum of all figures.
func TestGroupedEdges(t *testing.T) {
	a, db := program(t, "a"), program(t, "db")
	one, two := calls(a, db, 1, 1), calls(a, db, 2, 2)
	one.Figures = snap.Figures{RTTs: 1, RTTSum: 1, Handshakes: 1, HandshakeSum: 0.25, Attempts: 2, Outcomes: []snap.Outcome{{Kind: 2, N: 1}, {Kind: 3, N: 5}}}
	two.Figures = snap.Figures{RTTs: 3, RTTSum: 1, Handshakes: 1, HandshakeSum: 0.75, Attempts: 3, Outcomes: []snap.Outcome{{Kind: 2, N: 2}, {Kind: 4, N: 1}}}
	three := calls(a, db, 3, 0)
	three.Figures = snap.Figures{Lookups: 9, LookupTimes: 4, LookupSum: 1, Outcomes: []snap.Outcome{{Kind: 5, N: 2}, {Kind: 6, N: 3}}}
	three.First, three.Changed = 500, 800
	one.First, one.Changed, two.First, two.Changed = 500, 900, 400, 800
	f, err := NewFlows(t.Context(), snapshotOf(one, two, three), FlowsQuery{
		Query: Query{Filter: new(filter.Filter)}, Clients: []By{by(t, "name")}, Servers: []By{by(t, "name")}, Sort: Sort{By: metric(t, "tx")}, Limit: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for i, m := range columns {
		got[m.name] = f.columns[i][0]
	}
	want := map[string]float64{
		"tx": 0, "rx": 0, "retransmits": 0, "rtt": 0.5, "handshake": 0.5, "attempts": 5, "failures": 4, "closed": 0, "breaks": 5, "active": 0,
		"lookups": 9, "lookup_failures": 2, "lookup_time": 0.25,
	}
	delete(got, "rtt_max")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures of the row (-want +got):\n%s", diff)
	}
	if f.First[0] != 400 || f.Last[0] != 900 || f.Count[0] != 3 {
		t.Errorf("first %d, last %d, %d edges", f.First[0], f.Last[0], f.Count[0])
	}
	if diff := cmp.Diff(Outcomes{"refused": {{0, 3}}, "timed_out": {{0, 1}}}, f.FailuresBy); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Outcomes{"reset": {{0, 5}}}, f.BreaksBy); diff != "" {
		t.Errorf("breaks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Outcomes{"SERVFAIL": {{0, 2}}, "NXDOMAIN": {{0, 3}}}, f.LookupsBy); diff != "" {
		t.Errorf("look-ups (-want +got):\n%s", diff)
	}
	if f.Totals.Lookups != 9 || f.Totals.LookupFailures != 2 {
		t.Errorf("totals %+v", f.Totals)
	}
	if f.Totals.Failures != 4 || f.Totals.Breaks != 5 || f.Totals.Attempts != 5 || f.Totals.Edges != 3 {
		t.Errorf("totals %+v", f.Totals)
	}
}

// What a query asks for besides the filter.
func TestQueries(t *testing.T) {
	a, b, x := program(t, "a"), program(t, "b"), ofTags(t, "type", "private")
	zoned := ofTags(t, "name", "z", "type", "host", "zone", "1", "region", "r")
	other := ofTags(t, "name", "y", "type", "host", "zone", "2", "region", "s")
	edges := map[string]snap.Edge{
		"quiet": calls(a, b, 1, 1), "fails": calls(a, b, 2, 1), "resends": calls(a, b, 3, 1), "unknown": calls(a, x, 4, 1),
		"no name": looksUp(a, b, 9, 6), "no resolver": looksUp(a, b, 10, 5),
		"crosses": calls(zoned, other, 5, 1), "new": calls(a, b, 6, 1), "only the server": calls(a, b, 7, 1), "undirected": calls(a, b, 8, 1),
	}
	change := func(name string, f func(*snap.Edge)) {
		e := edges[name]
		f(&e)
		edges[name] = e
	}
	change("fails", func(e *snap.Edge) { e.Outcomes = []snap.Outcome{{Kind: 2, N: 1}} })
	change("resends", func(e *snap.Edge) { e.Retransmits = 1 })
	change("new", func(e *snap.Edge) { e.Learned, e.First = false, 1030-60 })
	change("only the server", func(e *snap.Edge) { e.ByClient, e.ByServer = false, true })
	change("undirected", func(e *snap.Edge) { e.Link.Role = edge.Unknown })
	flag := func(name string) int {
		f, ok := ParseFlag(name)
		if !ok {
			t.Fatalf("no flag %q", name)
		}
		return f
	}
	for name, tt := range map[string]struct {
		q    Query
		want []string
	}{
		"all":                     {Query{New: 60}, []string{"crosses", "fails", "new", "no name", "no resolver", "only the server", "quiet", "resends", "undirected", "unknown"}},
		"problems":                {Query{Problems: true}, []string{"fails", "no resolver", "resends"}},
		"new":                     {Query{Only: flag("new"), New: 60}, []string{"new"}},
		"new, of a minute":        {Query{Only: flag("new"), New: 59}, nil},
		"look-ups":                {Query{Only: flag("lookups")}, []string{"no name", "no resolver"}},
		"zones":                   {Query{Only: flag("zones")}, []string{"crosses"}},
		"zones and regions":       {Query{Only: flag("zones") | flag("regions")}, []string{"crosses"}},
		"zones and unresolved":    {Query{Only: flag("zones") | flag("unresolved")}, nil},
		"unresolved":              {Query{Only: flag("unresolved")}, []string{"unknown"}},
		"filter":                  {Query{Filter: parse(t, "port=1,2")}, []string{"fails", "quiet"}},
		"problems of a filter":    {Query{Filter: parse(t, "port=1,2"), Problems: true}, []string{"fails"}},
		"only the server's":       {Query{Only: flagServerOnly}, []string{"only the server"}},
		"the client is not known": {Query{Only: flagUndirected}, []string{"undirected"}},
	} {
		if tt.q.Filter == nil {
			tt.q.Filter = new(filter.Filter)
		}
		var got []string
		for text, e := range edges {
			if tt.q.match(snapshotOf(), &e) {
				got = append(got, text)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, ok := ParseFlag("old"); ok {
		t.Error("old is a flag")
	}
}

func TestSortedTables(t *testing.T) {
	edges := []snap.Edge{}
	for i, name := range []string{"b", "c", "a"} {
		e := calls(program(t, name), program(t, fmt.Sprint("s", 3-i)), 80, uint64(10*(i+1)))
		if name != "c" {
			e.RTTs, e.RTTSum = 1, float64(i)
		}
		edges = append(edges, e)
	}
	for name, tt := range map[string]struct {
		sort Sort
		want string
	}{
		"most bytes":       {Sort{By: metric(t, "tx"), Descend: true}, "acb"},
		"least bytes":      {Sort{By: metric(t, "tx")}, "bca"},
		"clients":          {Sort{Names: true}, "abc"},
		"clients, last":    {Sort{Names: true, Descend: true}, "cba"},
		"servers":          {Sort{Names: true, Server: true}, "acb"},
		"servers, last":    {Sort{Names: true, Server: true, Descend: true}, "bca"},
		"slowest":          {Sort{By: metric(t, "rtt"), Descend: true}, "abc"}, // c has no sample
		"fastest":          {Sort{By: metric(t, "rtt")}, "bac"},
		"all are the same": {Sort{By: metric(t, "rx"), Descend: true}, "abc"},
	} {
		f, err := NewFlows(t.Context(), snapshotOf(edges...), FlowsQuery{
			Query: Query{Filter: new(filter.Filter)}, Clients: []By{by(t, "name")}, Servers: []By{by(t, "name")}, Sort: tt.sort, Limit: 10,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range f.Client {
			got += c[0]
		}
		if got != tt.want {
			t.Errorf("%s first: %s, want %s", name, got, tt.want)
		}
	}
}

// Ends without any of the tags are rows by their names, and are not one row.
func TestRowsOfEndsWithoutTheTag(t *testing.T) {
	edges := []snap.Edge{
		calls(program(t, "a"), ofTags(t, "type", "public"), 443, 1), calls(program(t, "b"), ofTags(t, "type", "private"), 443, 2), calls(program(t, "b"), program(t, "x"), 443, 3),
		calls(program(t, "b"), program(t, "y"), 443, 3),
		calls(ofTags(t, "name", "c", "workload", "w", "type", "pod"), ofTags(t, "name", "d", "workload", "v", "type", "pod"), 80, 4),
	}
	f, err := NewFlows(t.Context(), snapshotOf(edges...), FlowsQuery{
		Query: Query{Filter: new(filter.Filter)}, Clients: []By{by(t, "workload")}, Servers: []By{by(t, "workload"), by(t, "port")},
		Sort: Sort{By: metric(t, "tx")}, Limit: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for i := range f.Client {
		got = append(got, fmt.Sprintf("%v(%s) -> %v(%s) %d/%d", f.Client[i], f.ClientName[i], f.Server[i], f.ServerName[i], f.ClientKind[i], f.ServerKind[i]))
	}
	want(t, "rows", got, "[](a) -> [ 443](public) 0/1", "[](b) -> [ 443](private) 0/2", "[](b) -> [ 443](x) 0/0", "[](b) -> [ 443](y) 0/0", "[w](c) -> [v 80](d) 0/0")
}

func TestDetailsHaveWhatEnded(t *testing.T) {
	e := calls(program(t, "a"), ofTags(t, "type", "private", "address", "10.0.0.1"), 1, 10)
	e.Outcomes, e.ByServer, e.First, e.Changed = []snap.Outcome{{Kind: 2, N: 7}, {Kind: 3, N: 8}}, true, 11, 22
	d := detail(snapshotOf(), &Query{}, &e)
	if diff := cmp.Diff([]any{map[string]uint64{"refused": 7}, map[string]uint64{"reset": 8}}, []any{d.FailuresBy, d.BreaksBy}); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"network.address": "10.0.0.1", "netconn.type": "private"}, d.Server); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	if d.ClientKind != "internal" || d.ServerKind != "unresolved" || d.First != 11 || d.Last != 22 || d.Flags != flagUnresolved {
		t.Errorf("%+v", d)
	}
	b, err := json.Marshal(d)
	var back map[string]any
	if err != nil || json.Unmarshal(b, &back) != nil || back["tx"] != 10.0 || back["rtt"] != nil || back["flags"] != 32.0 {
		t.Errorf("marshals as %s (%v)", b, err)
	}
}

// Tags by name, of an end and of an edge.
func TestBy(t *testing.T) {
	for tag := range names.Tags {
		if b, ok := ParseBy(tag.String()); !ok || b.OfEdge() || b.String() != tag.String() {
			t.Errorf("%v is read as %v", tag, b)
		}
	}
	for tag := range names.EdgeTags {
		if b, ok := ParseBy(tag.String()); !ok || !b.OfEdge() || b.String() != tag.String() {
			t.Errorf("%v is read as %v", tag, b)
		}
	}
	if _, ok := ParseBy("nothing"); ok || None.String() != "" {
		t.Error("nothing is a tag")
	}
	e := calls(program(t, "a"), program(t, "b"), 80, 1)
	if v := by(t, "port").value(e.Server, &e.Link, true).String(); v != "80" {
		t.Errorf("the server's port is %q", v)
	}
	if v := by(t, "port").value(e.Client, &e.Link, false).String(); v != "" {
		t.Errorf("the client's port is %q", v)
	}
}
