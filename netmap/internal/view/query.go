package view

import (
	"strings"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/store"
)

// Query is what several answers depend on.
type Query struct {
	Filter   *filter.Filter
	Problems bool  // only edges with failures, breaks or retransmits
	Only     int   // flags that an edge must have
	Loops    bool  // hops within a node are edges too
	New      int64 // an edge is new if it was first seen within so many seconds

	matcher *filter.Matcher // of Filter, once something was matched
}

// Flags of an edge, as the API has them.
const (
	flagNew = 1 << iota
	flagUndirected
	flagServerOnly
	flagZones
	flagRegions
	flagUnresolved
)

// ParseFlag finds a flag that a query may ask for by its name.
func ParseFlag(name string) (int, bool) {
	flag, ok := map[string]int{"new": flagNew, "zones": flagZones, "regions": flagRegions, "unresolved": flagUnresolved}[name]
	return flag, ok
}

// flags returns those of one edge of a snapshot.
func (q *Query) flags(snap *store.Snapshot, e *store.Edge) int {
	f := 0
	set := func(flag int, holds bool) {
		if holds {
			f |= flag
		}
	}
	set(flagNew, !e.Learned && e.First >= snap.To-q.New)
	set(flagUndirected, e.Link.Role == edge.Unknown)
	set(flagServerOnly, e.ByPeer && !e.ByClient)
	set(flagZones, differ(e, edge.Zone))
	set(flagRegions, differ(e, edge.Region))
	set(flagUnresolved, e.Client.Kind() == edge.Unresolved || e.Server.Kind() == edge.Unresolved)
	return f
}

func differ(e *store.Edge, t edge.Tag) bool {
	return e.Client.Has(t) && e.Server.Has(t) && e.Client[t] != e.Server[t]
}

// lets tells whether the query wants an edge.
func (q *Query) lets(snap *store.Snapshot, e *store.Edge) bool {
	if q.Problems && e.Retransmits == 0 && len(e.Outcomes) == 0 {
		return false
	}
	if q.Only != 0 && q.flags(snap, e)&q.Only != q.Only {
		return false
	}
	if q.matcher == nil {
		q.matcher = q.Filter.Matcher()
	}
	return q.matcher.Match(e.Client, e.Server, &e.Link)
}

// By is a property that edges are grouped by: a tag of an end or, for servers, of the edge.
type By struct {
	end    edge.Tag
	link   edge.LinkTag
	ofEdge bool
	none   bool
}

// None groups nothing.
var None = By{none: true}

// ParseBy finds one by its name in the API.
func ParseBy(name string) (By, bool) {
	if t, ok := edge.ParseTag(name); ok {
		return By{end: t}, true
	}
	if t, ok := edge.ParseLinkTag(name); ok {
		return By{link: t, ofEdge: true}, true
	}
	return By{}, false
}

// OfEdge tells whether it is a tag of edges.
func (b By) OfEdge() bool { return b.ofEdge }

func (b By) String() string {
	switch {
	case b.none:
		return ""
	case b.ofEdge:
		return b.link.String()
	}
	return b.end.String()
}

// value returns that of an end of an edge.
func (b By) value(e *edge.End, l *edge.Link, server bool) edge.Value {
	switch {
	case b.none:
		return edge.Value{}
	case !b.ofEdge:
		return e[b.end]
	case server:
		return l.Value(b.link)
	}
	return edge.Value{}
}

// A node is what ends are drawn as. Comparable.
type node struct {
	group, name edge.Value
	by          By // that the name is a value of
	kind        edge.Kind
}

// nodeOf returns the node of an end: by what was asked for, else by its name, else by its type.
func nodeOf(e *edge.End, l *edge.Link, server bool, group, by By) node {
	n := node{group: group.value(e, l, server), kind: e.Kind()}
	switch {
	case n.kind == edge.Other:
		return beyond
	case by.value(e, l, server) != edge.Value{}:
		n.by, n.name = by, by.value(e, l, server)
	case e.Has(edge.Name):
		n.by, n.name = By{end: edge.Name}, e[edge.Name]
	case e.Has(edge.Type):
		n.by, n.name = By{end: edge.Type}, e[edge.Type]
	default:
		n.by, n.name = By{end: edge.Type}, edge.Text("unknown")
	}
	return n
}

// beyond is the node of what is beyond a limit.
var beyond = node{by: None, kind: edge.Other}

func (n node) compare(other node) int {
	for _, c := range [...]int{
		strings.Compare(n.group.String(), other.group.String()),
		strings.Compare(n.name.String(), other.name.String()),
		strings.Compare(n.by.String(), other.by.String()),
		int(n.kind) - int(other.kind),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// within tells whether a hop stays in its pod.
func within(l *edge.Link) bool { return l.Scope == edge.ScopePod || l.Scope == edge.ScopeContainer }
