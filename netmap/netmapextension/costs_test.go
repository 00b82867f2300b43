package netmapextension

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// The prices of the configuration are those of the answers, and the status has their currency.
func TestCostsOfTheMap(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Costs = CostsConfig{Currency: "EUR", Zones: 1, Pairs: []PairPrice{{Between: []string{"b", "a"}, Price: 3}}}
	})
	for _, zone := range []string{"a", "b", "c", ""} {
		s.give(feedtest.Flow{
			Resource: feedtest.Attributes{"host.id": "h", "cloud.availability_zone": "a", "process.executable.name": "web"},
			Point: feedtest.Attributes{"netconn.role": "client", "netconn.peer.type": "pod", "netconn.peer.scope": "remote",
				"netconn.peer.name": "db-" + zone, "netconn.peer.zone": zone, "server.port": 443}, Tx: 500_000_000,
		})
	}
	var flows struct {
		Server [][]string
		Cost   []*float64
	}
	r := s.get("/api/v1/flows?servers=zone&sort=-cost&spark=none")
	if err := json.Unmarshal([]byte(r.body), &flows); err != nil || len(flows.Cost) != 4 {
		t.Fatalf("%v: %s", err, r.body)
	}
	for i, want := range []struct {
		zone string
		cost float64
	}{{"b", 1.5}, {"c", 0.5}, {"a", 0}} {
		if flows.Server[i][0] != want.zone || flows.Cost[i] == nil || *flows.Cost[i] != want.cost {
			t.Errorf("row %d is to %q and costs %v, want %v", i, flows.Server[i], flows.Cost[i], want)
		}
	}
	if flows.Cost[3] != nil {
		t.Errorf("a server without a zone costs %v", *flows.Cost[3])
	}
	if body := s.get("/api/v1/status").body; !strings.Contains(body, `"costs":{"currency":"EUR"}`) {
		t.Errorf("no currency in %s", body)
	}
}

// Without prices nothing has a cost, and rows can still be sorted by it.
func TestNoCosts(t *testing.T) {
	w := ask(t, newAPI(nil, &remoteSource{}, time.Minute).handler(), "/api/v1/flows?sort=cost")
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `cost"`) {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
