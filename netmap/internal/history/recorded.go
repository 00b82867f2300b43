package history

import (
	"context"
	"fmt"
	"math"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/snap"
)

const (
	hour = 3600
	// minRecorded is the shortest window that is made of recorded series, in seconds.
	minRecorded = 6 * hour
	// recordings is the series with a sample for each hour that is recorded. The value is the time at which the hour
	// ends, in Unix seconds.
	recordings = "netconn:hour:recorded"
	// knownEdges has a sample for each hour in which an edge was known, with the labels of the report that counts.
	knownEdges = "netconn:edge:known1h"
)

// recorded are the names of the series that rules make of the metrics each hour: sums by the report that counts, and of
// retransmits by both. They have no samples for what did not change.
var recorded = [metrics]string{
	volume: "netconn:edge_io:increase1h", attempts: "netconn:edge_attempts:increase1h",
	closed: "netconn:edge_closed:increase1h", retransmits: "netconn:edge_retransmits:increase1h",
	active: "netconn:edge_active:last1h",
	rttSum: "netconn:edge_rtt_sum:increase1h", rttCount: "netconn:edge_rtt_count:increase1h",
}

// ruled are the metrics that rules read: what a store calls them after Prometheus' default translation.
var ruled = [metrics]string{
	volume: "netconn_edge_io_bytes_total", attempts: "netconn_edge_attempts_total", closed: "netconn_edge_closed_total",
	retransmits: "netconn_edge_tcp_retransmits_total", active: "netconn_edge_active",
	rttSum: "netconn_edge_tcp_rtt_seconds_sum", rttCount: "netconn_edge_tcp_rtt_seconds_count",
}

// recordDelay is how old points are when rules record them, in seconds: a gateway sends again what a store that was
// away did not take.
const recordDelay = 600

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

// inHour returns an expression of what the reports that count have of a metric in the hour that is recorded.
func (q *queries) inHour(m metric) string {
	counted := func(q *queries) string {
		if m == active {
			return "last_over_time(" + over(q.selector(m), present, recordDelay) + ")"
		}
		return "(" + q.increase(m, hour, recordDelay) + ")"
	}
	if m == retransmits { // each end reports its own
		return counted(q)
	}
	return q.preferred(counted)
}

// rule returns the expression that is recorded of a metric, by report.
func (q *queries) rule(m metric) string { return q.by(labelsOf(m), q.inHour(m)) + " > 0" }

// namespaceRule returns the expression that is recorded of a metric, by namespace.
func (q *queries) namespaceRule(m metric) string {
	return q.by(namespaceLabels(m), q.placed(q.inHour(m))) + " > 0"
}

// knownRule returns the expression that is recorded as knownEdges.
func (q *queries) knownRule() string {
	return fmt.Sprintf("group by (%s) (%s)", q.list(reportLabels()), q.preferred((*queries).known))
}

// A recording is the hours of a window that are recorded, without a gap.
type recording struct {
	from, to    int64 // what they are about
	first, last int64 // when they were recorded
}

// A part of a window is asked for at once.
type part struct {
	at, window int64 // the window ends then
	recorded   bool
}

// recording returns the hours of a range that are recorded, as a series of their times says. It is empty if there are
// none, or if hours are missing.
func (s *Source) recording(ctx context.Context, q *queries, from, to int64) (r recording, err error) {
	if to-from < minRecorded || q.dots {
		return r, nil
	}
	var hours []sample
	series := 0
	wide := s.wide(q)
	at := min(to+recordDelay+1, s.config.Now().Unix()) // hours are recorded after they end
	query := fmt.Sprintf("%s[%ds]", wide.selectorOf(recordings), at-from)
	_, err = s.client.instant(ctx, query, at, func(found row) { series++; hours = found.Values })
	if err != nil || series != 1 {
		return r, err // series of several recorders would be counted twice
	}
	for _, h := range hours {
		end := int64(math.Round(h.Value))
		switch at := int64(math.Ceil(h.At)); { // a range that ends then has the sample
		case end-hour < from || end > min(at, to):
		case r.to == 0:
			r = recording{from: end - hour, to: end, first: at, last: at}
		case end-r.to != hour:
			return recording{}, nil
		default:
			r.to, r.last = end, at
		}
	}
	return r, nil
}

// parts returns the parts of a window: what is recorded, and what is before and after it.
func (r recording) parts(from, to int64) (all []part) {
	if r.to == 0 {
		return []part{{at: to, window: max(1, to-from)}}
	}
	if r.from > from {
		all = append(all, part{at: r.from, window: r.from - from})
	}
	all = append(all, part{at: r.last, window: r.last - r.first + 1, recorded: true})
	if to > r.to {
		all = append(all, part{at: to, window: to - r.to})
	}
	return all
}

// nameBefore returns the series of the edges of the day before a range: recorded ones, if the day is recorded.
func (s *Source) nameBefore(ctx context.Context, q *queries, r snap.Range) string {
	before, err := s.recording(ctx, q, r.From-day, r.From)
	if err == nil && before.to-before.from >= day-2*hour {
		return knownEdges
	}
	return q.metrics[active]
}
