package view

import (
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// tunnelPort is where a ztunnel, and a waypoint, accepts what another one has encrypted (HBONE).
const tunnelPort = 15008

// joins reports whether an answer by these tags of clients shows the way through a ztunnel as one edge: by those that
// the end of an original source always has. By others, such as containers, it shows both legs.
func joins(tags ...By) bool {
	for _, t := range tags {
		switch {
		case t.none, t.ofEdge:
		case t.end == names.TagName, t.end == names.TagNamespace, t.end == names.TagWorkload, t.end == names.TagType:
		default:
			return false
		}
	}
	return true
}

// through returns a snapshot in which the client of each edge that a ztunnel opened is the workload that it did so for,
// if the answer joins. It marks the hops whose payload is counted at another edge: between two ztunnels, and, if it
// joins, from the workload to the ztunnel. The edges keep their indices.
func (q *Query) through(s *snap.Snapshot, tags ...By) *snap.Snapshot {
	if q.Loops {
		return s
	}
	q.hops = make([]bool, len(s.Edges))
	w := newWorkloads(s, joins(tags...))
	if len(w.sources) > 0 {
		c := *s
		c.Edges = append([]snap.Edge{}, s.Edges...)
		s = &c
	}
	for i := range s.Edges {
		e := &s.Edges[i]
		switch {
		case encrypted(e):
			q.hops[i] = true
		case w.sources[e.Link.Source] != nil:
			e.Client = w.sources[e.Link.Source]
		case toTunnel(e) && w.sources[e.Client.AsSource()] != nil:
			q.hops[i] = true
		}
	}
	q.served = w.ends
	return s
}

// hop reports whether the payload of an edge is counted at another one.
func (q *Query) hop(i int) bool { return q.hops != nil && q.hops[i] }

// encrypted reports whether an edge carries what a ztunnel has encrypted for another one. To a ztunnel the end of a
// connection on another node is the pod that has the address; a waypoint has its own, and opens the payload.
func encrypted(e *snap.Edge) bool {
	client, server := e.Client[names.TagProxy], e.Server[names.TagProxy]
	if e.Link.Port != tunnelPort || server == waypoint {
		return false
	}
	return client == ztunnel || server == ztunnel
}

// toTunnel reports whether an edge is that of an application, or of another proxy, to a ztunnel.
func toTunnel(e *snap.Edge) bool {
	return e.Server[names.TagProxy] == ztunnel && e.Client[names.TagProxy] != ztunnel && !encrypted(e)
}

// workloads are those that ztunnels connect for.
type workloads struct {
	sources map[edge.Value]*edge.End  // by netconn.original_source.name
	ends    map[*edge.End][]*edge.End // of each source, that connect to a ztunnel
}

func newWorkloads(s *snap.Snapshot, join bool) workloads {
	w := workloads{make(map[edge.Value]*edge.End), make(map[*edge.End][]*edge.End)}
	for i := range s.Edges {
		if v := s.Edges[i].Link.Source; join && v != (edge.Value{}) && w.sources[v] == nil && !encrypted(&s.Edges[i]) {
			e := edge.Source(v, names.Ztunnel)
			w.sources[v] = &e
		}
	}
	for i := range s.Edges {
		e := &s.Edges[i]
		if !toTunnel(e) {
			continue
		}
		if source := w.sources[e.Client.AsSource()]; source != nil {
			w.ends[source] = append(w.ends[source], e.Client)
		}
	}
	for source, ends := range w.ends {
		source.Agree(ends)
	}
	return w
}
