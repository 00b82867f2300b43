package netmapextension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/view"
)

const fired = `{"status":"success","data":{"alerts":[{"labels":{"alertname":"Down","pod":"web-1","app":"<b>"},` +
	`"annotations":{"summary":"<script>alert(1)</script>","runbook_url":"javascript:alert(1)"},"state":"firing"}]}}`

// An alertSource is a Prometheus with the alerts of the moment. It wants the header of the configuration.
func alertSource(t *testing.T) (address string, answer *atomic.Value) {
	t.Helper()
	answer = &atomic.Value{}
	answer.Store(`{"status":"success","data":{"alerts":[]}}`)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Scope-OrgID") != "tenant" || r.URL.Path != "/prometheus/api/v1/alerts" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, answer.Load())
	}))
	t.Cleanup(web.Close)
	return web.URL + "/prometheus", answer
}

// The map is asked again and again, as a page would, until an answer is right.
func TestAlertsOfTheMap(t *testing.T) {
	address, answer := alertSource(t)
	s := serve(t, func(c *Config) {
		c.Alerts.Endpoint, c.Alerts.PollInterval = address, time.Second
		c.Alerts.Headers = configopaque.MapList{{Name: "X-Scope-OrgID", Value: "tenant"}}
	})
	s.give(feedtest.Flow{
		Resource: feedtest.Attributes{"host.id": "h", "k8s.pod.name": "web-1", "process.executable.name": "web"},
		Point: feedtest.Attributes{"netconn.role": "client", "netconn.peer.type": "public", "netconn.peer.scope": "remote",
			"server.port": 443}, Tx: 5,
	})
	firing := func() int {
		var g view.Graph
		if err := json.Unmarshal([]byte(s.get("/api/v1/graph?by=pod").body), &struct {
			Nodes *view.Nodes `json:"nodes"`
		}{&g.Nodes}); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, n := range g.Nodes.Firing {
			sum += n
		}
		return sum
	}
	etag := s.get("/api/v1/graph").header.Get("ETag")
	if firing() != 0 {
		t.Error("an alert fires that nothing sent")
	}
	answer.Store(fired)
	soon(t, "the alert on the map", func() bool { return firing() == 1 })
	if r := s.ask(http.MethodGet, "/api/v1/graph", "If-None-Match", etag); r.status != http.StatusOK {
		t.Errorf("the graph has changed, and is answered with %d", r.status)
	}
	list := s.get("/api/v1/alerts")
	for _, want := range []string{`"state":"ok","kind":"prometheus"`, `"firing":1`, `"name":"Down"`, `"links":[]`,
		`\u003cscript\u003e`, `"about":{"tag":"pod","value":"web-1"}`} {
		if !strings.Contains(list.body, want) {
			t.Errorf("there is no %s in %s", want, list.body)
		}
	}
	if body := s.get("/api/v1/series?filter=client.pod=web-1").body; !strings.Contains(body, `"client":true,"server":false`) {
		t.Errorf("the details: %s", body)
	}
	if body := s.get("/api/v1/flows?only=alerts&spark=none").body; !strings.Contains(body, `"rows":1,`) {
		t.Errorf("the table: %s", body)
	}
	answer.Store(`{"status":"success","data":{"alerts":[]}}`)
	soon(t, "the end of the alert", func() bool { return firing() == 0 })
	answer.Store(`no database`)
	soon(t, "what is wrong with the source", func() bool {
		return strings.Contains(s.get("/api/v1/status").body, `"alerts":{"state":"unreachable","kind":"prometheus","reason":"/api/v1/alerts: it is not`)
	})
}

// soon waits for ten seconds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}

// A silent source does not delay the end of the collector.
func TestShutdownWhileTheSourceIsSilent(t *testing.T) {
	asked := make(chan struct{}, 10)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer web.Close()
	s := serve(t, func(c *Config) { c.Alerts.Endpoint, c.Alerts.Timeout = web.URL, time.Minute })
	<-asked
	began := time.Now()
	http.DefaultClient.CloseIdleConnections()
	if err := s.Shutdown(t.Context()); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
