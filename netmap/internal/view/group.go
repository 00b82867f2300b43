package view

import (
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/store"
)

// sums are edges of a snapshot that are shown as one.
type sums struct {
	store.Figures
	flags int
	edges []int // indices into the snapshot
	first int64
	last  int64
}

func (s *sums) add(i int, e *store.Edge, flags int) {
	if len(s.edges) == 0 {
		s.flags, s.first, s.last = flags, e.First, e.Changed
	}
	everyNew := s.flags & flags & flagNew
	s.flags = (s.flags|flags)&^flagNew | everyNew
	s.first, s.last = min(s.first, e.First), max(s.last, e.Changed)
	s.Add(&e.Figures)
	s.edges = append(s.edges, i)
}

// merge adds what other has.
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

// grouping is the edges of a snapshot that a query lets through, by a key.
type grouping[K comparable] struct {
	keys   []K
	rows   []sums
	row    map[K]int
	of     []int // row of each edge of the snapshot; -1: none
	loops  Volume
	total  store.Figures
	edges  int
	orphan uint64 // retransmits that belong to one of several rows
}

// collect groups edges. A hop that key tells to be a loop is counted apart.
func collect[K comparable](snap *store.Snapshot, q *Query, key func(*store.Edge) (k K, loop bool)) *grouping[K] {
	g := &grouping[K]{row: make(map[K]int), of: make([]int, len(snap.Edges))}
	for i := range snap.Edges {
		e := &snap.Edges[i]
		g.of[i] = -1
		if !q.lets(snap, e) {
			continue
		}
		k, loop := key(e)
		if loop && !q.Loops {
			g.loops.add(1, &e.Figures)
			continue
		}
		row, ok := g.row[k]
		if !ok {
			row = len(g.rows)
			g.row[k] = row
			g.keys = append(g.keys, k)
			g.rows = append(g.rows, sums{})
		}
		g.of[i] = row
		g.rows[row].add(i, e, q.flags(snap, e))
		g.total.Add(&e.Figures)
		g.edges++
	}
	g.share(snap)
	return g
}

// share gives what servers sent again to the row that it belongs to, where that is certain.
func (g *grouping[K]) share(snap *store.Snapshot) {
	for _, s := range snap.Shared {
		rows := make(map[int]bool)
		for _, i := range s.Edges {
			rows[g.of[i]] = true
		}
		if len(rows) == 1 && !rows[-1] {
			row := g.of[s.Edges[0]]
			g.rows[row].Retransmits += s.Retransmits
			g.total.Retransmits += s.Retransmits
		} else if delete(rows, -1); len(rows) > 0 {
			g.orphan += s.Retransmits
		}
	}
}

// kinds are the names of edge.Kind, in its order.
func kinds() []string {
	names := make([]string, edge.Kinds)
	for k := range edge.Kinds {
		names[k] = k.String()
	}
	return names
}
