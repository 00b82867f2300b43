package history

import (
	"context"
	"fmt"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

const (
	// minByNamespace is the shortest window that is made of the recorded hours of namespaces, in seconds. Such a window
	// ends with the last hour that is recorded.
	minByNamespace = 7 * day
	// knownEdges has a sample for each hour in which an edge was known, with the labels of the report that counts.
	knownEdges = "netconn:edge:known1h"
	// namespaceRecordings is for byNamespace and knownEdges what recordings is for recorded.
	namespaceRecordings = "netconn:namespace:recorded"
	// alone is the attribute of the name of an end that its namespace and type do not stand for.
	alone = "alone"
)

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

// reportedBy returns the queries of what one end reports.
func (q *queries) reportedBy(role string) *queries {
	one := q.with([]string{q.name(q.label(names.Reporter)) + "=" + quote(role)})
	return &one
}

// preferred returns an expression of the client's reports, and of the server's where the client has none.
func (q *queries) preferred(of func(*queries) string) string {
	client, server := q.reportedBy(names.RoleClient), q.reportedBy(names.RoleServer)
	return fmt.Sprintf("(%s or (%s unless on (%s) %s))", of(client), of(server), q.list(edgeLabels()), client.known())
}

// known returns an expression of the edges that are known in the hour that is recorded.
func (q *queries) known() string {
	return "last_over_time(" + over(q.selector(active), hour, recordDelay) + ")"
}

// namespaceRule returns the expression that is recorded of a metric, by namespace.
func (q *queries) namespaceRule(m metric) string {
	counted := func(q *queries) string {
		if m == active {
			return "last_over_time(" + over(q.selector(m), present, recordDelay) + ")"
		}
		return "(" + q.increase(m, hour, recordDelay) + ")"
	}
	if m == retransmits { // each end reports its own
		return q.by(namespaceLabels(m), q.placed(counted(q))) + " > 0"
	}
	return q.by(namespaceLabels(m), q.placed(q.preferred(counted))) + " > 0"
}

// knownRule returns the expression that is recorded as knownEdges.
func (q *queries) knownRule() string {
	return fmt.Sprintf("group by (%s) (%s)", q.list(reportLabels()), q.preferred((*queries).known))
}

// Grouped returns a snapshot for an answer that adds edges up by the namespaces and types of their ends, and has no
// condition about anything else. The figures of all edges of two namespaces are those of one of them, the range may be
// some hours shorter, and the history is not to be read. A window that is not recorded, or too short, has the figures
// of each edge.
func (s *Source) Grouped(ctx context.Context, r snap.Range, wants ...snap.Want) (*snap.Snapshot, error) {
	to := min(r.To, s.config.Now().Unix())
	if r.To-r.From < s.minByNamespace {
		return s.Snapshot(ctx, r, wants...)
	}
	q, err := s.groupedQueries(ctx, r, to, wants)
	if err != nil {
		return nil, err
	}
	made, err := s.grouped.get(ctx, q.key(r), func(ctx context.Context) (*snap.Snapshot, error) {
		made, err := s.loadGrouped(ctx, r, to, q)
		if made != nil && ctx.Err() == nil {
			s.note(made, err)
		}
		return made, err
	})
	if made != nil || err != nil && ctx.Err() != nil {
		return made, err
	}
	return s.Snapshot(ctx, r, wants...)
}

// groupedQueries returns the queries of recorded series. It does not ask the store for the names of metrics: to answer
// that, a store reads the labels of all series.
func (s *Source) groupedQueries(ctx context.Context, r snap.Range, to int64, wants []snap.Want) (*queries, error) {
	exact, err := s.probes.get(ctx, struct{}{}, s.probe)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	q := &queries{exact: exact, naming: naming{metrics: ruled}, edges: "=" + quote(knownEdges)}
	q.matchers = q.restrict(s.config.Labels)
	q, err = s.narrow(ctx, q, r, to, wants)
	return q, s.failed(ctx, err)
}

// loadGrouped asks for a snapshot by namespace. It returns none if it cannot be made of recorded hours.
func (s *Source) loadGrouped(ctx context.Context, r snap.Range, to int64, q *queries) (*snap.Snapshot, error) {
	hours, err := s.recording(ctx, q, namespaceRecordings, r.From, to)
	if err != nil || hours.from-r.From > 2*hour || to-hours.to > 2*hour+recordDelay {
		return nil, err
	}
	results, known, before := s.askGrouped(ctx, q, r, hours)
	if err := results[volume].err; err != nil || known.err != nil {
		return nil, err
	}
	b := newBuilder(&q.naming)
	answer := &snap.Snapshot{
		Range: snap.Range{From: hours.from, To: hours.to, Step: r.Step}, Seconds: float64(hours.to - hours.from),
		Generation: s.Version().Generation, Remote: true, History: nothing{},
	}
	answer.Partial = b.take(results[:], before)
	if !b.group(answer, known, before) {
		return nil, nil
	}
	answer.Kinds = b.kinds
	return answer, nil
}

// askGrouped sends the queries of a snapshot by namespace.
func (s *Source) askGrouped(ctx context.Context, q *queries, r snap.Range, hours recording) (
	all [metrics]result, known, before result,
) {
	window := hours.last - hours.first + 1
	a := s.newAsking(ctx)
	for m := range metrics {
		function, length := "sum_over_time", window
		if m == active {
			function, length = "last_over_time", 1
		}
		a.send(q.recordedBy(namespaceLabels(m), function, byNamespace[m], length), hours.last, &all[m])
	}
	a.send(q.recordedBy(reportLabels(), "last_over_time", knownEdges, window), hours.last, &known)
	a.running.Go(func() { before = s.before(ctx, q, r, hours.from, hours.last) })
	a.running.Wait()
	return all, known, before
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
	b.reports, b.idle = nil, true
	for _, r := range known.rows {
		of := b.labels.of(r.labels)
		if of.client.Has(names.TagProxy) || of.server.Has(names.TagProxy) {
			return false
		}
		b.reports = append(b.reports, of.report)
	}
	b.figures = make([]snap.Figures, len(b.reports))
	b.finish(s, before)
	for i := range s.Edges {
		of := pairingOf(&b.origins[i].report)
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
