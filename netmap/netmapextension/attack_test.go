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
	"github.com/netconn/netconn/netmap/internal/snap"
)

// manyEdges is how many edges the attacks are made on: a quarter of what a map holds by default.
const manyEdges = 5_000

// hostile are edges whose ends have the longest values in all tags, each another one.
var hostile = sync.OnceValue(func() []snap.Edge {
	dice := rand.New(rand.NewPCG(1, 2))
	end := func() *edge.End {
		var e edge.End
		letters := make([]byte, 256)
		bits := uint64(0)
		for tag := range names.Tags {
			for i := range letters {
				if i%32 == 0 {
					bits = dice.Uint64()
				}
				letters[i] = "aAbB"[bits&3]
				bits >>= 2
			}
			e[tag] = edge.Text(string(letters))
		}
		return &e
	}
	all := make([]snap.Edge, manyEdges)
	for i := range all {
		all[i] = snap.Edge{Client: end(), Server: end(), Figures: snap.Figures{Tx: 1}}
	}
	return all
})

// worstFilter is as many terms as a filter may have, each of which has to be compared with every value.
func worstFilter() string {
	terms := make([]string, 32)
	for i := range terms {
		terms[i] = fmt.Sprintf("!*%s*a*%02d*", strings.Repeat("ab", 20), i)
	}
	return url.QueryEscape(strings.Join(terms, " "))
}

// The worst filter takes about 150 ns of CPU for each value and term, and no memory for them.
func TestTheWorstFilter(t *testing.T) {
	h := newAPI(nil, &remoteSource{edges: hostile()}, time.Hour)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	busy := processor(t)
	w := ask(t, h, "/api/v1/graph?filter="+worstFilter())
	spent := processor(t) - busy
	runtime.ReadMemStats(&after)
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%v of CPU, %d MiB allocated", spent, allocated)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"edges":5000`) {
		t.Fatalf("%d %.200s", w.Code, w.Body)
	}
	if spent > 3*time.Second || allocated > 20 {
		t.Errorf("%v of CPU and %d MiB, want at most 3 s and 20 MiB", spent, allocated)
	}
}

// Beyond query_timeout a request ends with an error that names the key, and its turn is free again.
func TestAnAnswerThatTakesTooLong(t *testing.T) {
	const timeout = 30 * time.Millisecond
	h := newAPI(nil, &remoteSource{edges: hostile()}, timeout)
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
	h := newAPI(nil, &remoteSource{edges: hostile()}, time.Hour)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(5*time.Millisecond, func() { cancel(errors.New("gone")) })
	busy := processor(t)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/series?filter="+worstFilter(), nil))
	if spent := processor(t) - busy; w.Code == http.StatusOK || spent > 300*time.Millisecond {
		t.Errorf("%d after %v of CPU", w.Code, spent)
	}
}
