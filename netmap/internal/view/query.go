package view

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/alerts"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Query is what several answers depend on.
type Query struct {
	Filter   *filter.Filter
	Problems bool  // only edges with failures, breaks, retransmits or failed look-ups
	Only     int   // flags that an edge must have
	Loops    bool  // hops within a node are edges too
	New      int64 // an edge is new if it was first seen within so many seconds
	Alerts   *alerts.Set
	Prices   *Prices // nil: none
	Level    []By    // tags that clients are drawn by, for a series; nil: a ztunnel is a client of its own

	matcher *filter.Matcher           // of Filter, made by the first match
	alerted map[*edge.End][]int       // alerts of the ends that were looked up
	hops    []bool                    // edges whose payload is counted at another one
	served  map[*edge.End][]*edge.End // the clients of ztunnels, by the end that stands for their workload
}

// Flags of an edge, as the API has them.
const (
	flagNew = 1 << iota
	flagUndirected
	flagServerOnly
	flagZones
	flagRegions
	flagUnresolved
	flagAlerts
	flagLookups
	flagThrough
	flagClientFiring
	flagClientPending
	flagServerFiring
	flagServerPending
)

// ParseFlag returns the flag of this name, of those that a query may ask for.
func ParseFlag(name string) (int, bool) {
	flag, ok := map[string]int{"new": flagNew, "zones": flagZones, "regions": flagRegions,
		"unresolved": flagUnresolved, "alerts": flagAlerts, "lookups": flagLookups}[name]
	return flag, ok
}

// flags returns the flags of an edge.
func (q *Query) flags(snapshot *snap.Snapshot, e *snap.Edge) int {
	f := 0
	set := func(flag int, holds bool) {
		if holds {
			f |= flag
		}
	}
	set(flagNew, e.Fresh || !e.Learned && e.First >= snapshot.To-q.New)
	set(flagUndirected, e.Link.Role == edge.Unknown)
	set(flagServerOnly, e.ByServer && !e.ByClient)
	set(flagZones, differ(e, names.TagZone))
	set(flagRegions, differ(e, names.TagRegion))
	set(flagUnresolved, unresolved(e))
	set(flagThrough, e.Link.Source != edge.Value{} && e.Client.AsSource() == e.Link.Source)
	set(flagLookups, e.Link.Lookups)
	f |= q.alertFlags(e.Client, flagClientFiring, flagClientPending)
	return f | q.alertFlags(e.Server, flagServerFiring, flagServerPending)
}

// alertFlags returns the flags of an edge for the alerts about one of its ends.
func (q *Query) alertFlags(e *edge.End, firing, pending int) int {
	f := 0
	for _, i := range q.alertsOf(e) {
		if q.Alerts.Alerts[i].State == alerts.Firing {
			f |= flagAlerts | firing
		} else {
			f |= flagAlerts | pending
		}
	}
	return f
}

// alertsOf returns the alerts about an end, by their index. Many edges share an end.
func (q *Query) alertsOf(e *edge.End) []int {
	if q.Alerts == nil || len(q.Alerts.Alerts) == 0 {
		return nil
	}
	found, known := q.alerted[e]
	if !known {
		if q.alerted == nil {
			q.alerted = make(map[*edge.End][]int)
		}
		found = q.Alerts.Of(e)
		q.alerted[e] = found
	}
	return found
}

func differ(e *snap.Edge, t names.Tag) bool {
	return apart(e.Client, e.Server, t)
}

var ztunnel, waypoint = edge.Text(string(names.Ztunnel)), edge.Text(string(names.Waypoint))

// withinPod reports whether a hop is between an application and its own sidecar. It carries payload that is counted at
// another hop too.
func withinPod(e *snap.Edge) bool { return e.Link.Scope.InPod() }

func unresolved(e *snap.Edge) bool {
	return e.Client.Kind() == edge.Unresolved || e.Server.Kind() == edge.Unresolved
}

// checkEvery is how many edges are matched before the context is checked. The worst filter takes a millisecond for
// them.
const checkEvery = 16

// each calls f with the edges that belong to the answer. It stops with the error of the context.
func (q *Query) each(ctx context.Context, snapshot *snap.Snapshot, f func(i int, e *snap.Edge)) error {
	for i := range snapshot.Edges {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if e := &snapshot.Edges[i]; q.match(snapshot, e) {
			f(i, e)
		}
	}
	return nil
}

// Select returns the edges that belong to an answer, one for each client whose connections come by a ztunnel. It stops
// with the error of the context.
func Select(ctx context.Context, snapshot *snap.Snapshot, q Query) ([]*snap.Edge, error) {
	var chosen []*snap.Edge
	err := q.shown(ctx, q.level(snapshot), func(_ int, e *snap.Edge) {
		for _, client := range q.served[e.Client] {
			of := *e
			of.Client = client
			chosen = append(chosen, &of)
		}
		if len(q.served[e.Client]) == 0 {
			chosen = append(chosen, e)
		}
	})
	return chosen, err
}

// level returns a snapshot at the level of the tags of a series.
func (q *Query) level(snapshot *snap.Snapshot) *snap.Snapshot {
	if q.Level == nil {
		return snapshot
	}
	return q.through(snapshot, q.Level...)
}

// shown calls f with the edges of an answer that are not hops.
func (q *Query) shown(ctx context.Context, snapshot *snap.Snapshot, f func(i int, e *snap.Edge)) error {
	return q.each(ctx, snapshot, func(i int, e *snap.Edge) {
		if !q.hop(i) {
			f(i, e)
		}
	})
}

// match reports whether an edge belongs to the answer.
func (q *Query) match(snapshot *snap.Snapshot, e *snap.Edge) bool {
	if q.Problems && e.Retransmits == 0 && !faulty(e, snapshot.Kinds) {
		return false
	}
	if q.Only != 0 && q.flags(snapshot, e)&q.Only != q.Only {
		return false
	}
	if q.matcher == nil {
		q.matcher = q.Filter.Matcher()
	}
	return q.matcher.Match(e.Client, e.Server, &e.Link)
}

// faulty reports whether an attempt, a connection or a look-up went wrong.
func faulty(e *snap.Edge, kinds []snap.Kind) bool {
	return slices.ContainsFunc(e.Outcomes, func(o snap.Outcome) bool { return kinds[o.Kind].Fault() })
}

// By is a property that edges are grouped by: a tag of an end or, for servers, of the edge.
type By struct {
	end    names.Tag
	edge   names.EdgeTag
	ofEdge bool
	none   bool
}

// None groups nothing.
var None = By{none: true}

// ParseBy returns the property of this name in the API.
func ParseBy(name string) (By, bool) {
	if t, ok := names.ParseTag(name); ok {
		return By{end: t}, true
	}
	if t, ok := names.ParseEdgeTag(name); ok {
		return By{edge: t, ofEdge: true}, true
	}
	return By{}, false
}

// OfEdge reports whether it is a tag of edges.
func (b By) OfEdge() bool { return b.ofEdge }

func (b By) String() string {
	switch {
	case b.none:
		return ""
	case b.ofEdge:
		return b.edge.String()
	}
	return b.end.String()
}

// value returns the value of an end of an edge. Clients have no tags of edges.
func (b By) value(e *edge.End, l *edge.Link, server bool) edge.Value {
	switch {
	case b.none:
		return edge.Value{}
	case !b.ofEdge:
		return e[b.end]
	case server:
		return l.Value(b.edge)
	}
	return edge.Value{}
}

// A node is what ends are drawn as. Comparable.
type node struct {
	group, name edge.Value
	by          By // the name is a value of it
	kind        edge.Kind
}

// other is the node of everything beyond a limit.
var other = node{by: None, kind: edge.Other}

// nodeOf returns the node of an end. Its name is the value of by, else the end's name, else its type.
func nodeOf(e *edge.End, l *edge.Link, server bool, group, by By) node {
	n := node{group: group.value(e, l, server), kind: e.Kind()}
	switch {
	case n.kind == edge.Other:
		return other
	case by.value(e, l, server) != edge.Value{}:
		n.by, n.name = by, by.value(e, l, server)
	case e.Has(names.TagName):
		n.by, n.name = By{end: names.TagName}, e[names.TagName]
	case e.Has(names.TagType):
		n.by, n.name = By{end: names.TagType}, e[names.TagType]
	default:
		n.by, n.name = By{end: names.TagType}, edge.Text(names.TypeUnknown)
	}
	return n
}

// nameOf returns the name of an end's node by name.
func nameOf(e *edge.End) edge.Value { return nodeOf(e, nil, false, None, By{end: names.TagName}).name }

func (n node) compare(m node) int {
	return cmp.Or(
		byText(n.group, m.group), byText(n.name, m.name), strings.Compare(n.by.String(), m.by.String()),
		cmp.Compare(n.kind, m.kind),
	)
}

func byText(a, b edge.Value) int { return strings.Compare(a.String(), b.String()) }

// kinds returns the names of edge.Kind, in its order.
func kinds() []string {
	all := make([]string, edge.Kinds)
	for k := range edge.Kinds {
		all[k] = k.String()
	}
	return all
}
