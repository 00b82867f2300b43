package netmapextension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/view"
)

const edgeOfStore = `{"netconn_reporter":"server","client_type":"pod","client_namespace":"a","client_name":"web",` +
	`"server_type":"pod","server_namespace":"b","server_name":"db","server_port":"5432",` +
	`"netconn_scope":"remote","network_io_direction":"transmit"}`

// A storeOfEdges is a Prometheus with one edge, for a tenant. Its status decides whether it answers.
func storeOfEdges(t *testing.T) (address string, status *atomic.Int64) {
	t.Helper()
	status = &atomic.Int64{}
	status.Store(http.StatusOK)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(status.Load()))
		switch {
		case r.Header.Get("X-Scope-OrgID") != "tenant" || status.Load() != http.StatusOK:
		case strings.HasSuffix(r.URL.Path, "/label/__name__/values"):
			fmt.Fprint(w, `{"status":"success","data":["netconn_edge_io_bytes_total"]}`)
		case strings.HasSuffix(r.URL.Path, "/query"):
			fmt.Fprintf(w, `{"status":"success","data":{"result":[{"metric":%s,"value":[1,"4242"]}]}}`, edgeOfStore)
		default:
			fmt.Fprint(w, `{"status":"success","data":{"result":[]}}`)
		}
	}))
	t.Cleanup(web.Close)
	return web.URL + "/prometheus", status
}

func serveHistory(t *testing.T) (*served, *atomic.Int64) {
	address, status := storeOfEdges(t)
	return serve(t, func(c *Config) {
		c.History.Endpoint = address
		c.History.Headers = configopaque.MapList{{Name: "X-Scope-OrgID", Value: "tenant"}}
	}), status
}

func decoded[T any](t *testing.T, s *served, target string) (value T) {
	t.Helper()
	r := s.get(target)
	if err := json.Unmarshal([]byte(r.body), &value); r.status != http.StatusOK || err != nil {
		t.Fatalf("%s: %d %s (%v)", target, r.status, r.body, err)
	}
	return value
}

type figuresOfGraph struct {
	Source string
	Nodes  struct{ Name []string }
	Totals view.Totals
}

// A map that no pipeline feeds has everything from the store: all requests, and windows of 30 days.
func TestAMapWithoutAPipeline(t *testing.T) {
	s, _ := serveHistory(t)
	for _, window := range []int{60, 300, 86400, 30 * 86400} {
		g := decoded[figuresOfGraph](t, s, fmt.Sprintf("/api/v1/graph?by=workload&window=%d", window))
		if g.Source != "store" || g.Totals.Tx != 4242 || strings.Join(g.Nodes.Name, " ") != "web db" {
			t.Errorf("a window of %d s: %+v", window, g)
		}
	}
	for _, target := range []string{"flows", "series", "tags", "tags/name/values", "signals"} {
		if r := s.get("/api/v1/" + target); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", target, r.status, r.body)
		}
	}
	got := decoded[status](t, s, "/api/v1/status")
	if got.State != "ok" || got.History == nil || got.History.State != "ok" || got.Steps[len(got.Steps)-1].Held != 30*86400 {
		t.Errorf("%s (%s), history %+v, steps %+v", got.State, got.Reason, got.History, got.Steps)
	}
}

// The last hour is the map's own, if a pipeline feeds it; what is longer, or longer ago, is the store's.
func TestTheLastHourAndMore(t *testing.T) {
	s, _ := serveHistory(t)
	s.give(feedtest.Flow{
		Resource: feedtest.Attributes{"host.id": "h", "process.executable.name": "curl"},
		Point: feedtest.Attributes{"netconn.role": "client", "netconn.peer.type": "public", "netconn.peer.scope": "remote",
			"server.port": 443}, Tx: 5,
	})
	for query, want := range map[string]string{
		"window=10": "memory", "window=3600": "memory", "window=3660": "store", "window=86400": "store",
		"window=300&end=1700000000": "store",
	} {
		if g := decoded[figuresOfGraph](t, s, "/api/v1/graph?"+query); g.Source != want {
			t.Errorf("%s: from %s, want %s", query, g.Source, want)
		}
	}
	got := decoded[status](t, s, "/api/v1/status")
	if got.Steps[0].Seconds != 10 || got.Steps[len(got.Steps)-1].Held != 30*86400 {
		t.Errorf("steps %+v", got.Steps)
	}
}

// The state says that the store does not answer, and why. So does the answer to each request.
func TestAStoreThatDoesNotAnswer(t *testing.T) {
	s, answers := serveHistory(t)
	answers.Store(http.StatusBadGateway)
	if r := s.get("/api/v1/graph"); r.status != http.StatusServiceUnavailable ||
		!strings.Contains(r.body, `"store_away"`) || !strings.Contains(r.body, "the store answers 502 Bad Gateway") {
		t.Errorf("%d %s", r.status, r.body)
	}
	got := decoded[status](t, s, "/api/v1/status")
	if got.State != "away" || got.History.State != "away" || got.Reason != "the store answers 502 Bad Gateway" {
		t.Errorf("%s (%s), history %+v", got.State, got.Reason, got.History)
	}
}

// Without a store, nothing is different.
func TestNoHistory(t *testing.T) {
	got := decoded[status](t, serve(t), "/api/v1/status")
	if got.History != nil || len(got.Steps) != 2 {
		t.Errorf("history %+v, steps %+v", got.History, got.Steps)
	}
}
