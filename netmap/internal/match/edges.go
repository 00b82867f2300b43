package match

import (
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Origin is which reports an edge was made of.
type Origin struct {
	Report  int   // the report that counts
	Shadows []int // reports of the other end that add only their retransmits
}

// Matched are the edges that reports make, with the origin of each, and the retransmits that belong to several of them.
type Matched struct {
	Edges   []snap.Edge
	Origins []Origin
	Shared  []snap.Shared
}

// Edges makes the edges of reports. figures are what each report counted in the range. Edges that counted nothing, and
// were not first seen in the range, are left out.
func Edges(reports []Report, figures []snap.Figures, x *Index, p *Peers, r snap.Range) Matched {
	m := Matched{Edges: make([]snap.Edge, 0, len(reports)), Origins: make([]Origin, 0, len(reports))}
	place := make([]int32, len(reports)) // of the edge that a report counts for, one more than its index; 0: none
	var shadows []shadow
	for i := range reports {
		if reports[i].Local == nil {
			continue
		}
		if primaries := x.Primaries(i); len(primaries) > 0 {
			shadows = append(shadows, shadow{i, primaries})
			continue
		}
		m.Edges = append(m.Edges, newEdge(&reports[i], figures[i], p))
		m.Origins = append(m.Origins, Origin{Report: i})
		place[i] = int32(len(m.Edges))
	}
	for _, s := range shadows {
		m.join(s, place, figures[s.report].Retransmits)
	}
	m.drop(r)
	return m
}

// A shadow is a report that does not count, and those that count instead.
type shadow struct {
	report    int
	primaries []int
}

// newEdge makes an edge of the report that counts.
func newEdge(r *Report, f snap.Figures, p *Peers) snap.Edge {
	e := snap.Edge{
		Client: p.Correct(r.Local), Server: p.Resolve(r.Local, r.Peer, r.Link.Scope), Link: r.Link, Figures: f,
		First: r.First, Changed: r.Changed, ByClient: r.Link.Role != edge.Server, ByServer: r.Link.Role == edge.Server,
	}
	if r.Link.Role == edge.Server {
		e.Client, e.Server = e.Server, e.Client
	}
	Orient(&e.Figures, &e)
	return e
}

// Orient makes figures of an edge of the figures of its report: it exchanges what a server sent and received. If one
// report has both ends of each connection, what it received is what it sent, and counts once.
func Orient(f *snap.Figures, e *snap.Edge) {
	switch {
	case e.Link.Role == edge.Server:
		f.Tx, f.Rx = f.Rx, f.Tx
	case e.Link.Role == edge.Unknown && e.Link.Scope.Local() && e.Client == e.Server:
		f.Rx = 0
	}
}

// join adds a shadow to the edges that count instead of it: the end reports them too, and has retransmits of its own.
func (m *Matched) join(s shadow, place []int32, retransmits uint64) {
	var edges []int
	for _, primary := range s.primaries {
		if i := int(place[primary]) - 1; i >= 0 {
			edges = append(edges, i)
			m.Edges[i].ByClient, m.Edges[i].ByServer = true, true
		}
	}
	switch {
	case len(edges) == 1:
		i := edges[0]
		m.Edges[i].Retransmits += retransmits
		m.Origins[i].Shadows = append(m.Origins[i].Shadows, s.report)
	case retransmits > 0 && len(edges) > 1:
		m.Shared = append(m.Shared, snap.Shared{Edges: edges, Retransmits: retransmits})
	}
}

// drop leaves out edges with nothing in the range.
func (m *Matched) drop(r snap.Range) {
	moved := make([]int, len(m.Edges))
	n := 0
	for i := range m.Edges {
		e := &m.Edges[i]
		moved[i] = -1
		if !e.Idle() || e.First >= r.From && e.First < r.To {
			moved[i] = n
			m.Edges[n], m.Origins[n] = m.Edges[i], m.Origins[i]
			n++
		}
	}
	m.Edges, m.Origins = m.Edges[:n], m.Origins[:n]
	for i := range m.Shared {
		s := &m.Shared[i]
		s.Edges = slices.DeleteFunc(s.Edges, func(j int) bool { return moved[j] < 0 })
		for k, j := range s.Edges {
			s.Edges[k] = moved[j]
		}
	}
}
