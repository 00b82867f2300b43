package history

import (
	"fmt"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// alone is the attribute of the name of an end that its namespace and type do not stand for.
const alone = "alone"

// byNamespace are the names of the series that rules make of the metrics each hour: sums by the namespaces of both
// ends.
var byNamespace = [metrics]string{
	volume: "netconn:namespace_io:increase1h", attempts: "netconn:namespace_attempts:increase1h",
	closed: "netconn:namespace_closed:increase1h", retransmits: "netconn:namespace_retransmits:increase1h",
	active: "netconn:namespace_active:last1h",
	rttSum: "netconn:namespace_rtt_sum:increase1h", rttCount: "netconn:namespace_rtt_count:increase1h",
}

// namespaceLabels are those by which a metric of namespaces is added up. Both reports of an edge agree on them.
func namespaceLabels(m metric) []string {
	all := append([]string{names.EdgeReach}, labelsOf(m)[len(reportLabels()):]...)
	for _, prefix := range [...]string{clientPrefix, serverPrefix} {
		all = append(all, prefix+names.TagType.String(), prefix+names.TagNamespace.String(), prefix+alone)
	}
	return all
}

// A pairing is what the namespaces of both ends are added up by. Comparable.
type pairing struct {
	client, server place
	scope          edge.Value
}

// A place is what nodes by namespace or type are made of, with the kind of the end.
type place struct{ kind, namespace, name edge.Value }

func pairingOf(r *report) pairing { return pairing{placeOf(&r.client), placeOf(&r.server), r.scope} }

// placeOf leaves out the name of an end that has a namespace, unless its kind depends on the name.
func placeOf(e *edge.End) place {
	p := place{kind: e[names.TagType], namespace: e[names.TagNamespace]}
	switch e.Get(names.TagType) {
	case names.TypePrivate, names.TypeUnknown, "":
		p.name = e[names.TagName]
	}
	if p.namespace == (edge.Value{}) {
		p.name = e[names.TagName]
	}
	return p
}

// placed adds the label alone of both ends to an expression, as placeOf has it.
func (q *queries) placed(expression string) string {
	named := strings.Join([]string{names.TypePrivate, names.TypeUnknown, ""}, "|")
	for _, prefix := range [...]string{clientPrefix, serverPrefix} {
		label := func(name string) string { return quote(q.label(prefix + name)) }
		for _, step := range [...][4]string{
			{"place", "$1", names.TagNamespace.String(), "(.*)"}, {"place", "", names.TagType.String(), named},
			{alone, "$1", names.TagName.String(), "(.*)"}, {alone, "", "place", ".+"},
		} {
			expression = fmt.Sprintf("label_replace(%s,%s,%s,%s,%s)", expression, label(step[0]), quote(step[1]),
				label(step[2]), quote(step[3]))
		}
	}
	return expression
}

// group makes the edges that were known, and gives the figures of each pairing to one of its edges. It reports whether
// it could: the payload of what comes by a proxy is counted edge by edge.
func (b *builder) group(s *snap.Snapshot, known, before result) bool {
	sums := make(map[pairing]snap.Figures)
	for i := range b.reports {
		of := pairingOf(&b.reports[i])
		sum := sums[of]
		sum.Add(&b.figures[i])
		sums[of] = sum
	}
	pairings := b.reports
	b.reports, b.idle = make([]report, 0, len(known.rows)), true
	var of reading
	for _, r := range known.rows {
		b.labels.into(&of, r.labels)
		if of.client.Has(names.TagProxy) || of.server.Has(names.TagProxy) {
			return false
		}
		b.reports = append(b.reports, of.report)
	}
	b.figures = make([]snap.Figures, len(b.reports))
	b.finish(s, before)
	for i := range s.Edges {
		of := pairingOf(b.origins[i].report)
		s.Edges[i].Figures = sums[of]
		delete(sums, of)
	}
	b.remain(s, pairings, sums)
	return true
}

// remain adds edges for figures of no edge that was known.
func (b *builder) remain(s *snap.Snapshot, pairings []report, sums map[pairing]snap.Figures) {
	for _, r := range pairings {
		if sum, left := sums[pairingOf(&r)]; left {
			delete(sums, pairingOf(&r))
			s.Edges = append(s.Edges, snap.Edge{
				Client: &r.client, Server: &r.server, Link: r.link(), Figures: sum, Learned: true, ByClient: true,
			})
		}
	}
}
