package netmapextension

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A remoteSource is a source as one behind a network would be: it may fail, and has other steps than the store.
type remoteSource struct {
	edges   []snap.Edge
	status  snap.Status
	version snap.Version
	err     error // of snapshots
	read    error // of histories
	mu      sync.Mutex
	asked   []snap.Range
	later   int64         // how far its clock is on, in seconds
	entered chan struct{} // if set, a snapshot says so and waits for its context
}

func (s *remoteSource) Spans() snap.Spans {
	return snap.Spans{{Step: 60, Length: 1800}, {Step: 3600, Length: 30 * 86400}}
}

func (s *remoteSource) Range(window, end int64) snap.Range {
	return s.Spans().Range(1_800_000_000+s.later, window, end)
}

func (s *remoteSource) Version() snap.Version { return s.version }

func (s *remoteSource) Status() snap.Status { return s.status }

func (s *remoteSource) Snapshot(ctx context.Context, r snap.Range, _ ...snap.Want) (*snap.Snapshot, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	if s.entered != nil {
		s.entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &snap.Snapshot{Range: r, Seconds: 1, Kinds: []snap.Kind{{}}, Edges: s.edges, History: s}, s.err
}

func (s *remoteSource) Read(context.Context, [][]int, snap.What, func(int, snap.Step)) error {
	return s.read
}

// ask sends a request to the API of a source.
func ask(t *testing.T, h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var targets = []string{
	"/api/v1/graph", "/api/v1/flows?spark=none", "/api/v1/series", "/api/v1/tags", "/api/v1/tags/port/values", "/api/v1/status",
}

// Any source will do, and its steps are those of the API.
func TestAnotherSource(t *testing.T) {
	s := &remoteSource{}
	h := newAPI(nil, s, time.Minute).handler()
	for _, target := range targets {
		if w := ask(t, h, target); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	for target, want := range map[string]snap.Range{
		"/api/v1/graph":                                    {From: 1_799_998_260, To: 1_800_000_060, Step: 60},
		"/api/v1/graph?window=60":                          {From: 1_800_000_000, To: 1_800_000_060, Step: 60},
		"/api/v1/graph?window=86400":                       {From: 1_799_917_200, To: 1_800_003_600, Step: 3600},
		"/api/v1/graph?window=60&end=1799999999.5":         {From: 1_799_999_940, To: 1_800_000_000, Step: 60},
		"/api/v1/graph?window=60&end=1799000000&new=86400": {From: 1_798_999_200, To: 1_799_002_800, Step: 3600},
		"/api/v1/tags":                                     {From: 1_799_998_260, To: 1_800_000_060, Step: 60},
	} {
		s.asked = nil
		if w := ask(t, h, target); w.Code != http.StatusOK || len(s.asked) != 1 || s.asked[0] != want {
			t.Errorf("%s: %d, asked for %+v, want %+v", target, w.Code, s.asked, want)
		}
	}
	for target, message := range map[string]string{
		"/api/v1/graph?window=59":      "window: must be a whole number from 60 to 2592000",
		"/api/v1/graph?window=2592001": "window: must be a whole number from 60 to 2592000",
		"/api/v1/graph?new=2592001":    "new: must be a whole number from 0 to 2592000",
		"/api/v1/graph?end=-1":         "end: must be a time in Unix seconds",
		"/api/v1/graph?end=NaN":        "end: must be a time in Unix seconds",
	} {
		if w := ask(t, h, target); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), message) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	var got status
	if err := json.Unmarshal(ask(t, h, "/api/v1/status").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]step{{60, 1800}, {3600, 30 * 86400}}, got.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// A source that fails is an error of the map, and says why.
func TestASourceThatFails(t *testing.T) {
	s := &remoteSource{err: errors.New("connect to the store: refused")}
	h := newAPI(nil, s, time.Minute).handler()
	for _, target := range targets {
		w := ask(t, h, target)
		if target == "/api/v1/status" { // it says what is wrong with the source
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", target, w.Code, w.Body)
			}
			continue
		}
		if want := `{"error":{"code":"internal","message":"connect to the store: refused"}}`; w.Code != http.StatusInternalServerError ||
			strings.TrimSpace(w.Body.String()) != want || w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", target, w.Code, w.Body, w.Header())
		}
	}
	h = newAPI(nil, &remoteSource{read: errors.New("query: too slow")}, time.Minute).handler()
	for _, target := range []string{"/api/v1/flows", "/api/v1/series"} {
		if w := ask(t, h, target); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "query: too slow") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

// While as many answers are made as may be, others wait, and are told so if it takes too long. The state of the map is
// always answered.
func TestTooManyRequestsAtATime(t *testing.T) {
	a := newAPI(nil, &remoteSource{}, time.Minute).handler()
	busy := &remoteSource{entered: make(chan struct{})}
	h := newAPI(nil, busy, time.Minute).handler()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	for range maxConcurrent {
		go func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/graph", nil))
			done <- w.Code
		}()
		<-busy.entered
	}
	impatient, give := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer give()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(impatient, http.MethodGet, "/api/v1/graph", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" || !strings.Contains(w.Body.String(), `"busy"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	cancel() // the clients have gone: their answers stop
	for range maxConcurrent {
		if code := <-done; code != http.StatusInternalServerError {
			t.Errorf("a client that has gone: %d", code)
		}
	}
	if w := ask(t, a, "/api/v1/graph"); w.Code != http.StatusOK {
		t.Errorf("another map: %d", w.Code)
	}
}

// A slowReader is a client that does not read: writing to it waits.
type slowReader struct {
	*httptest.ResponseRecorder
	writing, read chan struct{}
}

func (s slowReader) Write(b []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.read
	return s.ResponseRecorder.Write(b)
}

// Clients that do not read their answers do not block other clients.
func TestClientsThatDoNotRead(t *testing.T) {
	h := newAPI(nil, &remoteSource{}, time.Minute).handler()
	read, done := make(chan struct{}), make(chan struct{})
	for range 2 * maxConcurrent {
		w := slowReader{httptest.NewRecorder(), make(chan struct{}), read}
		go func() {
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/graph", nil))
			done <- struct{}{}
		}()
		<-w.writing
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/graph", nil))
	if w.Code != http.StatusOK {
		t.Errorf("beside clients that do not read: %d %s", w.Code, w.Body)
	}
	close(read)
	for range 2 * maxConcurrent {
		<-done
	}
}

// The state of the map needs no turn.
func TestStatusIsAnsweredWhileAllAreBusy(t *testing.T) {
	a := &api{kept: noSignals(), source: &remoteSource{}, timeout: time.Minute, slots: make(chan struct{}, maxConcurrent)}
	for range maxConcurrent {
		a.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	w := httptest.NewRecorder()
	a.get(a.status).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/status", nil))
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// An ETag is of one request, one range and one state of the source.
func TestETags(t *testing.T) {
	s := &remoteSource{version: snap.Version{Opened: 1, Generation: 1}}
	h := newAPI(nil, s, time.Minute).handler()
	first := ask(t, h, "/api/v1/graph").Header().Get("ETag")
	if first == "" || ask(t, h, "/api/v1/status").Header().Get("ETag") != "" {
		t.Errorf("the graph has the ETag %q; the status must have none", first)
	}
	for _, held := range []string{first, "W/" + first, `"x", ` + first} {
		if w := ask(t, h, "/api/v1/graph", "If-None-Match", held); w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("ETag") != first {
			t.Errorf("with %s: %d %s", held, w.Code, w.Body)
		}
	}
	for _, other := range []string{"/api/v1/graph?by=host", "/api/v1/flows", "/api/v1/graph?window=86400"} {
		if w := ask(t, h, other, "If-None-Match", first); w.Code != http.StatusOK || w.Header().Get("ETag") == first {
			t.Errorf("%s: %d", other, w.Code)
		}
	}
	s.later = 60
	if w := ask(t, h, "/api/v1/graph", "If-None-Match", first); w.Code != http.StatusOK {
		t.Errorf("a step later: %d", w.Code)
	}
	s.later = 0
	for _, v := range []snap.Version{{Opened: 1, Generation: 2}, {Opened: 2, Generation: 1}} {
		s.version = v
		if w := ask(t, h, "/api/v1/graph", "If-None-Match", first); w.Code != http.StatusOK {
			t.Errorf("version %+v: %d", v, w.Code)
		}
	}
}

// An answer is compressed if it is long and the client takes it, and is asked for again each time.
func TestHowAnswersAreSent(t *testing.T) {
	h := newAPI(nil, &remoteSource{}, time.Minute).handler()
	for target, long := range map[string]bool{"/api/v1/tags": true, "/api/v1/tags/pod/values": false} {
		for accept, gzipped := range map[string]bool{"": false, "identity": false, "gzip": long, "gzip;q=0": false} {
			w := ask(t, h, target, "Accept-Encoding", accept)
			if got := w.Header().Get("Content-Encoding") == "gzip"; got != gzipped {
				t.Errorf("%s accepting %q is compressed: %v", target, accept, got)
			}
			if w.Header().Get("Cache-Control") != "no-cache" || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %v", target, w.Header())
			}
		}
	}
}

// Values of a tag are those of the ends that were asked for.
func TestValuesOfOneSide(t *testing.T) {
	client, server := edge.End{names.TagName: edge.Text("c")}, edge.End{names.TagName: edge.Text("s")}
	h := newAPI(nil, &remoteSource{edges: []snap.Edge{{Client: &client, Server: &server}}}, time.Minute).handler()
	for tag, want := range map[string][]string{"name": {"c", "s"}, "client.name": {"c"}, "server.name": {"s"}} {
		var got struct{ Values []struct{ Value string } }
		if err := json.Unmarshal(ask(t, h, "/api/v1/tags/"+tag+"/values").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		values := []string{}
		for _, v := range got.Values {
			values = append(values, v.Value)
		}
		if diff := cmp.Diff(want, values); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tag, diff)
		}
	}
}

// A groupingSource counts the answers that it may add up.
type groupingSource struct {
	remoteSource
	grouped int
}

func (s *groupingSource) Hours(ctx context.Context, r snap.Range, sums bool, wants ...snap.Want) (*snap.Snapshot, error) {
	if sums {
		s.grouped++
	}
	return s.Snapshot(ctx, r, wants...)
}

// A source may add up the edges of a graph by namespace, if nothing of the graph depends on a single edge.
func TestSumsByNamespace(t *testing.T) {
	for query, want := range map[string]int{
		"by=namespace": 1, "by=type&group=namespace": 1, "by=namespace&filter=client.namespace%3Da": 1, "by=namespace&loops=true": 1,
		"": 0, "by=workload&group=namespace": 0, "by=namespace&group=zone": 0, "by=namespace&problems=true": 0, "by=namespace&only=new": 0,
		"by=namespace&filter=web": 0, "by=namespace&filter=port%3D80": 0,
	} {
		s := &groupingSource{}
		w := ask(t, newAPI(nil, s, time.Minute).handler(), "/api/v1/graph?"+query)
		if w.Code != http.StatusOK || s.grouped != want || len(s.asked) != 1 {
			t.Errorf("%s: %d, %d sums, %d snapshots", query, w.Code, s.grouped, len(s.asked))
		}
	}
}
