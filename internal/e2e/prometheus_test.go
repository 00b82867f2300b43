//go:build linux

package e2e

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

const baseAddress = "10.78.0.2:5432"

// Two containers of one image that talk to one database are two edges on the page, and an edge that pauses keeps its
// bytes: with the configuration that is shipped.
func TestPrometheus(t *testing.T) {
	address := freeAddress(t)
	runShipped(t, address)
	until(t, "the page", func() bool { return len(readPage(t, address).values) > 0 })

	clients, server := testnet.New(t), testnet.New(t)
	testnet.Link(clients, server, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	w := watcher{t: t, address: address, first: cgroup.NewID(), second: cgroup.NewID()}
	first := startIn(t, "web", cgroup.Docker(w.first), clients.Namespace)
	second := startIn(t, "web", cgroup.Docker(w.second), clients.Namespace)
	base := startIn(t, "base", cgroup.Docker(cgroup.NewID()), server.Namespace)
	base.do("listen %s", baseAddress)

	connect("a", first, base, baseAddress)
	connect("b", second, base, baseAddress)
	transfer("a", first, base, 1000)
	transfer("b", second, base, 2000)
	transfer("b", base, second, 30)
	begun := edges{
		w.first:  {sent: 1000, attempts: 1, active: 1},
		w.second: {sent: 2000, received: 30, attempts: 1, active: 1},
	}
	w.want(begun)
	w.wantPause(begun)

	transfer("a", first, base, 500)
	finish("a", first, base)
	closed := edges{w.first: {sent: 1500, attempts: 1, closed: 1}, w.second: begun[w.second]}
	w.want(closed)
	w.wantPause(closed)

	connect("c", first, base, baseAddress)
	transfer("c", first, base, 11)
	transfer("b", second, base, 1)
	w.want(edges{
		w.first:  {sent: 1511, attempts: 2, closed: 1, active: 1},
		w.second: {sent: 2001, received: 30, attempts: 1, active: 1},
	})
	w.wantTypes()
	w.wantOpenMetrics()
}

// edges are what the page is to show of two containers that talk to the database, by the container's id.
type edges map[string]edge

type edge struct{ sent, received, attempts, closed, active float64 }

// values returns the series as a user asks for them.
func (e edges) values() map[string]float64 {
	values := make(map[string]float64)
	for id, e := range e {
		put := func(value float64, name string, more ...string) {
			values[named(name, append(more, "container_id="+id, "process_executable_name=web",
				"service_instance_id="+id+"/web", "instance="+id+"/web", "netconn_role=client",
				"server_port=5432", "netconn_peer_type=container", "netconn_peer_scope=node",
				"netconn_peer_name=base", "netconn_peer_container_name=base", "netconn_nat=none")...)] = value
		}
		put(e.sent, "netconn_io_bytes_total", "network_io_direction=transmit")
		put(e.received, "netconn_io_bytes_total", "network_io_direction=receive")
		put(e.attempts, "netconn_attempts_total")
		put(e.attempts, "netconn_tcp_handshake_duration_seconds_count")
		put(e.active, "netconn_active")
		if e.closed > 0 {
			put(e.closed, "netconn_closed_total")
		}
	}
	return values
}

// A watcher looks at what the page has of two containers.
type watcher struct {
	t                      *testing.T
	address, first, second string
}

// look returns what the page has of the two containers, and of when it is.
func (w watcher) look() (map[string]float64, time.Time) {
	w.t.Helper()
	p := readPage(w.t, w.address)
	values := p.only("netconn_io_", "netconn_attempts_", "netconn_closed_", "netconn_active", "netconn_tcp_handshake_")
	maps.DeleteFunc(values, func(name string, _ float64) bool {
		return !strings.Contains(name, "container_id="+w.first) && !strings.Contains(name, "container_id="+w.second)
	})
	return values, p.at
}

func (w watcher) want(e edges) {
	w.t.Helper()
	diff := ""
	if !poll(func() bool {
		got, _ := w.look()
		diff = cmp.Diff(e.values(), got)
		return diff == ""
	}) {
		w.t.Fatalf("page (-want +got):\n%s", diff)
	}
}

// wantPause looks at the page for three collections, in which nothing changes.
func (w watcher) wantPause(e edges) {
	w.t.Helper()
	collections := make(map[time.Time]bool)
	until(w.t, "three collections", func() bool {
		got, at := w.look()
		if diff := cmp.Diff(e.values(), got); diff != "" {
			w.t.Fatalf("page in a pause (-want +got):\n%s", diff)
		}
		collections[at] = true
		return len(collections) > 3 // the first was looked at before
	})
}

// wantTypes holds the name and the type of every metric.
func (w watcher) wantTypes() {
	w.t.Helper()
	got := readPage(w.t, w.address).types
	maps.DeleteFunc(got, func(name, _ string) bool { // others on the machine may use UDP
		return !strings.HasPrefix(name, "netconn_") || strings.HasPrefix(name, "netconn_udp_")
	})
	want := map[string]string{
		"netconn_io_bytes_total":                 "counter",
		"netconn_attempts_total":                 "counter",
		"netconn_closed_total":                   "counter",
		"netconn_active":                         "gauge",
		"netconn_tcp_rtt_seconds":                "histogram",
		"netconn_tcp_retransmits_total":          "counter",
		"netconn_tcp_handshake_duration_seconds": "histogram",
	}
	// Some program of the machine may have these.
	for _, rare := range []string{
		"netconn_listen_drops_total", "netconn_tcp_limited_seconds_total", "netconn_tcp_timeouts_total", "netconn_tcp_bypassed_total",
	} {
		if _, found := got[rare]; found {
			want[rare] = "counter"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("types (-want +got):\n%s", diff)
	}
}

// wantOpenMetrics asks as Prometheus does.
func (w watcher) wantOpenMetrics() {
	w.t.Helper()
	question, err := http.NewRequest(http.MethodGet, "http://"+w.address+"/metrics", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	question.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	answer, err := http.DefaultClient.Do(question)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") {
		w.t.Errorf("the page is %s", kind)
	}
	for _, line := range []string{"# TYPE netconn_io_bytes counter\n", "\nnetconn_io_bytes_total{", "\n# EOF\n"} {
		if !strings.Contains(string(text), line) {
			w.t.Errorf("the page has no %q", line)
		}
	}
}
