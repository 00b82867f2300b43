package view

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/store"
)

// GraphQuery is what a graph is drawn from.
type GraphQuery struct {
	Query
	By, Group    By
	Metrics      []Metric
	Rank         Metric
	Nodes, Edges int // limits
}

// Graph is the answer.
type Graph struct {
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
	Totals       Totals       `json:"totals"`
	Shown        Volume       `json:"shown"`
	Folded       Folded       `json:"folded"`
	Unattributed Unattributed `json:"unattributed"`
}

// Nodes are columns.
type Nodes struct {
	Name  []string `json:"name"`
	Tag   []string `json:"tag"`
	Group []int    `json:"group"`
	Kind  []int    `json:"kind"`
	Ends  []int    `json:"ends"`
}

// Edges are columns.
type Edges struct {
	Client, Server, Flags, Count []int
	Metrics                      []Metric
	Columns                      []Numbers
}

// Folded is what is not drawn by itself.
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

// pair is two nodes by their index.
type pair struct{ client, server int32 }

// A register gives nodes numbers. The first is that of what is beyond a limit.
type register struct {
	group, by By
	nodes     []node
	number    map[node]int32
	of        map[*edge.End]int32 // where a node depends on nothing but the end
}

func newRegister(group, by By) *register {
	return &register{
		group: group, by: by, nodes: []node{beyond}, number: map[node]int32{beyond: 0}, of: make(map[*edge.End]int32),
	}
}

func (r *register) enter(e *edge.End, l *edge.Link, server bool) int32 {
	ofEnd := !r.by.ofEdge && !r.group.ofEdge
	if n, met := r.of[e]; met && ofEnd {
		return n
	}
	name := nodeOf(e, l, server, r.group, r.by)
	n, met := r.number[name]
	if !met {
		n = int32(len(r.nodes))
		r.nodes = append(r.nodes, name)
		r.number[name] = n
	}
	if ofEnd {
		r.of[e] = n
	}
	return n
}

// compare orders nodes by what they are, as their numbers depend on the order of edges.
func (r *register) compare(a, b int32) int { return r.nodes[a].compare(r.nodes[b]) }

// NewGraph draws a snapshot.
func NewGraph(snap *store.Snapshot, q GraphQuery) *Graph {
	r := newRegister(q.Group, q.By)
	g := collect(snap, &q.Query, func(e *store.Edge) (pair, bool) {
		p := pair{r.enter(e.Client, &e.Link, false), r.enter(e.Server, &e.Link, true)}
		return p, p.client == p.server && within(&e.Link)
	})
	d := drawing{GraphQuery: q, snap: snap, grouping: g, register: r}
	answer := &Graph{
		From: snap.From, To: snap.To, Seconds: snap.Seconds, Generation: snap.Generation,
		By: q.By.String(), Group: q.Group.String(), Kinds: kinds(),
		Totals: totals(g.edges, &g.total, snap.Kinds), Unattributed: Unattributed{g.orphan},
	}
	answer.Folded.Loops = g.loops
	d.fold(answer)
	d.draw(answer)
	return answer
}

// A drawing is a graph that is being made.
type drawing struct {
	GraphQuery
	*grouping[pair]
	*register
	snap *store.Snapshot

	pairs []pair // after folding
	sums  []sums
}

// fold puts what is beyond the limits into the node that stands for others, least first.
func (d *drawing) fold(answer *Graph) {
	keep := d.busiest(answer)
	at := make(map[pair]int)
	for _, i := range d.order() {
		p := d.keys[i]
		whole := p
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
		if p != whole {
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

// order returns the rows, most first.
func (d *drawing) order() []int {
	order := make([]int, len(d.rows))
	rank := make([]float64, len(d.rows))
	for i := range d.rows {
		order[i] = i
		rank[i] = d.Rank.value(&d.rows[i].Figures, d.snap.Kinds)
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := cmp.Compare(rank[b], rank[a]); c != 0 {
			return c
		}
		return cmp.Or(d.compare(d.keys[a].client, d.keys[b].client), d.compare(d.keys[a].server, d.keys[b].server))
	})
	return order
}

// busiest tells which nodes are drawn by themselves; nil: all.
func (d *drawing) busiest(answer *Graph) []bool {
	figures := make([]store.Figures, len(d.nodes))
	met := make([]bool, len(d.nodes))
	for i, p := range d.keys {
		for _, n := range [...]int32{p.client, p.server} {
			figures[n].Add(&d.rows[i].Figures)
			met[n] = true
		}
	}
	var all []int32
	rank := make([]float64, len(d.nodes))
	for n := range met {
		if met[n] {
			all = append(all, int32(n))
			rank[n] = d.Rank.value(&figures[n], d.snap.Kinds)
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

// draw fills in nodes and edges.
func (d *drawing) draw(answer *Graph) {
	answer.empty(d.Metrics)
	index := d.place(answer)
	type member struct {
		node int32
		end  *edge.End
	}
	counted := make(map[member]bool)
	count := func(n int32, e *edge.End) {
		if m := (member{n, e}); n != 0 && !counted[m] {
			counted[m] = true
			answer.Nodes.Ends[index[n]]++
		}
	}
	for i, p := range d.pairs {
		d.edge(answer, i, index[p.client], index[p.server])
		for _, j := range d.sums[i].edges {
			count(p.client, d.snap.Edges[j].Client)
			count(p.server, d.snap.Edges[j].Server)
		}
	}
}

// edge fills in one edge.
func (d *drawing) edge(answer *Graph, i, client, server int) {
	s := &d.sums[i]
	answer.Edges.Client = append(answer.Edges.Client, client)
	answer.Edges.Server = append(answer.Edges.Server, server)
	answer.Edges.Flags = append(answer.Edges.Flags, s.flags)
	answer.Edges.Count = append(answer.Edges.Count, len(s.edges))
	for j, m := range d.Metrics {
		answer.Edges.Columns[j] = append(answer.Edges.Columns[j], m.value(&s.Figures, d.snap.Kinds))
		switch m.name {
		case "failures":
			answer.Failures.add(i, &s.Figures, d.snap.Kinds, false)
		case "breaks":
			answer.Breaks.add(i, &s.Figures, d.snap.Kinds, true)
		}
	}
}

// empty makes lists of what would be null.
func (g *Graph) empty(metrics []Metric) {
	g.Groups = []string{}
	g.Nodes = Nodes{Name: []string{}, Tag: []string{}, Group: []int{}, Kind: []int{}, Ends: []int{}}
	g.Edges = Edges{
		Client: []int{}, Server: []int{}, Flags: []int{}, Count: []int{}, Metrics: metrics, Columns: make([]Numbers, len(metrics)),
	}
	for i := range g.Edges.Columns {
		g.Edges.Columns[i] = Numbers{}
	}
	g.Failures, g.Breaks = Outcomes{}, Outcomes{}
}

// place fills in the nodes that an edge touches, and returns where each is.
func (d *drawing) place(answer *Graph) map[int32]int {
	index := make(map[int32]int)
	groups := make(map[edge.Value]int)
	for _, p := range d.pairs {
		for _, number := range [...]int32{p.client, p.server} {
			if _, met := index[number]; met {
				continue
			}
			n := d.nodes[number]
			group, met := groups[n.group]
			if !met {
				group = len(answer.Groups)
				groups[n.group] = group
				answer.Groups = append(answer.Groups, n.group.String())
			}
			index[number] = len(answer.Nodes.Name)
			answer.Nodes.Name = append(answer.Nodes.Name, n.name.String())
			answer.Nodes.Tag = append(answer.Nodes.Tag, n.by.String())
			answer.Nodes.Group = append(answer.Nodes.Group, group)
			answer.Nodes.Kind = append(answer.Nodes.Kind, int(n.kind))
			answer.Nodes.Ends = append(answer.Nodes.Ends, 0)
		}
	}
	return index
}
