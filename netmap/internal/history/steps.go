package history

import (
	"context"
	"errors"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A history asks for the steps of edges of one snapshot.
type history struct {
	source   *Source
	queries  *queries
	snapshot *snap.Snapshot
	origins  []origin // of its edges
}

// A course is what a report counted of one thing, step by step.
type course struct {
	reading
	values []sample
}

// A courseKey is a range query.
type courseKey struct {
	query string
	snap.Range
}

// wanted are the metrics of what is asked for.
var wanted = map[snap.What][]metric{
	snap.Volume: {volume}, snap.Retransmits: {retransmits}, snap.Attempts: {attempts}, snap.Closed: {closed},
	snap.Active: {active}, snap.RTT: {rttSum, rttCount},
}

// Read is as snap.History has it. The error is a *snap.Partial if the store did not answer in time.
func (h *history) Read(ctx context.Context, rows [][]int, what snap.What, put func(row int, step snap.Step)) error {
	b := newBuilder(&h.queries.naming)
	b.kinds, b.fixed = h.snapshot.Kinds, true
	steps := make([][]snap.Step, len(rows))
	for i := range steps {
		steps[i] = make([]snap.Step, h.snapshot.Len())
	}
	q, rowOf, shadowOf := h.about(rows)
	for one, all := range wanted {
		if what&one == 0 {
			continue
		}
		for _, m := range all {
			found, err := h.ask(ctx, q, m)
			if err != nil {
				return err
			}
			for _, c := range found {
				row, ok := rowOf[c.report]
				if m == retransmits && !ok {
					row, ok = shadowOf[c.report]
				}
				if ok {
					h.add(b, steps[row], m, c)
				}
			}
		}
	}
	for i := range h.snapshot.Len() {
		for row := range steps {
			steps[row][i].At = h.snapshot.From + int64(i)*h.snapshot.Step
			put(row, steps[row][i])
		}
	}
	return nil
}

// about returns the queries of the edges of some rows, the row of each report that counts, and that of reports of which
// only retransmits count.
func (h *history) about(rows [][]int) (q queries, rowOf, shadowOf map[report]int) {
	rowOf, shadowOf = make(map[report]int), make(map[report]int)
	var clients, servers []string
	for row, edges := range rows {
		for _, i := range edges {
			o := &h.origins[i]
			rowOf[*o.report] = row
			for _, s := range o.shadows {
				shadowOf[*s] = row
			}
			clients = append(clients, o.report.client.Get(names.TagName))
			servers = append(servers, o.report.server.Get(names.TagName))
		}
	}
	q = h.queries.about(clientPrefix+names.TagName.String(), clients)
	return q.about(serverPrefix+names.TagName.String(), servers), rowOf, shadowOf
}

// ask returns the courses of a metric.
func (h *history) ask(ctx context.Context, q queries, m metric) ([]course, error) {
	if q.metrics[m] == "" {
		return nil, nil
	}
	r := h.snapshot.Range
	key := courseKey{q.counted(m, r.Step), r}
	found, err := h.source.courses.get(ctx, key, func(ctx context.Context) (all []course, err error) {
		read := newLabels(&q.naming)
		_, err = h.source.client.steps(ctx, key.query, r.From+r.Step, r.To, r.Step, func(found row) {
			all = append(all, course{*read.of(found.labels), found.Values})
		})
		return all, err
	})
	var f *Failure
	if errors.As(err, &f) {
		return nil, &snap.Partial{Missing: []string{"series"}, Reason: f.text}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, &snap.Partial{Missing: []string{"series"}, Reason: "the store has not answered yet"}
	}
	return found, err
}

// add adds a course to the steps of a row. A sample is of the step that ends with it.
func (h *history) add(b *builder, steps []snap.Step, m metric, c course) {
	for _, v := range c.values {
		i := h.snapshot.Index(int64(v.At) - h.snapshot.Step)
		if i < 0 || i >= len(steps) {
			continue
		}
		b.put(&steps[i].Figures, m, c.aspect, v)
		steps[i].Reported = steps[i].Reported || m == active
	}
}

// nothing is the history of a snapshot without edges.
type nothing struct{}

func (nothing) Read(context.Context, [][]int, snap.What, func(int, snap.Step)) error { return nil }
