package history

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// figures are what is missing of a snapshot without a metric, by their names in the API.
var figures = [metrics][]string{
	attempts: {"attempts", "failures"}, closed: {"closed", "breaks"}, retransmits: {"retransmits"},
	active: {"active"}, rttSum: {"rtt"}, rttCount: {"rtt"},
}

// A result is the answer to one query.
type result struct {
	rows    []row
	missing string // what the store says is missing
	err     error
	any     bool // of the day before: the store has edges
}

// add adds the rows of another query. Values of one series add up.
func (r *result) add(other result) {
	r.rows = append(r.rows, other.rows...)
	r.missing = cmp.Or(r.missing, other.missing)
	if r.err == nil {
		r.err = other.err
	}
}

// load asks for all that a snapshot has.
func (s *Source) load(ctx context.Context, r snap.Range, q *queries) (*snap.Snapshot, error) {
	to := min(r.To, s.config.Now().Unix())
	window := max(1, to-r.From) // PromQL has no range of 0 s, which is what is over of a step that begins
	answer := &snap.Snapshot{Range: r, Seconds: float64(window), Remote: true, Void: q.empty() && q.missing == ""}
	answer.Generation = s.Version().Generation
	b := newBuilder(&q.naming)
	if q.empty() {
		answer.Kinds, answer.History = b.kinds, nothing{}
		answer.Partial = b.take(nil, result{missing: q.missing})
		return answer, nil
	}
	results, before := s.ask(ctx, q, r, to)
	if err := results[volume].err; err != nil {
		return nil, err
	}
	before.missing = cmp.Or(before.missing, q.missing)
	answer.Partial = b.take(results[:], before)
	b.finish(answer, before)
	answer.Kinds = b.kinds
	answer.History = &history{source: s, queries: q, snapshot: answer, origins: b.origins}
	return answer, nil
}

// An asking is queries that run at once.
type asking struct {
	ctx     context.Context
	client  *client
	running sync.WaitGroup
	mu      sync.Mutex
}

func (s *Source) newAsking(ctx context.Context) *asking { return &asking{ctx: ctx, client: s.client} }

// send sends a query about a time, and adds the answer to a result.
func (a *asking) send(query string, at int64, into *result) {
	a.running.Go(func() {
		var one result
		one.missing, one.err = a.client.instant(a.ctx, query, at, func(r row) { one.rows = append(one.rows, r) })
		a.mu.Lock()
		defer a.mu.Unlock()
		into.add(one)
	})
}

// ask sends the queries of a snapshot.
func (s *Source) ask(ctx context.Context, q *queries, r snap.Range, to int64) (all [metrics]result, before result) {
	hours, err := s.recording(ctx, q, r.From, to)
	if err != nil {
		hours = recording{} // all of it is asked of the metrics
	}
	parts, a := hours.parts(r.From, to), s.newAsking(ctx)
	for m := range metrics {
		switch {
		case q.metrics[m] == "":
		case m == active:
			a.send(q.counted(m, max(1, to-r.From)), to, &all[m])
		default:
			for _, p := range parts {
				query := q.counted(m, p.window)
				if p.recorded {
					query = q.recordedBy(labelsOf(m), "sum_over_time", recorded[m], p.window)
				}
				a.send(query, p.at, &all[m])
			}
		}
	}
	if q.metrics[active] != "" {
		a.running.Go(func() { before = s.before(ctx, q, r, r.From, to) })
	}
	a.running.Wait()
	return all, before
}

// before asks for the edges of the day before a time, with queries that are evaluated at another one. If none of those
// that are asked for was there, it asks whether any other was: else the store is new, and not the edges.
func (s *Source) before(ctx context.Context, q *queries, r snap.Range, from, at int64) (b result) {
	name, window := s.nameBefore(ctx, q, r), max(1, at-from)
	b.missing, b.err = s.client.instant(ctx, q.before(name, window), at, func(r row) { b.rows = append(b.rows, r) })
	b.any = len(b.rows) > 0
	wide := s.wide(q)
	if b.err != nil || b.any || wide.key(r) == q.key(r) {
		return b
	}
	_, b.err = s.client.instant(ctx, wide.anyBefore(name, window), at, func(row) { b.any = true })
	return b
}

// A builder makes edges of reports.
type builder struct {
	labels  *labels
	kinds   []snap.Kind
	fixed   bool // there are no other kinds
	idle    bool // edges that have counted nothing are edges too
	hourly  bool // which report counts was decided for each hour: what a server reports besides a client is added
	index   map[report]int
	reports []report
	figures []snap.Figures
	origins []origin
}

// An origin is what an edge was made of.
type origin struct {
	report  *report
	shadows []*report // of the other end; only their retransmits count
}

func newBuilder(n *naming) *builder {
	return &builder{
		labels: newLabels(n), kinds: []snap.Kind{{Of: snap.Attempts}, {Of: snap.Closed}}, index: make(map[report]int),
	}
}

// take counts the results, and returns what is missing.
func (b *builder) take(results []result, before result) *snap.Partial {
	missing, reason := make(map[string]bool), ""
	note := func(r result, of ...string) {
		if r.err != nil {
			reason = r.err.Error()
			for _, name := range of {
				missing[name] = true
			}
		} else if reason == "" {
			reason = r.missing
		}
	}
	for m, r := range results {
		note(r, figures[m]...)
	}
	note(before, "new")
	for m, r := range results {
		if len(figures[m]) == 0 || !missing[figures[m][0]] {
			b.count(metric(m), r.rows)
		}
	}
	if reason == "" {
		return nil
	}
	return &snap.Partial{Missing: slices.Sorted(maps.Keys(missing)), Reason: reason}
}

func (b *builder) count(m metric, rows []row) {
	for _, r := range rows {
		of := b.labels.of(r.labels)
		i, known := b.index[of.report]
		if !known {
			i = len(b.reports)
			b.index[of.report] = i
			b.reports, b.figures = append(b.reports, of.report), append(b.figures, snap.Figures{})
		}
		b.put(&b.figures[i], m, of.aspect, r.Value)
	}
}

// put adds a value of a metric to figures. aspect is a direction or an error.
func (b *builder) put(f *snap.Figures, m metric, aspect string, v sample) {
	switch n := v.count(); m {
	case volume:
		if aspect == names.Receive {
			f.Rx += n
		} else {
			f.Tx += n
		}
	case attempts:
		f.Attempts += n
		b.outcome(f, snap.Kind{Of: snap.Attempts, Error: aspect}, n)
	case closed:
		f.Closed += n
		b.outcome(f, snap.Kind{Of: snap.Closed, Error: aspect}, n)
	case retransmits:
		f.Retransmits += n
	case active:
		f.Active += n
	case rttSum:
		f.RTTSum += v.seconds()
	case rttCount:
		f.RTTs += n
	}
}

// maxKinds bounds the ways in which connections end. The other ones are one.
const maxKinds = 64

func (b *builder) outcome(f *snap.Figures, k snap.Kind, n uint64) {
	if k.Error == "" || n == 0 {
		return
	}
	i := slices.Index(b.kinds, k)
	if i < 0 && b.fixed {
		return
	}
	if i < 0 && len(b.kinds) >= maxKinds && k.Error != names.OtherError {
		b.outcome(f, snap.Kind{Of: k.Of, Error: names.OtherError}, n)
		return
	}
	if i < 0 {
		i = len(b.kinds)
		b.kinds = append(b.kinds, k)
	}
	f.Count(uint8(i), n)
}

// finish makes the edges: of the client's reports, and of the server's where the client has none.
func (b *builder) finish(s *snap.Snapshot, before result) {
	known := make(map[party]bool)
	if before.err != nil {
		before.rows, before.any = nil, false // what was read of them would make the other edges new
	}
	var of reading
	for _, r := range before.rows {
		b.labels.into(&of, r.labels)
		known[of.party] = true
	}
	ends := make(map[edge.End]*edge.End)
	intern := func(e edge.End) *edge.End {
		if ends[e] == nil {
			ends[e] = &e
		}
		return ends[e]
	}
	primaries := make(map[party][]int) // edges that a client reports
	for _, byServer := range [...]bool{false, true} {
		for i := range b.reports {
			r := &b.reports[i]
			if r.byServer != byServer || b.figures[i].Idle() && !b.idle {
				continue
			}
			if of := primaries[r.party]; byServer && len(of) > 0 && b.join(s, i, of) {
				continue
			}
			if !byServer {
				primaries[r.party] = append(primaries[r.party], len(s.Edges))
			}
			s.Edges = append(s.Edges, snap.Edge{
				Client: intern(r.client), Server: intern(r.server), Link: r.link(), Figures: b.figures[i],
				Learned: true, ByClient: !byServer, ByServer: byServer,
				Fresh: before.any && !known[r.party] && !r.overflow(),
			})
			b.origins = append(b.origins, origin{report: r})
		}
	}
}

// join adds the retransmits of a server's report to the edges that the client reports. If these differ in their tags,
// they belong to the edge with the same ones, or it is not known to which. It reports whether the report is no edge of
// its own.
func (b *builder) join(s *snap.Snapshot, i int, of []int) bool {
	r, n, rest := &b.reports[i], b.figures[i].Retransmits, b.figures[i]
	rest.Retransmits = 0
	same := slices.DeleteFunc(slices.Clone(of), func(e int) bool {
		return *s.Edges[e].Client != r.client || *s.Edges[e].Server != r.server
	})
	if len(of) == 1 {
		same = of
	}
	if b.hourly && len(same) != 1 && !rest.Idle() {
		return false
	}
	for _, e := range of {
		s.Edges[e].ByServer = true
	}
	switch {
	case len(same) == 1 && b.hourly:
		s.Edges[same[0]].Add(&b.figures[i])
	case len(same) == 1:
		s.Edges[same[0]].Retransmits += n
		b.origins[same[0]].shadows = append(b.origins[same[0]].shadows, r)
	case n > 0:
		s.Shared = append(s.Shared, snap.Shared{Edges: of, Retransmits: n})
	}
	return true
}

// link returns the link of a report.
func (r *report) link() edge.Link {
	l := edge.Link{Role: edge.Client, Transport: r.transport, Scope: edge.ParseScope(r.scope.String())}
	if r.byServer {
		l.Role = edge.Server
	}
	if !r.known {
		l.Role = edge.Unknown
	}
	if l.Transport == (edge.Value{}) {
		l.Transport = edge.Text(names.TCP)
	}
	if port, err := strconv.ParseUint(r.port.String(), 10, 16); err == nil {
		l.Port = uint16(port)
	}
	return l
}

// overflow reports whether the edge stands for all edges beyond a limit of the connector.
func (r *report) overflow() bool { return r.client.Kind() == edge.Other }
