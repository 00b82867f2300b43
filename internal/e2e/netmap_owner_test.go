//go:build linux

package e2e

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/harness"
)

// A connection is one edge on the map at any moment, also while its server is not known: what a listener of Go accepts
// that is older than netconn has no owner before the search has found the listener. Of what waits to be accepted it never
// has one where the kernel forbids iterators over maps: then only sockets with a file are visited.
func TestEachConnectionHasOneServer(t *testing.T) {
	client, server := start(t, "nc-caller", nil, nil), start(t, "nc-called", nil, nil)
	to := map[string]string{"old": freeAddress(t), "accepted": freeAddress(t), "waiting": freeAddress(t)}
	for _, address := range to {
		server.do("listen %s", address)
	}
	client.do("dial old %s", to["old"])
	server.do("accept sold %s", to["old"])
	prometheus, address := freeAddress(t), freeAddress(t)
	collector := runShippedWithMap(t, prometheus, address)
	until(t, "the first collection", func() bool { return len(readPage(t, prometheus).values) > 0 })
	client.do("dial accepted %s", to["accepted"])
	server.do("accept saccepted %s", to["accepted"])
	client.do("dial waiting %s", to["waiting"])

	servers := func() map[string][]line {
		all := map[string][]line{}
		for name, at := range to {
			all[name] = graphOf(t, address, "/api/v1/graph?loops=true&filter="+url.QueryEscape("client.name=nc-caller port="+port(at)))
			for i := range all[name] {
				all[name][i].tried, all[name][i].present = 0, 0 // the old one has no attempt
			}
		}
		return all
	}
	const rounds = 5
	for range rounds {
		exchange(client, server, "old", 1000, 20_000)
		exchange(client, server, "accepted", 1000, 20_000)
		client.do("send waiting 1000")
		time.Sleep(time.Second)
		for name, lines := range servers() {
			if len(lines) > 1 {
				t.Fatalf("%s: more than one edge: %+v", name, lines)
			}
		}
	}
	want := map[string][]line{
		"old":      {{client: "nc-caller", server: "nc-called", sent: 1000 * rounds, received: 20_000 * rounds}},
		"accepted": {{client: "nc-caller", server: "nc-called", sent: 1000 * rounds, received: 20_000 * rounds}},
		"waiting":  {{client: "nc-caller", server: "nc-called", sent: 1000 * rounds}},
	}
	var got map[string][]line
	readsFiles := harness.ReadsFiles(collector.Log())
	if !poll(func() bool {
		got = servers()
		if waiting := got["waiting"]; len(waiting) == 1 && readsFiles && waiting[0].server == "unknown" {
			waiting[0].server = "nc-called"
		}
		return cmp.Equal(want, got, cmp.AllowUnexported(line{}))
	}) {
		t.Errorf("edges (-want +got):\n%s", cmp.Diff(want, got, cmp.AllowUnexported(line{})))
	}
}
