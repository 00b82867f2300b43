package netmapextension

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/netconn/netconn/netmap/internal/store"
	"github.com/netconn/netconn/netmap/internal/view"
)

const (
	maxNodes = 1000
	maxEdges = 5000
	maxRows  = 1000

	computing = 4               // answers that are made at a time
	patience  = 5 * time.Second // how long a request waits for its turn
)

// An api answers what is below /api/.
type api struct {
	config *Config
	store  *store.Store
	turns  chan struct{}
}

func newAPI(c *Config, s *store.Store) http.Handler {
	a := &api{config: c, store: s, turns: make(chan struct{}, computing)}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/status", a.get(a.status))
	mux.Handle("/api/v1/tags", a.get(a.tags))
	mux.Handle("/api/v1/tags/{tag}/values", a.get(a.values))
	mux.Handle("/api/v1/graph", a.get(a.graph))
	mux.Handle("/api/v1/flows", a.get(a.flows))
	mux.Handle("/api/v1/series", a.get(a.series))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, apiError{Code: "not_found", Message: "there is no such request"})
	})
	return mux
}

// A request reads its parameters and returns the range of time that the answer is of, and how to make it. Without a range
// the answer is another one each time.
type request func(p *parameters, r *http.Request) (*store.Range, func() any)

// get makes a handler of a request: method, parameters, whether the client has the answer already, its turn.
func (a *api) get(read request) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", "GET")
			fail(w, http.StatusMethodNotAllowed, apiError{Code: "method_not_allowed", Message: "only GET"})
			return
		}
		given, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			fail(w, http.StatusBadRequest, apiError{Code: "bad_parameter", Message: "the parameters are not well-formed"})
			return
		}
		p := &parameters{given: given}
		span, compute := read(p, r)
		if refuse(w, p.finish()) {
			return
		}
		etag := ""
		if span != nil {
			etag = a.etag(r, *span)
			if unchanged(w, r, etag) {
				return
			}
		}
		if !a.turn(r.Context()) {
			w.Header().Set("Retry-After", "5")
			fail(w, http.StatusServiceUnavailable, apiError{Code: "busy", Message: "too many requests at a time"})
			return
		}
		defer func() { <-a.turns }()
		answer(w, r, etag, compute())
	})
}

// refuse answers an error.
func refuse(w http.ResponseWriter, err error) bool {
	if err == nil {
		return false
	}
	status := http.StatusBadRequest
	var e apiError
	if !errors.As(err, &e) {
		e = apiError{Code: "bad_parameter", Message: err.Error()}
	}
	if e.Code == "not_found" {
		status = http.StatusNotFound
	}
	fail(w, status, e)
	return true
}

// turn waits until few enough answers are being made.
func (a *api) turn(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case a.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// etag stands for what is asked, and for what there is to answer it from.
func (a *api) etag(r *http.Request, span store.Range) string {
	asked := fnv.New64a()
	fmt.Fprint(asked, r.URL.Path, "?", r.URL.RawQuery)
	return fmt.Sprintf(`"%x-%x-%x-%x"`, a.store.Opened(), a.store.Generation(), span.To, asked.Sum64())
}

func (a *api) tags(_ *parameters, _ *http.Request) (*store.Range, func() any) {
	span := a.store.Range(store.FineSpan, 0)
	return &span, func() any { return view.NewTagList(a.store.Snapshot(span)) }
}

func (a *api) values(p *parameters, r *http.Request) (*store.Range, func() any) {
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
	span := p.span(a.store)
	q.Query = p.query()
	q.Search = p.text("search", "")
	q.Limit = int(p.number("limit", 50, 1, 500))
	return &span, func() any { return view.NewTagValues(a.store.Snapshot(span), q) }
}

func (a *api) graph(p *parameters, _ *http.Request) (*store.Range, func() any) {
	span := p.span(a.store)
	q := view.GraphQuery{
		Query: p.query(), By: p.by("by", "name"), Group: p.by("group", ""),
		Metrics: p.metrics("metrics", "tx,rx,retransmits,rtt,attempts,failures,active"), Rank: p.metric("rank", "volume"),
		Nodes: int(p.number("nodes", maxNodes, 1, maxNodes)), Edges: int(p.number("edges", maxEdges, 1, maxEdges)),
	}
	if q.By == view.None {
		p.fail("by", "must be a tag")
	}
	return &span, func() any { return view.NewGraph(a.store.Snapshot(span), q) }
}

func (a *api) flows(p *parameters, _ *http.Request) (*store.Range, func() any) {
	span := p.span(a.store)
	q := view.FlowsQuery{
		Query: p.query(), Clients: p.tags("clients", "name", false), Servers: p.tags("servers", "name,port", true),
		Sort: p.sort(), Limit: int(p.number("limit", 200, 1, maxRows)), Offset: int(p.number("offset", 0, 0, 1<<31)), Spark: p.spark(),
	}
	return &span, func() any { return view.NewFlows(a.store, a.store.Snapshot(span), q) }
}

func (a *api) series(p *parameters, _ *http.Request) (*store.Range, func() any) {
	span := p.span(a.store)
	q := p.query()
	details := int(p.number("edges", 20, 0, 200))
	return &span, func() any { return view.NewSeries(a.store, a.store.Snapshot(span), q, details) }
}
