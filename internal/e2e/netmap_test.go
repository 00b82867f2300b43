//go:build linux

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A mapGraph is what a test looks at of the map's answer.
type mapGraph struct {
	Nodes  struct{ Name []string }
	Edges  struct{ Client, Server, Count, Tx, Rx, Attempts, Failures, Active []int }
	Totals struct{ Edges, Tx, Rx int }
	Kinds  []string
}

// A line is one edge of the map, by the names of its ends.
type line struct {
	client, server                         string
	sent, received, tried, failed, present int
}

// The network map of `make run` shows what pods of this machine say to each other, to the byte and once, though both
// report it.
func TestNetworkMap(t *testing.T) {
	prometheus, address := freeAddress(t), freeAddress(t)
	runShippedWithMap(t, prometheus, address)
	// The map answers before the receiver looks; what was there by then has no history.
	until(t, "the first collection", func() bool { return len(readPage(t, prometheus).values) > 0 })
	s := goShopping(t)
	connect("a", s.shop, s.stock, stockAddress)
	transfer("a", s.shop, s.stock, 1_000_003)
	transfer("a", s.stock, s.shop, 2_000_005)
	s.shop.fail("connection refused", "dial refused %s", refusedAddress)

	mine := url.QueryEscape(`client.pod.uid="` + s.shopUID + `"`)
	want := []line{
		{client: "shop", server: "private", tried: 1, failed: 1},
		{client: "shop", server: "stock", sent: 1_000_003, received: 2_000_005, tried: 1, present: 1},
	}
	var got []line
	t.Cleanup(func() {
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
			t.Logf("edges (-want +got):\n%s", diff)
		}
	})
	until(t, "what was said on the map", func() bool {
		got = graphOf(t, address, "/api/v1/graph?filter="+mine)
		return cmp.Equal(want, got, cmp.AllowUnexported(line{}))
	})
	wantReportedByBoth(t, address, mine)
	wantPage(t, address)
}

// graphOf returns the edges of a graph by the names of their ends.
func graphOf(t *testing.T, address, target string) []line {
	t.Helper()
	var g mapGraph
	askMap(t, address, target, &g)
	var lines []line
	for i := range g.Edges.Client {
		lines = append(lines, line{
			client: g.Nodes.Name[g.Edges.Client[i]], server: g.Nodes.Name[g.Edges.Server[i]], sent: g.Edges.Tx[i], received: g.Edges.Rx[i],
			tried: g.Edges.Attempts[i], failed: g.Edges.Failures[i], present: g.Edges.Active[i],
		})
	}
	if len(lines) == 2 && lines[0].server == "stock" { // by volume, which the one that was refused has none of
		lines[0], lines[1] = lines[1], lines[0]
	}
	return lines
}

func wantReportedByBoth(t *testing.T, address, filter string) {
	t.Helper()
	var series struct {
		Edges []struct {
			Server     map[string]string
			ReportedBy []string `json:"reported_by"`
		}
	}
	askMap(t, address, "/api/v1/series?filter="+filter+"+port%3D9080", &series)
	if len(series.Edges) != 1 || !cmp.Equal(series.Edges[0].ReportedBy, []string{"client", "server"}) {
		t.Fatalf("the edge to the stock: %+v, want it reported by both ends", series.Edges)
	}
	// Whether it is known by its own report depends on there being no other stock on this machine, which other tests
	// may have.
	if name := series.Edges[0].Server["process.executable.name"]; name != "stock" {
		t.Errorf("the server is %v", series.Edges[0].Server)
	}
}

// wantPage asks for the page and all of its parts.
func wantPage(t *testing.T, address string) {
	t.Helper()
	text := fetchMap(t, address, "/")
	for _, part := range strings.Split(text, `"`) {
		if strings.HasPrefix(part, "./assets/") && fetchMap(t, address, part[1:]) == "" {
			t.Errorf("%s is empty", part)
		}
	}
	if !strings.Contains(text, "./assets/") {
		t.Errorf("no page: %s", text)
	}
}

func fetchMap(t *testing.T, address, target string) string {
	t.Helper()
	answer, err := http.Get("http://" + address + target)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", target, answer.Status, err)
	}
	return string(body)
}

// askMap reads an answer of the API.
func askMap(t *testing.T, address, target string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(fetchMap(t, address, target)), into); err != nil {
		t.Fatalf("%s: %v", target, err)
	}
}
