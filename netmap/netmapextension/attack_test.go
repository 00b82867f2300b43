//go:build unix

package netmapextension

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// manyEdges is how many edges the attacks are made on: a quarter of what a map holds by default.
const manyEdges = 5_000

// hostile are edges whose ends have the longest values in all tags, each another one.
var hostile = sync.OnceValue(func() []snap.Edge {
	dice := rand.New(rand.NewPCG(1, 2))
	end := func() *edge.End {
		var e edge.End
		for tag := range names.Tags {
			e[tag] = edge.Text(longLabel(dice))
		}
		return &e
	}
	all := make([]snap.Edge, manyEdges)
	for i := range all {
		all[i] = snap.Edge{Client: end(), Server: end(), Figures: snap.Figures{Tx: 1}}
	}
	return all
})

// longLabel returns 256 letters; few of them differ.
func longLabel(dice *rand.Rand) string {
	letters := make([]byte, 256)
	bits := uint64(0)
	for i := range letters {
		if i%32 == 0 {
			bits = dice.Uint64()
		}
		letters[i] = "aAbB"[bits&3]
		bits >>= 2
	}
	return string(letters)
}

// worstFilter has as many terms as a filter may have. Each is compared with every value.
func worstFilter() string {
	terms := make([]string, 32)
	for i := range terms {
		terms[i] = fmt.Sprintf("!*%s*a*%02d*", strings.Repeat("ab", 20), i)
	}
	return url.QueryEscape(strings.Join(terms, " "))
}

// The worst filter takes no memory for what it compares. BenchmarkTheWorstFilter measures its time.
func TestTheWorstFilter(t *testing.T) {
	h := newAPI(nil, &remoteSource{edges: hostile()}, time.Hour).handler()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := ask(t, h, "/api/v1/graph?filter="+worstFilter())
	runtime.ReadMemStats(&after)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"edges":5000`) {
		t.Fatalf("%d %.200s", w.Code, w.Body)
	}
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 20 {
		t.Errorf("%d MiB were allocated, want at most 20", allocated)
	}
}

// BenchmarkTheWorstFilter asks a map with as many edges as it holds by default. All their labels have 256 bytes.
// Once is enough.
func BenchmarkTheWorstFilter(b *testing.B) {
	s := serve(b, func(c *Config) { c.QueryTimeout = time.Hour })
	now := time.Now()
	for i := 0; i < storedEdges; i += 50 {
		var flows []feedtest.Flow
		for j := range 50 {
			flows = append(flows, hostileFlow(i+j, time.Unix(0, s.source.Version().Opened), now))
		}
		_ = s.ConsumeMetrics(b.Context(), feedtest.Metrics(feedtest.Cumulative, flows...))
	}
	s.get("/api/v1/graph?nodes=1&edges=1") // makes the snapshot, which the filter then reads
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	busy := processor(b)
	for b.Loop() {
		if r := s.get("/api/v1/graph?filter=" + worstFilter()); r.status != http.StatusOK {
			b.Fatal(r.status, r.body)
		}
	}
	spent := processor(b) - busy
	runtime.ReadMemStats(&after)
	held := s.source.Status().Held
	b.ReportMetric(float64(held.Edges), "edges")
	b.ReportMetric(float64(held.Bytes)/1e6, "MB-held")
	b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/1e6/float64(b.N), "MB-allocated")
}

// hostileFlow returns a flow with values of 256 bytes in all tags of both ends, each another one.
func hostileFlow(i int, start, at time.Time) feedtest.Flow {
	resource, point := feedtest.Attributes{}, feedtest.Attributes{
		"netconn.role": "client", "network.transport": "tcp", "server.port": 80, "netconn.peer.scope": "remote", "netconn.peer.type": "pod",
	}
	dice := rand.New(rand.NewPCG(uint64(i), 1))
	for tag := range names.Tags {
		resource[tag.Attribute()] = longLabel(dice)
		if key := tag.PeerAttribute(); key != "" && tag != names.TagType {
			point[key] = longLabel(dice)
		}
	}
	return feedtest.Flow{Resource: resource, Point: point, Start: start, At: at, Tx: 1}
}

// Beyond query_timeout a request ends with an error that names the key, and its turn is free again.
func TestAnAnswerThatTakesTooLong(t *testing.T) {
	const timeout = 30 * time.Millisecond
	h := newAPI(nil, &remoteSource{edges: hostile()}, timeout).handler()
	var everybody sync.WaitGroup
	for range 3 * maxConcurrent {
		everybody.Go(func() {
			w := ask(t, h, "/api/v1/graph?filter="+worstFilter())
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"code":"timeout"`) ||
				!strings.Contains(w.Body.String(), "within 30ms (query_timeout)") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	everybody.Wait()
	if w := ask(t, h, "/api/v1/tags/pod/values?limit=1&filter=client.port.x%3D1"); w.Code != http.StatusBadRequest {
		t.Errorf("after that: %d %s", w.Code, w.Body)
	}
}

// The work for a client stops when the client has gone.
func TestAClientThatHasGone(t *testing.T) {
	h := newAPI(nil, &remoteSource{edges: hostile()}, time.Hour).handler()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(5*time.Millisecond, func() { cancel(errors.New("gone")) })
	busy := processor(t)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/series?filter="+worstFilter(), nil))
	if spent := processor(t) - busy; w.Code == http.StatusOK || spent > 300*time.Millisecond {
		t.Errorf("%d after %v of CPU", w.Code, spent)
	}
}
