package view

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/alerts"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// GraphQuery selects what a graph shows.
type GraphQuery struct {
	Query
	By, Group    By
	Metrics      []Metric
	Rank         Metric
	Nodes, Edges int // limits
}

// ByNamespace reports whether the graph depends on figures of edges only as far as these are sums by the namespaces and
// types of both ends. A flag that an edge must have is one of each edge.
func (q *GraphQuery) ByNamespace() bool {
	coarse := []By{{end: names.TagNamespace}, {end: names.TagType}}
	return slices.Contains(coarse, q.By) && (q.Group == None || slices.Contains(coarse, q.Group)) &&
		!q.Problems && q.Only == 0 && q.Filter.Within(names.TagNamespace, names.TagType)
}

// Graph is the answer.
type Graph struct {
	Origin
	From         int64        `json:"from"`
	To           int64        `json:"to"`
	Seconds      float64      `json:"seconds"`
	Generation   uint64       `json:"generation"`
	By           string       `json:"by"`
	Group        string       `json:"group"`
	Groups       []string     `json:"groups"`
	Nodes        Nodes        `json:"nodes"`
	Kinds        []string     `json:"kinds"`
	Edges        Edges        `json:"edges"`
	Failures     Outcomes     `json:"failures"`
	Breaks       Outcomes     `json:"breaks"`
	Lookups      Outcomes     `json:"lookups"`
	Totals       Totals       `json:"totals"`
	Shown        Volume       `json:"shown"`
	Folded       Folded       `json:"folded"`
	Unattributed Unattributed `json:"unattributed"`
}

// Nodes are columns.
type Nodes struct {
	Name  []string `json:"name"`
	Label []string `json:"label"` // the name of what an id is of; else empty
	Tag   []string `json:"tag"`
	Group []int    `json:"group"`
	Kind  []int    `json:"kind"`
	Ends  []int    `json:"ends"`
	// Alerts about the ends of the node, each once.
	Firing  []int `json:"firing"`
	Pending []int `json:"pending"`
}

// Edges are columns.
type Edges struct {
	Client, Server, Flags, Count []int
	Metrics                      []Metric
	Columns                      []Numbers
}

// Folded is what is not drawn as itself.
type Folded struct {
	Loops Volume `json:"loops"`
	Nodes int    `json:"nodes"`
	Edges int    `json:"edges"`
}

// MarshalJSON makes a field of each column.
func (e Edges) MarshalJSON() ([]byte, error) {
	fields := map[string]any{"client": e.Client, "server": e.Server, "flags": e.Flags, "count": e.Count}
	for i, m := range e.Metrics {
		fields[m.name] = e.Columns[i]
	}
	return json.Marshal(fields)
}

// pair is two nodes by their number.
type pair struct{ client, server int32 }

// A nodeTable gives nodes numbers. Number 0 is the node of everything beyond a limit.
type nodeTable struct {
	group, by By
	nodes     []node
	number    map[node]int32
	of        map[*edge.End]int32 // if a node depends on the end only
}

func newNodeTable(group, by By) *nodeTable {
	return &nodeTable{
		group: group, by: by, nodes: []node{other}, number: map[node]int32{other: 0}, of: make(map[*edge.End]int32),
	}
}

func (t *nodeTable) add(e *edge.End, l *edge.Link, server bool) int32 {
	ofEnd := !t.by.ofEdge && !t.group.ofEdge
	if n, known := t.of[e]; known && ofEnd {
		return n
	}
	key := nodeOf(e, l, server, t.group, t.by)
	n, known := t.number[key]
	if !known {
		n = int32(len(t.nodes))
		t.nodes = append(t.nodes, key)
		t.number[key] = n
	}
	if ofEnd {
		t.of[e] = n
	}
	return n
}

// compare compares what the nodes are, as their numbers depend on the order of edges.
func (t *nodeTable) compare(a, b int32) int { return t.nodes[a].compare(t.nodes[b]) }

// NewGraph draws a snapshot. The error is that of the context.
func NewGraph(ctx context.Context, snapshot *snap.Snapshot, q GraphQuery) (*Graph, error) {
	snapshot = q.through(snapshot, q.Group, q.By)
	t := newNodeTable(q.Group, q.By)
	g, err := group(ctx, snapshot, &q.Query, func(e *snap.Edge) (pair, bool) {
		p := pair{t.add(e.Client, &e.Link, false), t.add(e.Server, &e.Link, true)}
		return p, p.client == p.server && withinPod(e)
	})
	if err != nil {
		return nil, err
	}
	d := drawing{GraphQuery: q, snapshot: snapshot, grouping: g, nodeTable: t}
	answer := &Graph{
		Origin: originOf(snapshot),
		From:   snapshot.From, To: snapshot.To, Seconds: snapshot.Seconds, Generation: snapshot.Generation,
		By: q.By.String(), Group: q.Group.String(), Kinds: kinds(),
		Totals: totals(g.edges, &g.total, snapshot.Kinds), Unattributed: Unattributed{g.unattributed},
	}
	answer.Folded.Loops = g.loops
	d.fold(answer)
	d.draw(answer)
	return answer, nil
}

// A drawing is a graph while it is made.
type drawing struct {
	GraphQuery
	*grouping[pair]
	*nodeTable
	snapshot *snap.Snapshot

	pairs []pair // after folding
	sums  []sums
}

// fold draws what is beyond the limits as the node of everything beyond a limit. The rows with least are folded.
func (d *drawing) fold(answer *Graph) {
	keep := d.keep(answer)
	most := min(len(d.rows), d.Edges)
	d.pairs, d.sums = make([]pair, 0, most), make([]sums, 0, most)
	at := make(map[pair]int, most)
	for _, i := range d.order() {
		p := d.keys[i]
		asked := p
		if keep != nil && !keep[p.client] {
			p.client = 0
		}
		if keep != nil && !keep[p.server] {
			p.server = 0
		}
		_, drawn := at[p]
		if !drawn && len(d.pairs) >= d.Edges-1 && len(d.rows) > d.Edges {
			p = pair{}
			_, drawn = at[p]
		}
		if p != asked {
			answer.Folded.Edges++
		} else {
			answer.Shown.add(len(d.rows[i].edges), &d.rows[i].Figures)
		}
		if !drawn {
			at[p] = len(d.pairs)
			d.pairs = append(d.pairs, p)
			d.sums = append(d.sums, d.rows[i])
			continue
		}
		d.sums[at[p]].merge(&d.rows[i])
	}
}

// order returns the rows, those with most first.
func (d *drawing) order() []int {
	order := make([]int, len(d.rows))
	rank := make([]float64, len(d.rows))
	for i := range d.rows {
		order[i] = i
		rank[i] = d.Rank.value(&d.rows[i].Figures, d.snapshot.Kinds)
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := cmp.Compare(rank[b], rank[a]); c != 0 {
			return c // few are equal, and comparing names is slow
		}
		x, y := d.keys[a], d.keys[b]
		return cmp.Or(d.compare(x.client, y.client), d.compare(x.server, y.server))
	})
	return order
}

// keep reports for each node whether it is drawn as itself; nil: all are.
func (d *drawing) keep(answer *Graph) []bool {
	figures := make([]snap.Figures, len(d.nodes))
	touched := make([]bool, len(d.nodes))
	for i, p := range d.keys {
		for _, n := range [...]int32{p.client, p.server} {
			figures[n].Add(&d.rows[i].Figures)
			touched[n] = true
		}
	}
	var all []int32
	rank := make([]float64, len(d.nodes))
	for n := range touched {
		if touched[n] {
			all = append(all, int32(n))
			rank[n] = d.Rank.value(&figures[n], d.snapshot.Kinds)
		}
	}
	if len(all) <= d.Nodes {
		return nil
	}
	slices.SortFunc(all, func(a, b int32) int {
		if c := cmp.Compare(rank[b], rank[a]); c != 0 {
			return c
		}
		return d.compare(a, b)
	})
	keep := make([]bool, len(d.nodes))
	for _, n := range all[:d.Nodes-1] {
		keep[n] = true
	}
	answer.Folded.Nodes = len(all) - (d.Nodes - 1)
	return keep
}

// draw appends nodes and edges.
func (d *drawing) draw(answer *Graph) {
	answer.empty(d.Metrics)
	index := d.place(answer)
	type member struct {
		node int32
		end  *edge.End
	}
	counted := make(map[member]bool)
	alerted := make(map[int32][]int) // alerts by node
	count := func(n int32, e *edge.End) {
		for _, i := range d.alertsOf(e) {
			if !slices.Contains(alerted[n], i) {
				alerted[n] = append(alerted[n], i)
			}
		}
		if m := (member{n, e}); n != 0 && !counted[m] {
			counted[m] = true
			answer.Nodes.Ends[index[n]]++
			if label := &answer.Nodes.Label[index[n]]; *label == "" {
				*label = labelOf(d.nodes[n].by, e)
			}
		}
	}
	for i, p := range d.pairs {
		d.edge(answer, i, index[p.client], index[p.server])
		for _, j := range d.sums[i].edges {
			count(p.client, d.snapshot.Edges[j].Client)
			count(p.server, d.snapshot.Edges[j].Server)
		}
	}
	for n, found := range alerted {
		for _, i := range found {
			if d.Alerts.Alerts[i].State == alerts.Firing {
				answer.Nodes.Firing[index[n]]++
			} else {
				answer.Nodes.Pending[index[n]]++
			}
		}
	}
}

// ids are the tags that are ids, with those that name the same thing for people, the best first.
var ids = map[names.Tag][]names.Tag{
	names.TagContainerID: {names.TagContainer, names.TagName},
	names.TagPodUID:      {names.TagPod, names.TagName},
	names.TagHostID:      {names.TagHost, names.TagNode},
}

// labelOf returns the name of what a node is, if the node is called by an id, and the end has one.
func labelOf(by By, e *edge.End) string {
	if by.ofEdge || by == None {
		return ""
	}
	for _, tag := range ids[by.end] {
		if e.Has(tag) {
			return e.Get(tag)
		}
	}
	return ""
}

// edge appends one edge.
func (d *drawing) edge(answer *Graph, i, client, server int) {
	s := &d.sums[i]
	answer.Edges.Client = append(answer.Edges.Client, client)
	answer.Edges.Server = append(answer.Edges.Server, server)
	answer.Edges.Flags = append(answer.Edges.Flags, s.flags)
	answer.Edges.Count = append(answer.Edges.Count, len(s.edges))
	for j, m := range d.Metrics {
		answer.Edges.Columns[j] = append(answer.Edges.Columns[j], m.value(&s.Figures, d.snapshot.Kinds))
		switch m.name {
		case "failures":
			answer.Failures.add(i, &s.Figures, d.snapshot.Kinds, snap.Attempts)
		case "breaks":
			answer.Breaks.add(i, &s.Figures, d.snapshot.Kinds, snap.Closed)
		case "lookup_failures":
			answer.Lookups.add(i, &s.Figures, d.snapshot.Kinds, snap.Lookups)
		}
	}
}

// empty makes lists of what would marshal as null.
func (g *Graph) empty(metrics []Metric) {
	g.Groups = []string{}
	g.Nodes = Nodes{Name: []string{}, Label: []string{}, Tag: []string{}, Group: []int{}, Kind: []int{}, Ends: []int{},
		Firing: []int{}, Pending: []int{}}
	g.Edges = Edges{
		Client: []int{}, Server: []int{}, Flags: []int{}, Count: []int{},
		Metrics: metrics, Columns: emptyColumns(len(metrics)),
	}
	g.Failures, g.Breaks, g.Lookups = Outcomes{}, Outcomes{}, Outcomes{}
}

// place appends the nodes that an edge touches, and returns the index of each.
func (d *drawing) place(answer *Graph) map[int32]int {
	index := make(map[int32]int)
	groups := make(map[edge.Value]int)
	for _, p := range d.pairs {
		for _, number := range [...]int32{p.client, p.server} {
			if _, placed := index[number]; placed {
				continue
			}
			n := d.nodes[number]
			group, known := groups[n.group]
			if !known {
				group = len(answer.Groups)
				groups[n.group] = group
				answer.Groups = append(answer.Groups, n.group.String())
			}
			index[number] = len(answer.Nodes.Name)
			answer.Nodes.Name = append(answer.Nodes.Name, n.name.String())
			answer.Nodes.Label = append(answer.Nodes.Label, "")
			answer.Nodes.Tag = append(answer.Nodes.Tag, n.by.String())
			answer.Nodes.Group = append(answer.Nodes.Group, group)
			answer.Nodes.Kind = append(answer.Nodes.Kind, int(n.kind))
			answer.Nodes.Ends = append(answer.Nodes.Ends, 0)
			answer.Nodes.Firing = append(answer.Nodes.Firing, 0)
			answer.Nodes.Pending = append(answer.Nodes.Pending, 0)
		}
	}
	return index
}
