package history

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netconn/netconn/netmap/internal/snap"
)

const now = 1_800_000_030 // 30 s after a step begins

// A toldRow is a series of an answer, as a test says it.
type toldRow struct {
	Metric map[string]string
	Value  sample
	Values []sample
}

// A fake is a store that answers queries about a metric with the rows that the test gives it.
type fake struct {
	*httptest.Server
	t     *testing.T
	exact bool // as VictoriaMetrics is

	mu      sync.Mutex
	rows    map[string][]toldRow // by the name of the metric; before: of the day before
	queries []string             // that were received
	only    string               // how queries of the day before begin that have rows
	fault   func(w http.ResponseWriter, query string) bool
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, rows: make(map[string][]toldRow)}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		f.t.Error(err)
	}
	query := r.Form.Get("query") + r.Form.Get("match[]")
	f.queries = append(f.queries, r.URL.Path+" "+query)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case f.fault != nil && f.fault(w, query):
	case strings.HasSuffix(r.URL.Path, "/__name__/values"):
		f.answer(w, f.names())
	case strings.HasSuffix(r.URL.Path, "/values"):
		f.answer(w, f.values(path.Base(path.Dir(r.URL.Path))))
	case query == "1 default 2" && !f.exact:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"1:3: parse error"}`)
	default:
		f.answer(w, map[string]any{"resultType": "vector", "result": f.result(query, strings.HasSuffix(r.URL.Path, "_range"))})
	}
}

func (f *fake) names() []string {
	all := []string{"netconn_edge_unknown"}
	for name := range f.rows {
		if name != "before" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func (f *fake) values(label string) []string {
	all := []string{}
	for _, rows := range f.rows {
		for _, r := range rows {
			if v := r.Metric[label]; v != "" && !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
	}
	return all
}

func (f *fake) result(query string, steps bool) []map[string]any {
	all := []map[string]any{}
	for name, rows := range f.rows {
		if strings.Contains(query, "[86400s]") {
			name = "\x00" // only before has the day before
			if rows = f.rows["before"]; !strings.HasPrefix(query, f.only) {
				rows = nil
			}
		}
		if !strings.Contains(query, fmt.Sprintf("__name__=%q", name)) && name != "\x00" {
			continue
		}
		for _, r := range rows {
			one := map[string]any{"metric": r.Metric}
			if steps || strings.Contains(name, ":recorded") {
				values := [][]any{}
				for _, v := range r.Values {
					values = append(values, []any{v.At, strconv.FormatFloat(v.Value, 'f', -1, 64)})
				}
				one["values"] = values
			} else {
				one["value"] = []any{now, fmt.Sprint(r.Value.Value)}
			}
			all = append(all, one)
		}
		if name == "\x00" {
			break
		}
	}
	return all
}

func (f *fake) answer(w http.ResponseWriter, data any) {
	if err := json.NewEncoder(w).Encode(map[string]any{"infos": []string{"x"}, "status": "success", "data": data}); err != nil {
		f.t.Log(err)
	}
}

// fail answers queries that contain a text.
func (f *fake) fail(part string, status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = func(w http.ResponseWriter, query string) bool {
		if !strings.Contains(query, part) {
			return false
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	}
}

// received returns how many queries with a text were received.
func (f *fake) received(part string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.queries {
		if strings.Contains(q, part) {
			n++
		}
	}
	return n
}

// labels makes the labels of a series: the reporter, the edge by "client>server", and more.
func tagged(reporter, parties string, more ...string) map[string]string {
	client, server, _ := strings.Cut(parties, ">")
	l := map[string]string{
		"netconn_reporter": reporter, "netconn_scope": "remote", "server_port": "80",
		"client_type": "pod", "client_namespace": "prod", "client_name": client,
		"server_type": "pod", "server_namespace": "prod", "server_name": server,
	}
	for i := 0; i < len(more); i += 2 {
		l[more[i]] = more[i+1]
	}
	return l
}

func counted(value float64, l map[string]string) toldRow {
	return toldRow{Metric: l, Value: sample{now, value}}
}

// source returns a source that asks the fake.
func (f *fake) source(change ...func(*Config)) *Source {
	c := Config{
		Client: f.Client(), Endpoint: f.URL + "/", Timeout: 10 * time.Second, Cache: time.Minute, MaxSeries: 100,
		MaxBytes: 1 << 20, Queries: 2, Now: func() time.Time { return time.Unix(now, 0) },
	}
	for _, f := range change {
		f(&c)
	}
	s := New(c)
	f.t.Cleanup(s.Close)
	return s
}

func snapshot(t *testing.T, s *Source, window int64) *snap.Snapshot {
	t.Helper()
	answer, err := s.Snapshot(t.Context(), s.Range(window, 0))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// told returns the edges in words, sorted.
func told(s *snap.Snapshot) []string {
	all := []string{}
	for i := range s.Edges {
		e := &s.Edges[i]
		words := fmt.Sprintf("%v>%v:%d tx=%d rx=%d", e.Client[0], e.Server[0], e.Link.Port, e.Tx, e.Rx)
		for i, holds := range [...]bool{e.ByClient, e.ByServer, e.Fresh} {
			if holds {
				words += [...]string{" by client", " by server", " fresh"}[i]
			}
		}
		all = append(all, words)
	}
	slices.Sort(all)
	return all
}
