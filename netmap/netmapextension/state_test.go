package netmapextension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		status      snap.Status
		state, says string
	}{
		"nothing":          {snap.Status{}, "empty", "No metrics of netconn have arrived yet"},
		"all was dropped":  {snap.Status{Dropped: snap.Dropped{Late: 1}}, "empty", "none could be counted"},
		"a host":           {snap.Status{Hosts: []snap.Host{{Name: "a"}}}, "ok", ""},
		"one of two":       {snap.Status{Hosts: []snap.Host{{Stale: true}, {}}}, "ok", ""},
		"all are silent":   {snap.Status{Hosts: []snap.Host{{Stale: true}, {Stale: true}}}, "stale", "No host has reported"},
		"drops and a host": {snap.Status{Hosts: []snap.Host{{}}, Dropped: snap.Dropped{Values: 1}}, "ok", ""},
	} {
		if state, reason := state(&tt.status); state != tt.state || !strings.Contains(reason, tt.says) || (reason == "") != (tt.says == "") {
			t.Errorf("%s: %s, %q", name, state, reason)
		}
	}
}

func TestTheStatusHasAllOfTheSource(t *testing.T) {
	private := edge.End{names.TagType: edge.Text("private")}
	s := &remoteSource{
		edges: []snap.Edge{{Client: &private, Server: &private, Figures: snap.Figures{Tx: 5}}},
		status: snap.Status{
			Opened: 1, Learning: 2, Ahead: 3, Resets: 4,
			Hosts: []snap.Host{
				{Name: "b", ID: "2", Stale: true}, {Name: "a", ID: "3", Node: "n", Last: 5, Age: 6, Interval: 7, Points: 8, Edges: 9}, {Name: "a", ID: "1"},
			},
			Held:    snap.Held{Edges: 1, MaxEdges: 2, Ends: 3, Streams: 4, MaxStreams: 5, Bytes: 6, MaxBytes: 9, Folded: 7, Expired: 8},
			Dropped: snap.Dropped{Late: 1, OutOfOrder: 2, Streams: 3, Values: 4, Points: 5},
		},
	}
	var got map[string]any
	if err := json.Unmarshal(ask(t, newAPI([]LinkConfig{{Name: "l", Kind: "logs", URL: "http://x/?{from}"}}, s, time.Minute).handler(), "/api/v1/status").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "now")
	delete(got, "steps")
	host := func(name, id, node, state string, figures ...float64) any {
		figures = append(figures, 0, 0, 0, 0, 0)
		return map[string]any{
			"host": name, "host_id": id, "node": node, "state": state, "last": figures[0], "age": figures[1], "interval": figures[2],
			"points": figures[3], "edges": figures[4],
		}
	}
	// signals_test.go has the figures of other signals; a status without any of them has them all, as 0.
	noneKept := map[string]any{"max_sources": 64.0, "max_bytes": float64(1 << 20)}
	for _, name := range []string{
		"points", "spans", "logs", "events", "sources", "bytes", "late", "unidentified", "refused", "evicted",
	} {
		noneKept[name] = 0.0
	}
	want := map[string]any{
		"signals": noneKept,
		"api":     1.0, "started": 1.0, "learning_until": 2.0, "ahead": 3.0, "resets": 4.0, "state": "ok", "reason": "",
		"hosts":     map[string]any{"total": 3.0, "stale": 1.0, "age": 0.0},
		"reporters": []any{host("b", "2", "", "stale"), host("a", "1", "", "ok"), host("a", "3", "n", "ok", 5, 6, 7, 8, 9)},
		"store": map[string]any{
			"edges": 1.0, "max_edges": 2.0, "ends": 3.0, "streams": 4.0, "max_streams": 5.0, "bytes": 6.0, "max_bytes": 9.0, "folded": 7.0, "expired": 8.0,
		},
		"dropped":    map[string]any{"late": 1.0, "out_of_order": 2.0, "streams": 3.0, "values": 4.0, "points": 5.0},
		"unresolved": map[string]any{"bytes": 5.0, "total": 5.0, "share": 1.0, "seconds": 1.0},
		"links":      []any{map[string]any{"name": "l", "kind": "logs", "url": "http://x/?{from}", "needs": []any{}}},
		"costs":      nil,
		"history":    nil,
		"limits":     map[string]any{"nodes": 1000.0, "edges": 5000.0, "rows": 1000.0},
		"alerts": map[string]any{
			"state": "off", "kind": "", "reason": "", "at": 0.0, "firing": 0.0, "pending": 0.0, "left_out": 0.0,
		},
		"thresholds": map[string]any{
			"failures": limits(0, 0.05), "breaks": limits(0.01, 0.1), "retransmits": limits(1, 10), "rtt": limits(0.05, 0.2),
			"churn": limits(10, 100),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func limits(warn, bad float64) any { return map[string]any{"warn": warn, "bad": bad} }

// The status has a page of the hosts, whatever their number, and counts all of them.
func TestHostsArePaged(t *testing.T) {
	s := &remoteSource{}
	for i := range 10_000 {
		s.status.Hosts = append(s.status.Hosts, snap.Host{Name: fmt.Sprintf("host-%05d", i), Age: float64(100 + i), Stale: i%100 == 7})
	}
	h := newAPI(nil, s, time.Minute).handler()
	page := func(query string) (names []string, size int) {
		w := ask(t, h, "/api/v1/status"+query)
		var got status
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d: %v", w.Code, err)
		}
		if got.Hosts.Total != 10_000 || got.Hosts.Stale != 100 || *got.Hosts.Age != 100 {
			t.Errorf("%s: hosts %+v", query, got.Hosts)
		}
		for _, r := range got.Reporters {
			names = append(names, r.Host)
		}
		return names, w.Body.Len()
	}
	if names, size := page(""); len(names) != 100 || names[0] != "host-00007" || size > 50_000 {
		t.Errorf("%d hosts from %s in %d bytes, want the 100 stale ones", len(names), names[0], size)
	}
	if names, _ := page("?hosts=2&offset=99"); !slices.Equal(names, []string{"host-09907", "host-00000"}) {
		t.Errorf("a page in the middle is %q", names)
	}
	seen := map[string]bool{}
	for offset := 0; offset < 10_000; offset += 1000 {
		names, _ := page(fmt.Sprintf("?hosts=1000&offset=%d", offset))
		for _, name := range names {
			seen[name] = true
		}
	}
	if names, _ := page("?offset=10000"); len(seen) != 10_000 || len(names) != 0 {
		t.Errorf("%d hosts on all pages, and %d beyond", len(seen), len(names))
	}
	if w := ask(t, h, "/api/v1/status?hosts=1001"); w.Code != http.StatusBadRequest {
		t.Errorf("too many hosts: %d", w.Code)
	}
}
