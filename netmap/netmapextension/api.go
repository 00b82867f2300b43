package netmapextension

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/netconn/netconn/netmap/internal/alerts"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/history"
	"github.com/netconn/netconn/netmap/internal/signals"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/view"
)

const (
	maxNodes = 1000
	maxEdges = 5000
	maxRows  = 1000
	maxHosts = 1000 // on a page of the status

	maxConcurrent = 4               // answers that are made at a time
	queueTimeout  = 5 * time.Second // how long a request waits until it is one of them
)

// An api answers what is below /api/.
type api struct {
	links   []LinkConfig
	source  snap.Source
	timeout time.Duration // for making an answer, once it is its turn
	slots   chan struct{} // has one element for each answer that is being made
	outbox  outbox

	alerts     *alerts.Source // nil: there is none
	kept       *signals.Store
	thresholds Thresholds
	costs      CostsConfig
}

func newAPI(links []LinkConfig, source snap.Source, timeout time.Duration) *api {
	return &api{
		links: links, source: source, timeout: timeout, slots: make(chan struct{}, maxConcurrent),
		outbox: outbox{limit: maxUnread}, thresholds: defaultThresholds(), kept: signals.New(signals.Config{}),
	}
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v1/status", a.get(a.status))
	mux.Handle("/api/v1/alerts", a.get(a.alertList))
	mux.Handle("/api/v1/tags", a.get(a.tags))
	mux.Handle("/api/v1/tags/{tag}/values", a.get(a.values))
	mux.Handle("/api/v1/graph", a.get(a.graph))
	mux.Handle("/api/v1/flows", a.get(a.flows))
	mux.Handle("/api/v1/series", a.get(a.series))
	mux.Handle("/api/v1/signals", a.get(a.signals))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, apiError{Code: "not_found", Message: "there is no such request"})
	})
	return mux
}

// A request reads its parameters, and returns how to make the answer.
type request func(p *parameters, r *http.Request) question

// A question is a request after its parameters were read. Without a range it has no ETag, because each answer differs.
type question struct {
	span    *snap.Range
	value   func(context.Context) (any, error)
	version uint64 // of what the answer shows beside the source
}

// on returns a question about the snapshot of a range. The answer has only edges that fulfil the wants.
func (a *api) on(
	span snap.Range, value func(context.Context, *snap.Snapshot) (any, error), wants ...snap.Want,
) question {
	return question{span: &span, value: func(ctx context.Context) (any, error) {
		snapshot, err := a.source.Snapshot(ctx, span, wants...)
		if err != nil {
			return nil, err
		}
		return value(ctx, snapshot)
	}}
}

// get makes a handler of a request.
func (a *api) get(read request) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", "GET")
			fail(w, http.StatusMethodNotAllowed, apiError{Code: "method_not_allowed", Message: "only GET"})
			return
		}
		given, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			fail(w, http.StatusBadRequest, apiError{Code: "bad_parameter",
				Message: "the parameters are not well-formed"})
			return
		}
		p := &parameters{given: given}
		q := read(p, r)
		if refuse(w, p.finish()) {
			return
		}
		etag := ""
		if q.span != nil {
			etag = a.etag(r, *q.span, q.version)
			if unchanged(w, r, etag) {
				return
			}
		}
		body, err := a.compute(r, q)
		if refuse(w, err) {
			return
		}
		a.outbox.write(w, body, etag)
	})
}

// compute makes the answer to a question. The number of answers that are made at a time is limited, and so is the time
// for each. Writing them is not part of it, so clients that do not read block no other client. The state of the map is
// always answered.
func (a *api) compute(r *http.Request, q question) (encoded, error) {
	if q.span != nil {
		if !a.acquire(r.Context()) {
			return encoded{}, apiError{Code: "busy", Message: "too many requests at a time"}
		}
		defer func() { <-a.slots }()
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	defer cancel()
	value, err := q.value(ctx)
	if errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
		return encoded{}, apiError{Code: "timeout", Message: fmt.Sprintf(
			"the answer was not ready within %v (query_timeout); use a simpler filter or a shorter window", a.timeout)}
	}
	if err != nil {
		return encoded{}, apiError{Code: codeOf(err), Message: err.Error()}
	}
	return encode(r, value)
}

// codeOf returns the code of an error that made an answer impossible.
func codeOf(err error) string {
	var f *history.Failure
	switch {
	case errors.As(err, &f) && f.Slow:
		return "store_slow"
	case errors.As(err, &f):
		return "store_away"
	}
	return "internal"
}

// statuses are the codes that are not answered with 400.
var statuses = map[string]int{
	"not_found": http.StatusNotFound, "busy": http.StatusServiceUnavailable,
	"store_slow": http.StatusServiceUnavailable, "store_away": http.StatusServiceUnavailable,
	"timeout": http.StatusServiceUnavailable, "internal": http.StatusInternalServerError,
}

// refuse answers an error, if there is one, and reports whether it did.
func refuse(w http.ResponseWriter, err error) bool {
	if err == nil {
		return false
	}
	var e apiError
	if !errors.As(err, &e) {
		e = apiError{Code: "bad_parameter", Message: err.Error()}
	}
	if e.Code == "busy" {
		w.Header().Set("Retry-After", "5")
	}
	fail(w, cmp.Or(statuses[e.Code], http.StatusBadRequest), e)
	return true
}

// acquire waits until the answer may be made, and reports whether it may.
func (a *api) acquire(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// etag identifies a request, and what the source knew at the time.
func (a *api) etag(r *http.Request, span snap.Range, version uint64) string {
	asked := fnv.New64a()
	fmt.Fprint(asked, r.URL.Path, "?", r.URL.RawQuery)
	v := a.source.Version()
	var ofAlerts uint64
	if set := a.alerts.Set(); set != nil {
		ofAlerts = set.Status.Version
	}
	return fmt.Sprintf(`"%x-%x-%x-%x-%x-%x"`, v.Opened, v.Generation, ofAlerts, version, span.To, asked.Sum64())
}

func (a *api) tags(_ *parameters, _ *http.Request) question {
	return a.on(a.source.Range(a.source.Spans()[0].Length, 0), func(_ context.Context, s *snap.Snapshot) (any, error) {
		return view.NewTagList(s), nil
	})
}

func (a *api) values(p *parameters, r *http.Request) question {
	name := r.PathValue("tag")
	q := view.ValuesQuery{Client: true, Server: true}
	if rest, ok := strings.CutPrefix(name, "client."); ok {
		name, q.Server = rest, false
	} else if rest, ok := strings.CutPrefix(name, "server."); ok && name != "server.port" {
		name, q.Client = rest, false
	}
	var ok bool
	if q.By, ok = view.ParseBy(name); !ok {
		p.err = apiError{Code: "not_found", Message: fmt.Sprintf("unknown tag %q", name), Field: "tag"}
	}
	span := p.span(a.source)
	q.Query = a.query(p)
	q.Search = p.text("search", "")
	q.Limit = int(p.number("limit", 50, 1, 500))
	return a.on(span, func(ctx context.Context, s *snap.Snapshot) (any, error) {
		return view.NewTagValues(ctx, s, q)
	}, wants(q.Filter)...)
}

// query returns what several requests have in common.
func (a *api) query(p *parameters) view.Query {
	q := p.query(a.source)
	q.Alerts, q.Prices = a.alerts.Set(), a.costs.prices()
	return q
}

func (a *api) graph(p *parameters, _ *http.Request) question {
	span := p.span(a.source)
	q := view.GraphQuery{
		Query: a.query(p), By: p.by("by", "name"), Group: p.by("group", ""),
		Metrics: p.metrics("metrics", "tx,rx,retransmits,rtt,attempts,failures,active"), Rank: p.metric("rank",
			"volume"),
		Nodes: int(p.number("nodes", maxNodes, 1, maxNodes)), Edges: int(p.number("edges", maxEdges, 1, maxEdges)),
	}
	if q.By == view.None {
		p.fail("by", "must be a tag")
	}
	load := a.source.Snapshot
	if s, ok := a.source.(hourly); ok {
		load = func(ctx context.Context, r snap.Range, wants ...snap.Want) (*snap.Snapshot, error) {
			return s.Hours(ctx, r, q.ByNamespace(), wants...)
		}
	}
	return question{span: &span, value: func(ctx context.Context) (any, error) {
		s, err := load(ctx, span, wants(q.Filter)...)
		if err != nil {
			return nil, err
		}
		return view.NewGraph(ctx, s, q)
	}}
}

// wants returns what a filter says of both ends.
func wants(f *filter.Filter) (all []snap.Want) {
	for _, c := range f.Conditions() {
		all = append(all, snap.Want{Client: c.Client, Server: c.Server, Tag: c.Tag, Holds: c.Holds})
	}
	return all
}

func (a *api) flows(p *parameters, _ *http.Request) question {
	span := p.span(a.source)
	q := view.FlowsQuery{
		Query: a.query(p), Clients: p.tags("clients", "name", false), Servers: p.tags("servers", "name,port",
			true),
		Sort: p.sort(), Limit: int(p.number("limit", 200, 1, maxRows)), Offset: int(p.number("offset", 0, 0, 1<<31)),
		Spark: p.spark(),
	}
	load := p.flag("load")
	if load {
		q.Load = func(ctx context.Context, sets [][]*edge.End) ([]*snap.Load, error) {
			return a.kept.Loads(ctx, sets, span, a.sole())
		}
	}
	asked := a.on(span, func(ctx context.Context, s *snap.Snapshot) (any, error) {
		return view.NewFlows(ctx, s, q)
	}, wants(q.Filter)...)
	if load {
		asked.version = a.kept.Generation()
	}
	return asked
}

func (a *api) series(p *parameters, _ *http.Request) question {
	span := p.span(a.source)
	q := a.query(p)
	q.Level = p.level()
	details := int(p.number("edges", 20, 0, 200))
	return a.on(span, func(ctx context.Context, s *snap.Snapshot) (any, error) {
		return view.NewSeries(ctx, s, q, details)
	}, wants(q.Filter)...)
}
