//go:build linux

package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// reorder returns the address of a proxy that changes the order of requests: each waits until the one after it was
// answered, or for a moment. An exporter with a queue has several consumers, so its requests can arrive like this.
func reorder(t *testing.T, to string) string {
	t.Helper()
	var (
		mu     sync.Mutex
		waits  chan struct{} // closed when the request after the one that waits was answered
		target = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		before := waits
		if before == nil {
			waits = make(chan struct{})
			own := waits
			mu.Unlock()
			select {
			case <-own:
			case <-time.After(time.Second / 2):
				mu.Lock()
				if waits == own {
					waits = nil
				}
				mu.Unlock()
			}
			target.ServeHTTP(w, r)
			return
		}
		waits = nil
		mu.Unlock()
		target.ServeHTTP(w, r)
		close(before)
	}))
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}
