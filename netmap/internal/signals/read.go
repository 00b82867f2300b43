package signals

import (
	"cmp"
	"context"
	"encoding/hex"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// How many elements a list of an answer has.
const (
	maxUsage = 20
	maxList  = 20
)

// Sides says of which ends an answer is.
type Sides struct{ Client, Server bool }

// Read answers what is known of the ends of some edges in a range. sole: all edges are of one host, so a process that
// does not name its host is of that one. The error is that of the context.
func (s *Store) Read(ctx context.Context, edges []*snap.Edge, r snap.Range, of Sides, sole bool) (*Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := &Answer{
		From: r.From, To: r.To, Step: r.Step, T: make([]int64, r.Len()), Bounds: bounds[:],
		Received:    Received{s.counts.Points, s.counts.Spans, s.counts.Logs, s.counts.Events},
		Deployments: []Deployment{},
	}
	for i := range answer.T {
		answer.T[i] = r.From + int64(i)*r.Step
	}
	for _, side := range [...]struct {
		wanted bool
		role   string
		into   **Side
	}{{of.Client, names.RoleClient, &answer.Client}, {of.Server, names.RoleServer, &answer.Server}} {
		if !side.wanted {
			continue
		}
		q := s.newQuery(edges, r, side.role)
		if err := q.read(ctx, sole); err != nil {
			return nil, err
		}
		*side.into = q.finish()
		answer.Deployments = append(answer.Deployments, q.deployments()...)
	}
	slices.SortFunc(answer.Deployments, func(a, b Deployment) int { return cmp.Compare(a.At, b.At) })
	return answer, nil
}

// A query makes one side of an answer.
type query struct {
	store *Store
	snap.Range
	role   string
	ends   map[*edge.End][]*snap.Edge
	links  map[connectionOf]bool
	found  map[*source]match
	side   *Side
	sums   [2]calls
	errors []Line
	events []Event
}

// connectionOf is what an event and an edge have in common: the port of the server, and a name of the other end.
type connectionOf struct {
	port uint16
	peer string
}

func (s *Store) newQuery(edges []*snap.Edge, r snap.Range, role string) *query {
	q := &query{
		store: s, Range: r, role: role, ends: make(map[*edge.End][]*snap.Edge), links: make(map[connectionOf]bool),
		found: make(map[*source]match), side: &Side{Logs: map[string]Steps{}},
	}
	for _, e := range edges {
		own, other := e.Client, e.Server
		if role == names.RoleServer {
			own, other = other, own
		}
		q.ends[own] = append(q.ends[own], e)
		for t, v := range other {
			// An end without a name is the peer of events without one.
			if v != (edge.Value{}) || names.Tag(t) == names.TagName {
				q.links[connectionOf{e.Link.Port, v.String()}] = true
			}
		}
	}
	q.side.Ends = len(q.ends)
	for d := range q.sums {
		c := &Calls{
			NBy: make([]uint64, r.Len()), ErrorsBy: make([]uint64, r.Len()),
			MeanBy: make(Values, r.Len()), MaxBy: make(Values, r.Len()), Slowest: []Span{}, Failed: []Span{},
		}
		if d == served {
			q.side.Served = c
		} else {
			q.side.Made = c
		}
	}
	return q
}

func (q *query) read(ctx context.Context, sole bool) error {
	all := q.find(ctx, sole)
	q.side.Sources = len(all)
	for _, src := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		q.readFigures(src)
		q.readDetails(src)
	}
	return ctx.Err()
}

// readFigures adds the figures of a source step by step.
func (q *query) readFigures(src *source) {
	of := src.bucketsOf(q.Range)
	u := Usage{
		Name: src.name(), Pod: src.podName, By: q.found[src].by, ImageTag: src.image,
		CPU: nans(q.Len()), Memory: nans(q.Len()),
	}
	used := false
	for i := range q.Len() {
		k := of[q.From+int64(i)*q.Step]
		if k == nil {
			continue
		}
		if k.cpuSamples > 0 {
			u.CPU[i], used = k.cpu/float64(k.cpuSamples), true
		}
		if k.memoryReported {
			u.Memory[i], used = k.memory, true
		}
		q.step(i, k)
	}
	if used {
		src.limits.describe(&u)
		q.side.Usage = append(q.side.Usage, u)
	}
}

func nans(n int) Values {
	v := make(Values, n)
	for i := range v {
		v[i] = math.NaN()
	}
	return v
}

func (l *limits) describe(u *Usage) {
	known := func(v float64) *float64 {
		if v <= 0 {
			return nil
		}
		return &v
	}
	u.CPULimit, u.CPURequest = known(l.cpu.limit), known(l.cpu.request)
	u.MemoryLimit, u.MemoryRequest = known(l.memory.limit), known(l.memory.request)
	if l.restartsKnown {
		restarts := l.restarts
		u.Restarts = &restarts
	}
}

// step adds what one source did in one step. MeanBy has the sums until finish.
func (q *query) step(i int, k *bucket) {
	for d, c := range [...]*calls{k.served, k.made} {
		if c == nil {
			continue
		}
		q.sums[d].add(c)
		to := q.calls(d)
		to.NBy[i] += c.n
		to.ErrorsBy[i] += c.errors
		to.MeanBy[i] += c.seconds
		to.MaxBy[i] = max(to.MaxBy[i], c.slowest)
	}
	if k.logs == nil {
		return
	}
	for class, n := range k.logs {
		if n == 0 {
			continue
		}
		name := severityNames[class]
		if q.side.Logs[name] == nil {
			q.side.Logs[name] = make(Steps, q.Len())
		}
		q.side.Logs[name][i] += n
		q.side.LogsSeen += uint64(n)
	}
}

func (q *query) calls(direction int) *Calls {
	if direction == served {
		return q.side.Served
	}
	return q.side.Made
}

func (q *query) holds(at int64) bool {
	seconds := at / int64(time.Second)
	return seconds >= q.From && seconds < q.To
}

// readDetails collects the details of a source in the range. A source that was found by its service or process has all
// of its details; so has one that was found by its pod.
func (q *query) readDetails(src *source) {
	for _, begin := range oldestOf(src.minutes) {
		if begin+coarseStep <= q.From || begin >= q.To {
			continue
		}
		m := src.minutes[begin]
		for d := range m.slow {
			c := q.calls(d)
			for _, s := range m.slow[d] {
				if q.holds(s.at) {
					c.Slowest = append(c.Slowest, s.describe(src))
				}
			}
			for _, s := range m.failed[d] {
				if q.holds(s.at) {
					c.Failed = append(c.Failed, s.describe(src))
				}
			}
		}
		for _, l := range m.errors {
			if q.holds(l.at) {
				q.errors = append(q.errors, l.describe(src))
			}
		}
		m.events(func(e *event) {
			if q.holds(e.at) && e.role == q.role && q.links[connectionOf{e.port, e.peerName}] {
				q.events = append(q.events, e.describe())
			}
		})
	}
}

func seconds(at int64) float64 { return float64(at/1e6) / 1e3 }

func (s *span) describe(src *source) Span {
	d := Span{
		Name: s.name, Service: cmp.Or(src.id.service, src.name()), Pod: src.podName, Kind: s.kind,
		At: seconds(s.at), Duration: float64(s.duration) / 1e9, Failed: s.failed, Sampled: s.sampled, Code: s.code,
		Message: s.message, Trace: hexOf(s.trace[:]), Span: hexOf(s.id[:]), Peer: addressText(s.peer),
	}
	if s.connection != nil {
		e := s.connection.describe()
		d.Connection = &e
	}
	return d
}

// hexOf returns an ID as text; empty for the zero ID.
func hexOf(id []byte) string {
	if text := hex.EncodeToString(id); strings.Trim(text, "0") != "" {
		return text
	}
	return ""
}

func addressText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func (l *line) describe(src *source) Line {
	return Line{
		At: seconds(l.at), Severity: severityNames[l.severity], Name: src.name(), Pod: src.podName, Body: l.body,
		Trace: hexOf(l.trace[:]), Span: hexOf(l.span[:]),
	}
}

func (e *event) describe() Event {
	known := func(v float64) *float64 {
		if v <= 0 {
			return nil
		}
		return &v
	}
	return Event{
		At: seconds(e.at), Name: strings.TrimPrefix(e.name, eventPrefix), Body: e.body, Warn: e.failed, Role: e.role,
		Container: e.ownContainer, Local: addressText(e.local), Peer: addressText(e.peer), PeerName: e.peerName,
		Port: e.port, Duration: known(e.duration), RTT: known(e.rtt), Tx: e.tx, Rx: e.rx, Retransmits: e.retransmits,
		Error: e.error,
	}
}

// finish sorts and limits the lists, and computes what is not a sum.
func (q *query) finish() *Side {
	for d := range q.sums {
		q.calls(d).finish(&q.sums[d])
	}
	mostUsed := func(u Usage) float64 {
		most := 0.0
		for _, v := range u.CPU {
			if v > most {
				most = v
			}
		}
		return most
	}
	s := q.side
	s.Usage = first(s.Usage, maxUsage, func(a, b Usage) int { return cmp.Compare(mostUsed(b), mostUsed(a)) })
	s.Errors = first(q.errors, maxList, func(a, b Line) int { return cmp.Compare(b.At, a.At) })
	s.Events = first(q.events, maxList, func(a, b Event) int { return cmp.Compare(b.At, a.At) })
	return s
}

func (c *Calls) finish(sum *calls) {
	c.N, c.Errors, c.Sampled, c.Estimated = sum.n, sum.errors, sum.sampled, math.Round(sum.estimated)
	c.Latency = sum.latency[:]
	if sum.n > 0 {
		mean, p50, p95, p99 := sum.seconds/float64(sum.n), sum.quantile(.5), sum.quantile(.95), sum.quantile(.99)
		c.Mean, c.P50, c.P95, c.P99, c.Max = &mean, &p50, &p95, &p99, &sum.slowest
	}
	for i, n := range c.NBy {
		if n == 0 {
			c.MeanBy[i], c.MaxBy[i] = math.NaN(), math.NaN()
			continue
		}
		c.MeanBy[i] /= float64(n)
	}
	c.Slowest = first(c.Slowest, maxList, func(a, b Span) int { return cmp.Compare(b.Duration, a.Duration) })
	c.Failed = first(c.Failed, maxList, func(a, b Span) int { return cmp.Compare(b.At, a.At) })
}

// first returns the first n elements in an order; an empty list instead of none.
func first[T any](list []T, n int, compare func(a, b T) int) []T {
	slices.SortStableFunc(list, compare)
	if len(list) == 0 {
		return []T{}
	}
	return list[:min(n, len(list))]
}
