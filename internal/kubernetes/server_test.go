//go:build linux

package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// A server is an API server without a cluster: it has lists, watches that say nothing, and single objects. It is for
// answers that a real one does not give when a test wants them.
type server struct {
	*httptest.Server

	mu       sync.Mutex
	lists    map[string][]string // of objects in JSON, by kind
	objects  map[string]string   // by the end of their paths: pods/web
	refusal  int                 // the status of requests for single objects; 0: they are answered
	requests map[string]int      // for single objects
}

var kindNames = map[string]string{kindPods: "Pod", kindServices: "Service", kindNodes: "Node", kindSlices: "EndpointSlice"}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{lists: make(map[string][]string), objects: make(map[string]string), requests: make(map[string]int)}
	ended := make(chan struct{})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		q := r.URL.Query()
		switch {
		case q.Get("sendInitialEvents") != "":
			refuse(w, http.StatusUnprocessableEntity, "Invalid")
		case q.Get("watch") != "":
			w.(http.Flusher).Flush()
			select {
			case <-ended:
			case <-r.Context().Done():
			}
		case kindNames[path.Base(r.URL.Path)] != "":
			s.list(w, r)
		default:
			s.get(w, r)
		}
	}))
	t.Cleanup(func() { close(ended); s.Close() })
	return s
}

func refuse(w http.ResponseWriter, status int, reason string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d, "message": "no"}`, reason, status)
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := path.Base(r.URL.Path)
	version := strings.TrimPrefix(strings.TrimPrefix(path.Dir(r.URL.Path), "/apis/"), "/api/")
	fmt.Fprintf(w, `{"kind": "%sList", "apiVersion": %q, "metadata": {"resourceVersion": "1"}, "items": [%s]}`,
		kindNames[kind], version, strings.Join(s.lists[kind], ","))
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := path.Base(path.Dir(r.URL.Path)) + "/" + path.Base(r.URL.Path)
	s.requests[name]++
	text, there := s.objects[name]
	switch {
	case s.refusal != 0:
		refuse(w, s.refusal, http.StatusText(s.refusal))
	case !there:
		refuse(w, http.StatusNotFound, "NotFound")
	default:
		fmt.Fprint(w, text)
	}
}

// set changes what the server has.
func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *server) asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[name]
}

// join opens a cluster on the server, and waits until it has all lists.
func (s *server) join(t *testing.T, c Config) *Cluster {
	t.Helper()
	c.Patience = patience
	k, err := open(c, &rest.Config{Host: s.URL, QPS: -1}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	until(t, "all lists", k.Synced)
	return k
}

// manifest writes an object in JSON.
func manifest(kind, version string, parts map[string]any) string {
	parts["kind"], parts["apiVersion"] = kind, version
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// elsewhere is a pod of node-2, its node, and the slice that has its name.
func (s *server) elsewhere() {
	s.lists[kindNodes] = []string{manifest("Node", "v1", map[string]any{
		"metadata": map[string]any{"name": "node-1", "labels": map[string]any{
			"topology.kubernetes.io/zone": "zone-a", "topology.kubernetes.io/region": "east"}},
	})}
	s.lists[kindSlices] = []string{manifest("EndpointSlice", "discovery.k8s.io/v1", map[string]any{
		"metadata":    map[string]any{"name": "web-x", "namespace": "shop", "labels": map[string]any{"kubernetes.io/service-name": "web"}},
		"addressType": "IPv4", "ports": []any{map[string]any{"port": 80}},
		"endpoints": []any{map[string]any{
			"addresses": []any{shared.String()}, "nodeName": "node-2",
			"targetRef": map[string]any{"kind": "Pod", "name": "web", "uid": "uid-web"},
		}},
	})}
	s.objects["pods/web"] = manifest("Pod", "v1", map[string]any{
		"metadata": map[string]any{"name": "web", "namespace": "shop", "uid": "uid-web", "ownerReferences": []any{
			map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "front", "uid": "1", "controller": true}}},
		"spec":   map[string]any{"nodeName": "node-2", "containers": []any{map[string]any{"name": "app", "image": "web:1"}}},
		"status": map[string]any{"phase": "Running", "podIP": shared.String(), "startTime": "2026-01-01T00:00:00Z"},
	})
	s.objects["nodes/node-2"] = manifest("Node", "v1", map[string]any{
		"metadata": map[string]any{"name": "node-2", "labels": map[string]any{"topology.kubernetes.io/zone": "zone-b"}},
	})
}
