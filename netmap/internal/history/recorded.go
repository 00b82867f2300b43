package history

import (
	"context"
	"fmt"
	"math"

	"github.com/netconn/netconn/netmap/internal/snap"
)

const (
	hour = 3600
	// minRecorded is the shortest window that is made of recorded series, in seconds.
	minRecorded = 6 * hour
	// recordings is the series with a sample for each hour that is recorded. The value is the time at which the hour
	// ends, in Unix seconds.
	recordings = "netconn:edge:recorded"
)

// recorded are the names of the series that rules make of the metrics each hour: sums by report. They have no samples
// for what did not change.
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

// rule returns the expression that is recorded of a metric, by report.
func (q *queries) rule(m metric) string {
	if m == active {
		return q.by(labelsOf(m), "last_over_time("+over(q.selector(m), hour, recordDelay)+")")
	}
	return q.by(labelsOf(m), q.increase(m, hour, recordDelay)) + " > 0"
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
func (s *Source) recording(ctx context.Context, q *queries, of string, from, to int64) (r recording, err error) {
	if to-from < minRecorded || q.dots {
		return r, nil
	}
	var hours []sample
	series := 0
	wide := s.wide(q)
	at := min(to+recordDelay+1, s.config.Now().Unix()) // hours are recorded after they end
	query := fmt.Sprintf("%s[%ds]", wide.selectorOf(of), at-from)
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
	for _, name := range [...][2]string{{namespaceRecordings, knownEdges}, {recordings, recorded[active]}} {
		before, err := s.recording(ctx, q, name[0], r.From-day, r.From)
		if err == nil && before.to-before.from >= day-2*hour {
			return name[1]
		}
	}
	return q.metrics[active]
}
