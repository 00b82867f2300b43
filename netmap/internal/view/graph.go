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

type pair struct{ client, server node }

// NewGraph draws a snapshot.
func NewGraph(snap *store.Snapshot, q GraphQuery) *Graph {
	g := collect(snap, &q.Query, func(e *store.Edge) (pair, bool) {
		p := pair{nodeOf(e.Client, &e.Link, false, q.Group, q.By), nodeOf(e.Server, &e.Link, true, q.Group, q.By)}
		return p, p.client == p.server && within(&e.Link)
	})
	d := drawing{GraphQuery: q, snap: snap, grouping: g}
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
	snap *store.Snapshot

	pairs []pair // after folding
	sums  []sums
}

// fold puts what is beyond the limits into the node that stands for others, least first.
func (d *drawing) fold(answer *Graph) {
	keep := d.busiest(answer)
	order := make([]int, len(d.rows))
	for i := range order {
		order[i] = i
	}
	rank := make([]float64, len(d.rows))
	for i := range d.rows {
		rank[i] = d.Rank.value(&d.rows[i].Figures, d.snap.Kinds)
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := cmp.Compare(rank[b], rank[a]); c != 0 {
			return c
		}
		return cmp.Or(d.keys[a].client.compare(d.keys[b].client), d.keys[a].server.compare(d.keys[b].server))
	})
	at := make(map[pair]int)
	for _, i := range order {
		p := d.keys[i]
		whole := p
		if keep != nil && !keep[p.client] {
			p.client = beyond
		}
		if keep != nil && !keep[p.server] {
			p.server = beyond
		}
		_, drawn := at[p]
		if !drawn && len(d.pairs) >= d.Edges-1 && len(d.rows) > d.Edges {
			p = pair{beyond, beyond}
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
			d.sums = append(d.sums, sums{})
		}
		d.sums[at[p]].merge(&d.rows[i])
	}
}

func (s *sums) merge(other *sums) {
	if len(s.edges) == 0 {
		s.flags, s.first, s.last = other.flags, other.first, other.last
	}
	everyNew := s.flags & other.flags & flagNew
	s.flags = (s.flags|other.flags)&^flagNew | everyNew
	s.first, s.last = min(s.first, other.first), max(s.last, other.last)
	s.Add(&other.Figures)
	s.edges = append(s.edges, other.edges...)
}

// busiest returns the nodes that are drawn by themselves; nil: all.
func (d *drawing) busiest(answer *Graph) map[node]bool {
	figures := make(map[node]*store.Figures)
	for i, p := range d.keys {
		for _, n := range [...]node{p.client, p.server} {
			if figures[n] == nil {
				figures[n] = new(store.Figures)
			}
			figures[n].Add(&d.rows[i].Figures)
		}
	}
	if len(figures) <= d.Nodes {
		return nil
	}
	all := make([]node, 0, len(figures))
	rank := make(map[node]float64, len(figures))
	for n, f := range figures {
		all = append(all, n)
		rank[n] = d.Rank.value(f, d.snap.Kinds)
	}
	slices.SortFunc(all, func(a, b node) int {
		if c := cmp.Compare(rank[b], rank[a]); c != 0 {
			return c
		}
		return a.compare(b)
	})
	keep := make(map[node]bool, d.Nodes)
	for _, n := range all[:d.Nodes-1] {
		keep[n] = true
	}
	answer.Folded.Nodes = len(all) - (d.Nodes - 1)
	return keep
}

// draw fills in nodes and edges.
func (d *drawing) draw(answer *Graph) {
	answer.empty(d.Metrics)
	ends := make(map[node]map[*edge.End]bool)
	index := d.nodes(answer)
	for i, p := range d.pairs {
		s := &d.sums[i]
		answer.Edges.Client = append(answer.Edges.Client, index[p.client])
		answer.Edges.Server = append(answer.Edges.Server, index[p.server])
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
		for _, j := range s.edges {
			enter(ends, p.client, d.snap.Edges[j].Client)
			enter(ends, p.server, d.snap.Edges[j].Server)
		}
	}
	for n, i := range index {
		answer.Nodes.Ends[i] = len(ends[n])
	}
}

// empty makes lists of what would be null.
func (g *Graph) empty(metrics []Metric) {
	g.Groups = []string{}
	g.Nodes = Nodes{Name: []string{}, Tag: []string{}, Group: []int{}, Kind: []int{}, Ends: []int{}}
	g.Edges = Edges{
		Client: []int{}, Server: []int{}, Flags: []int{}, Count: []int{}, Metrics: metrics, Columns: make([]Numbers, len(metrics)),
	}
	g.Failures, g.Breaks = Outcomes{}, Outcomes{}
}

func enter(ends map[node]map[*edge.End]bool, n node, e *edge.End) {
	if n.kind == edge.Other {
		return
	}
	if ends[n] == nil {
		ends[n] = make(map[*edge.End]bool)
	}
	ends[n][e] = true
}

// nodes fills in those that an edge touches, and returns where each is.
func (d *drawing) nodes(answer *Graph) map[node]int {
	index := make(map[node]int)
	groups := make(map[edge.Value]int)
	for _, p := range d.pairs {
		for _, n := range [...]node{p.client, p.server} {
			if _, met := index[n]; met {
				continue
			}
			group, met := groups[n.group]
			if !met {
				group = len(answer.Groups)
				groups[n.group] = group
				answer.Groups = append(answer.Groups, n.group.String())
			}
			index[n] = len(answer.Nodes.Name)
			answer.Nodes.Name = append(answer.Nodes.Name, n.name.String())
			answer.Nodes.Tag = append(answer.Nodes.Tag, n.by.String())
			answer.Nodes.Group = append(answer.Nodes.Group, group)
			answer.Nodes.Kind = append(answer.Nodes.Kind, int(n.kind))
			answer.Nodes.Ends = append(answer.Nodes.Ends, 0)
		}
	}
	return index
}
