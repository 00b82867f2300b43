package alerts

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	firing     = `{"status":"success","data":{"alerts":[{"labels":{"alertname":"Down","pod":"web-1"},"annotations":{},"state":"firing"}]}}`
	none       = `{"status":"success","data":{"alerts":[]}}`
	fromPaging = `[{"labels":{"alertname":"Down","pod":"web-1"},"annotations":{},"status":{"state":"active"}}]`
)

// A server answers each path with a text; other paths are not found. Empty: it is down.
type server struct {
	answers map[string]string
	asked   []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.URL.Path)
	answer, ok := s.answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if address, is := strings.CutPrefix(answer, "redirect:"); is {
		http.Redirect(w, r, address, http.StatusFound)
		return
	}
	fmt.Fprint(w, answer)
}

func source(t *testing.T, kind Kind, s *server) *Source {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return New(Config{Client: web.Client(), Endpoint: web.URL + "/", Kind: kind, Interval: time.Second, Rules: usual(t)})
}

func TestTheAnswerDecidesTheKind(t *testing.T) {
	s := &server{answers: map[string]string{"/api/v2/alerts": fromPaging}}
	from := source(t, Auto, s)
	if got := from.Set().Status; got.State != "starting" || len(from.Set().Alerts) != 0 {
		t.Errorf("at first: %+v", got)
	}
	from.poll(t.Context())
	if got := from.Set().Status; got.State != "ok" || got.Kind != Alertmanager || len(from.Set().Alerts) != 1 {
		t.Errorf("%+v", got)
	}
	s.asked = nil
	from.poll(t.Context())
	if strings.Join(s.asked, " ") != "/api/v2/alerts" {
		t.Errorf("then it asks for %q", s.asked)
	}
	s.answers = map[string]string{"/api/v1/alerts": firing} // another program has taken the port
	from.poll(t.Context())
	if got := from.Set().Status; got.State != "ok" || got.Kind != Prometheus {
		t.Errorf("%+v", got)
	}
	s.asked = nil
	fixed := source(t, Alertmanager, s)
	fixed.poll(t.Context())
	if got := fixed.Set().Status; got.State != "unreachable" || strings.Join(s.asked, " ") != "/api/v2/alerts" {
		t.Errorf("%+v, it asked for %q", got, s.asked)
	}
}

// The alerts of a source that does not answer stay for a while. Then they are not known, and the reason stays.
func TestASourceThatEnds(t *testing.T) {
	s := &server{answers: map[string]string{"/api/v1/alerts": firing}}
	from := source(t, Prometheus, s)
	now := time.Unix(1_800_000_000, 0)
	from.now = func() time.Time { return now }
	from.poll(t.Context())
	s.answers = nil
	for _, tt := range []struct {
		later  time.Duration
		alerts int
	}{{time.Second, 1}, {keep - time.Second, 1}, {keep, 0}, {2 * keep, 0}} {
		now = time.Unix(1_800_000_000, 0).Add(tt.later)
		from.poll(t.Context())
		got := from.Set()
		if len(got.Alerts) != tt.alerts || got.Status.State != "unreachable" || got.Status.At != 1_800_000_000 ||
			got.Status.Reason != "/api/v1/alerts answers 404 Not Found" {
			t.Errorf("after %v: %d alerts, %+v", tt.later, len(got.Alerts), got.Status)
		}
	}
	s.answers = map[string]string{"/api/v1/alerts": none}
	from.poll(t.Context())
	if got := from.Set(); len(got.Alerts) != 0 || got.Status.State != "ok" || got.Status.Reason != "" {
		t.Errorf("it is back: %+v", got.Status)
	}
}

// The version changes if what is shown changes, and only then: a page gets 304 if nothing has.
func TestVersions(t *testing.T) {
	s := &server{answers: map[string]string{"/api/v1/alerts": none}}
	from := source(t, Prometheus, s)
	var versions []uint64
	for _, answer := range []string{none, none, firing, firing, strings.Replace(firing, "firing", "pending", 1), "", "", none} {
		s.answers["/api/v1/alerts"] = answer
		from.poll(t.Context())
		versions = append(versions, from.Set().Status.Version)
	}
	if got := fmt.Sprint(versions); got != "[1 1 2 2 3 4 4 5]" {
		t.Errorf("versions %s", got)
	}
}

// An error is shown on the page: it has no address, which may have a password in it. Headers are not sent elsewhere.
func TestErrorsKeepSecrets(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	from := source(t, Prometheus, &server{answers: map[string]string{"/api/v1/alerts": "redirect:" + other.URL}})
	from.poll(t.Context())
	if got := from.Set().Status.Reason; got != "/api/v1/alerts answers 302 Found" || elsewhere.Load() != 0 {
		t.Errorf("%s; another host was asked %d times", got, elsewhere.Load())
	}
	down := New(Config{Client: http.DefaultClient, Endpoint: "http://user:secret@127.0.0.1:1", Kind: Auto, Interval: time.Second, Rules: usual(t)})
	down.poll(t.Context())
	if got := down.Set().Status.Reason; strings.Contains(got, "secret") || strings.Contains(got, "user") ||
		strings.Count(got, "connection refused") != 1 {
		t.Errorf("%s", got)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	slow := New(Config{Client: &http.Client{Timeout: 50 * time.Millisecond}, Endpoint: silent.URL, Kind: Prometheus, Rules: usual(t)})
	slow.poll(t.Context())
	if got := slow.Set().Status.Reason; got != "no answer in time" {
		t.Errorf("%s", got)
	}
}

// Run ends with its context, and the request under way with it.
func TestRun(t *testing.T) {
	s := &server{answers: map[string]string{"/api/v1/alerts": firing}}
	from := source(t, Auto, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { from.Run(ctx); close(done) }()
	for len(from.Set().Alerts) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	from.poll(ctx)
	if got := from.Set().Status.State; got != "ok" {
		t.Errorf("the end of the collector is no error of the source, but %s", got)
	}
	if (*Source)(nil).Set() != nil {
		t.Error("no source has a set")
	}
}
