//go:build linux

package kubernetes

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/netconn/netconn/internal/conn"
)

// forgetful is an API server that was restarted: it has lists, and lets a watch go on where it was, only to say in
// it that it does not know of that time.
func forgetful(w http.ResponseWriter, r *http.Request) {
	const failure = `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d, "message": "too old resource version"}`
	w.Header().Set("Content-Type", "application/json")
	switch q := r.URL.Query(); {
	case q.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, failure, "Invalid", http.StatusUnprocessableEntity)
	case q.Get("watch") != "":
		fmt.Fprintf(w, `{"type": "ERROR", "object": `+failure+"}\n", "Expired", http.StatusGone)
	default:
		kinds := map[string]string{kindPods: "Pod", kindServices: "Service", kindNodes: "Node", kindSlices: "EndpointSlice"}
		version := strings.TrimPrefix(strings.TrimPrefix(path.Dir(r.URL.Path), "/apis/"), "/api/")
		fmt.Fprintf(w, `{"kind": "%sList", "apiVersion": %q, "metadata": {"resourceVersion": "1"}, "items": []}`, kinds[path.Base(r.URL.Path)], version)
	}
}

// A watch begins, and fails at once because the server does not know its version. That is a fault until the list has
// come, which may take a minute.
func TestWatchBreaks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(forgetful))
	t.Cleanup(server.Close)
	k, err := open(Config{Scope: ScopeCluster}, &rest.Config{Host: server.URL, QPS: -1}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	for _, kind := range []string{kindPods, kindServices, kindNodes, kindSlices} {
		until(t, "a fault of "+kind, func() bool {
			faults := k.Faults()
			i := slices.IndexFunc(faults, func(f conn.Fault) bool { return f.About == kind })
			return i >= 0 && k.Synced() && strings.Contains(faults[i].Err.Error(), "too old resource version")
		})
	}
}

// A watch can be stopped before all of its events are read.
func TestWatchStops(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stream, heard := apiwatch.NewFake(), make(chan error)
	w := observe(stream, func(err error) { heard <- err })
	stream.Error(nil)
	if err := <-heard; err == nil {
		t.Error("no error is heard of")
	}
	w.Stop()
	w.Stop()
}
