package history

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// Config is which store is asked, and how much at a time.
type Config struct {
	Client    *http.Client
	Endpoint  string            // base of the URL, such as http://prometheus:9090
	Timeout   time.Duration     // of one query
	Cache     time.Duration     // how long an answer is kept
	Labels    map[string]string // that all series must have
	MaxSeries int               // of an answer
	MaxBytes  int64             // of an answer
	Queries   int               // at a time
	Now       func() time.Time
}

// How many snapshots and histories are kept, and how long it is known what the store is.
const (
	maxSnapshots = 8
	maxHistories = 16
	maxValues    = 32
	probeTTL     = 10 * time.Minute
)

// spans are the steps of windows up to a length. A window has about a hundred of them.
var spans = snap.Spans{
	{Step: 60, Length: 300}, {Step: 60, Length: 3600}, {Step: 300, Length: 6 * 3600}, {Step: 900, Length: day},
	{Step: 7200, Length: 7 * day}, {Step: 8 * 3600, Length: 30 * day},
}

// A Source makes snapshots of what a store holds.
type Source struct {
	config  Config
	client  *client
	running *running

	snapshots cache[snapshotKey, *snap.Snapshot]
	hours     cache[hoursKey, *snap.Snapshot] // nil: they are not recorded
	asked     cache[snap.Range, *queries]
	values    cache[valuesKey, []string]
	courses   cache[courseKey, []course]
	probes    cache[struct{}, bool]

	minOfHours int64 // the constant, but in tests

	mu     sync.Mutex
	remote snap.Remote
}

var _ snap.Source = (*Source)(nil)

// New returns a source. It asks nothing yet.
func New(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	asks := *c.Client
	asks.Timeout = 0 // the time-out of a query is that of its context
	// A redirect to another host would send it the configured headers.
	asks.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &Source{
		config: c, running: newRunning(), remote: snap.Remote{State: snap.Starting}, minOfHours: minOfHours,
		client: &client{
			http: &asks, endpoint: strings.TrimSuffix(c.Endpoint, "/"), timeout: c.Timeout, maxSeries: c.MaxSeries,
			maxBytes: c.MaxBytes, slots: make(chan struct{}, c.Queries),
		},
	}
	s.snapshots = newCache[snapshotKey, *snap.Snapshot](s, c.Cache, maxSnapshots)
	s.hours = newCache[hoursKey, *snap.Snapshot](s, c.Cache, maxSnapshots)
	s.asked = newCache[snap.Range, *queries](s, c.Cache, maxSnapshots)
	s.values = newCache[valuesKey, []string](s, c.Cache, maxValues)
	s.courses = newCache[courseKey, []course](s, c.Cache, maxHistories)
	s.probes = newCache[struct{}, bool](s, probeTTL, 1)
	return s
}

func newCache[K comparable, V any](s *Source, ttl time.Duration, limit int) cache[K, V] {
	return cache[K, V]{ttl: ttl, limit: limit, now: s.config.Now, running: s.running, held: make(map[K]*entry[V])}
}

// Close ends the queries that run, and waits for them.
func (s *Source) Close() {
	s.running.stop()
	s.running.wait.Wait()
}

// Spans returns the steps of windows.
func (*Source) Spans() snap.Spans { return spans }

// Range returns the steps of a window that ends at a time, or now if end is 0. A store has every step of every window,
// so the length of the window alone decides.
func (s *Source) Range(window, end int64) snap.Range {
	now := s.config.Now().Unix()
	for _, span := range spans {
		if window <= span.Length {
			return snap.Spans{span}.Range(now, window, end)
		}
	}
	return spans[len(spans)-1:].Range(now, window, end)
}

// Version changes as often as answers may: after the time for which they are kept. It is the same in all replicas of a
// map.
func (s *Source) Version() snap.Version {
	return snap.Version{Generation: uint64(s.config.Now().UnixNano() / max(1, int64(s.config.Cache)))}
}

// Status returns how the last query went.
func (s *Source) Status() snap.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return snap.Status{Remote: s.remote}
}

// A snapshotKey is a range, and what its queries are narrowed by.
type snapshotKey struct {
	snap.Range
	matchers string
}

// key returns what a snapshot of the queries differs by from others.
func (q *queries) key(r snap.Range) snapshotKey {
	return snapshotKey{r, strings.Join(q.matchers, ",") + " " + strings.Join(q.either, ",")}
}

// Snapshot returns the edges of a range that may fulfil the wants. It waits no longer than ctx; the answer that was
// asked for is made all the same, and the next request for it gets it.
func (s *Source) Snapshot(ctx context.Context, r snap.Range, wants ...snap.Want) (*snap.Snapshot, error) {
	q, err := s.narrowed(ctx, r, min(r.To, s.config.Now().Unix()), wants)
	if err != nil {
		return nil, err
	}
	return s.snapshots.get(ctx, q.key(r), func(ctx context.Context) (*snap.Snapshot, error) {
		made, err := s.load(ctx, r, q)
		if ctx.Err() == nil {
			s.note(made, err)
		}
		return made, err
	})
}

// narrowed returns the queries about a range, narrowed by the wants.
func (s *Source) narrowed(ctx context.Context, r snap.Range, to int64, wants []snap.Want) (*queries, error) {
	q, err := s.asked.get(ctx, r, func(ctx context.Context) (*queries, error) { return s.queries(ctx, r, to) })
	if err == nil && !q.empty() {
		q, err = s.narrow(ctx, q, r, to, wants)
	}
	return q, s.failed(ctx, err)
}

// failed notes an error that is not one of the context.
func (s *Source) failed(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		s.note(nil, err)
	}
	return err
}

// note keeps how a snapshot went.
func (s *Source) note(made *snap.Snapshot, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var f *Failure
	switch {
	case errors.As(err, &f) && f.Slow:
		s.remote.State, s.remote.Reason = snap.Slow, f.text
		return
	case err != nil:
		s.remote.State, s.remote.Reason = snap.Away, err.Error()
		return
	}
	s.remote = snap.Remote{State: snap.Reached, At: float64(s.config.Now().UnixMilli()) / 1000}
	if made.Partial != nil {
		s.remote.State, s.remote.Reason = snap.Slow, made.Partial.Reason
	}
	if made.Void {
		s.remote.State, s.remote.Reason = snap.Void, noEdges
	}
}

const noEdges = "The store has no edge metrics of netconn in this window. A collector with the connector netmap " +
	"makes them; its exporter must write to this store."

// queries finds out what the store calls the metrics, and what its engine is.
func (s *Source) queries(ctx context.Context, r snap.Range, to int64) (*queries, error) {
	exact, err := s.probes.get(ctx, struct{}{}, s.probe)
	if err != nil {
		return nil, err
	}
	q := &queries{exact: exact, edges: "=~" + quote(anyMetric)}
	q.matchers = q.restrict(s.config.Labels)
	found, missing, err := s.client.values(ctx, "__name__", q.all(), r.From, to)
	q.naming, q.missing = newNaming(found), missing
	return q, err
}

// probe reports whether the store is a VictoriaMetrics: default is an operator of its language only.
func (s *Source) probe(ctx context.Context) (bool, error) {
	_, err := s.client.instant(ctx, "1 default 2", s.config.Now().Unix(), func(row) {})
	var f *Failure
	if errors.As(err, &f) && f.bad {
		return false, nil
	}
	return err == nil, err
}
