package view

import (
	"context"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// sums are edges of a snapshot that are shown as one.
type sums struct {
	snap.Figures
	cost  cost
	flags int
	edges []int // indices into the snapshot
	first int64
	last  int64
}

func (s *sums) add(i int, e *snap.Edge, flags int) {
	s.join(flags, e.First, e.Changed)
	s.Add(&e.Figures)
	s.edges = append(s.edges, i)
}

func (s *sums) merge(m *sums) {
	s.join(m.flags, m.first, m.last)
	s.Add(&m.Figures)
	s.cost.add(m.cost)
	s.edges = append(s.edges, m.edges...)
}

// join adds the flags and times of other edges. The sum is new only if all edges are.
func (s *sums) join(flags int, first, last int64) {
	if len(s.edges) == 0 {
		s.flags, s.first, s.last = flags, first, last
		return
	}
	allNew := s.flags & flags & flagNew
	s.flags = (s.flags|flags)&^flagNew | allNew
	s.first, s.last = min(s.first, first), max(s.last, last)
}

// grouping is the edges of a snapshot that match a query, by a key.
type grouping[K comparable] struct {
	keys         []K
	rows         []sums
	row          map[K]int
	of           []int // row of each edge of the snapshot; -1: none
	loops        Volume
	total        snap.Figures
	cost         cost
	edges        int
	unattributed uint64 // retransmits that belong to one of several rows
}

// group groups edges. key also reports whether a hop is a loop, which is counted apart. The error is that of the
// context.
func group[K comparable](
	ctx context.Context, snapshot *snap.Snapshot, q *Query, key func(*snap.Edge) (k K, loop bool),
) (*grouping[K], error) {
	g := &grouping[K]{row: make(map[K]int), of: make([]int, len(snapshot.Edges))}
	for i := range g.of {
		g.of[i] = -1
	}
	var sizes []int // edges of each row
	err := q.each(ctx, snapshot, func(i int, e *snap.Edge) {
		k, loop := key(e)
		if (loop || q.hop(i)) && !q.Loops {
			g.loops.add(1, &e.Figures)
			return
		}
		row, ok := g.row[k]
		if !ok {
			row = len(g.keys)
			g.row[k] = row
			g.keys, sizes = append(g.keys, k), append(sizes, 0)
		}
		g.of[i] = row
		sizes[row]++
		g.edges++
	})
	if err != nil {
		return nil, err
	}
	g.sum(snapshot, q, sizes)
	for i := range snapshot.Shared {
		g.attribute(&snapshot.Shared[i])
	}
	return g, nil
}

// sum adds up the edges of each row. The number of rows and their sizes are known by then, so no list grows.
func (g *grouping[K]) sum(snapshot *snap.Snapshot, q *Query, sizes []int) {
	g.rows = make([]sums, len(sizes))
	edges := make([]int, g.edges)
	for row, n := range sizes {
		g.rows[row].edges, edges = edges[:0:n], edges[n:]
	}
	for i, row := range g.of {
		if row < 0 {
			continue
		}
		e := &snapshot.Edges[i]
		c := q.Prices.cost(e)
		g.rows[row].add(i, e, q.flags(snapshot, e))
		g.rows[row].cost.add(c)
		g.total.Add(&e.Figures)
		g.cost.add(c)
	}
}

// attribute adds retransmits of servers to the row that they belong to, if that is certain.
func (g *grouping[K]) attribute(s *snap.Shared) {
	rows := make(map[int]bool)
	for _, i := range s.Edges {
		rows[g.of[i]] = true
	}
	if len(rows) == 1 && !rows[-1] {
		g.rows[g.of[s.Edges[0]]].Retransmits += s.Retransmits
		g.total.Retransmits += s.Retransmits
		return
	}
	delete(rows, -1)
	if len(rows) > 0 {
		g.unattributed += s.Retransmits
	}
}
