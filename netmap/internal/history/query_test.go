package history

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
)

// strategies are what stores call the edge metrics, by the strategy with which they translate names.
var strategies = map[string][metrics]string{
	"UnderscoreEscapingWithSuffixes": {
		volume: "netconn_edge_io_bytes_total", attempts: "netconn_edge_attempts_total", closed: "netconn_edge_closed_total",
		retransmits: "netconn_edge_tcp_retransmits_total", active: "netconn_edge_active",
		rttSum: "netconn_edge_tcp_rtt_seconds_sum", rttCount: "netconn_edge_tcp_rtt_seconds_count",
	},
	"UnderscoreEscapingWithoutSuffixes": {
		volume: "netconn_edge_io", attempts: "netconn_edge_attempts", closed: "netconn_edge_closed",
		retransmits: "netconn_edge_tcp_retransmits", active: "netconn_edge_active",
		rttSum: "netconn_edge_tcp_rtt_sum", rttCount: "netconn_edge_tcp_rtt_count",
	},
	"NoUTF8EscapingWithSuffixes": {
		volume: "netconn.edge.io_bytes_total", attempts: "netconn.edge.attempts_total", closed: "netconn.edge.closed_total",
		retransmits: "netconn.edge.tcp.retransmits_total", active: "netconn.edge.active",
		rttSum: "netconn.edge.tcp.rtt_seconds_sum", rttCount: "netconn.edge.tcp.rtt_seconds_count",
	},
	"NoTranslation": {
		volume: "netconn.edge.io", attempts: "netconn.edge.attempts", closed: "netconn.edge.closed",
		retransmits: "netconn.edge.tcp.retransmits", active: "netconn.edge.active",
		rttSum: "netconn.edge.tcp.rtt_sum", rttCount: "netconn.edge.tcp.rtt_count",
	},
}

// Each metric is found, among others that are called nearly so.
func TestNaming(t *testing.T) {
	others := []string{"netconn_edge_io_bytes_total_x", "x_netconn_edge_io", "netconn_edge_tcp_rtt_seconds_bucket", "netconn.edge.activex", ""}
	for strategy, want := range strategies {
		n := newNaming(append(want[:], others...))
		if diff := cmp.Diff(want, n.metrics); diff != "" {
			t.Errorf("%s (-want +got):\n%s", strategy, diff)
		}
		if dots := want[active] == names.EdgeActive; n.dots != dots || n.empty() {
			t.Errorf("%s: dots %v, empty %v", strategy, n.dots, n.empty())
		}
	}
	if n := newNaming(others); !n.empty() {
		t.Errorf("found %q", n.metrics)
	}
	both := append([]string{"netconn.edge.io", "netconn.edge.closed"}, "netconn_edge_io_bytes_total")
	want := naming{metrics: [metrics]string{volume: "netconn_edge_io_bytes_total"}}
	if got := newNaming(both); got != want {
		t.Errorf("of both translations: %+v", got)
	}
}

// No value of a label ends its string, and no name of a label ends the selector.
func TestHostileLabels(t *testing.T) {
	for _, tt := range []struct {
		name, value     string
		prometheus, vic string
	}{
		{"cluster", `a"} or vector(1) #`, `cluster="a\"} or vector(1) #"`, `cluster="a\"} or vector(1) #"`},
		{"cluster", "a\\\n\x00\xff`'", `cluster="a\\\n\x00\xff` + "`'" + `"`, `cluster="a\\\n\x00\xff` + "`'" + `"`},
		{"cluster", "é\u202e", `cluster="é\u202e"`, `cluster="é\u202e"`},
		{"cluster", "", `cluster=""`, `cluster=""`},
		{`a"}`, "b", `"a\"}"="b"`, `a\"\}="b"`},
		{"a b\n", "c", `"a b\n"="c"`, "a\\ b\\\n=\"c\""},
		{"k8s.cluster.name", "c", `"k8s.cluster.name"="c"`, `k8s\.cluster\.name="c"`},
		{"ümlaut", "c", `"ümlaut"="c"`, `\ümlaut="c"`},
	} {
		for exact, want := range map[bool]string{false: tt.prometheus, true: tt.vic} {
			q := queries{exact: exact}
			if diff := cmp.Diff([]string{want}, q.restrict(map[string]string{tt.name: tt.value})); diff != "" {
				t.Errorf("%q, exact %v (-want +got):\n%s", tt.name, exact, diff)
			}
		}
	}
	q := queries{}
	want := []string{`a="1"`, `b="2"`, `c="3"`}
	if diff := cmp.Diff(want, q.restrict(map[string]string{"c": "3", "a": "1", "b": "2"})); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// A matcher is added to those that all queries have, and leaves the queries as they were.
func TestAbout(t *testing.T) {
	base := queries{naming: newNaming([]string{"netconn.edge.io"}), matchers: append(make([]string, 0, 8), `a="b"`)}
	one := base.about("client.name", []string{"web", "(x)", "web", ""})
	two := base.about("server.name", []string{"api"})
	none := one.about("server.name", nil)
	got := []string{base.selector(volume), one.selector(volume), two.selector(volume), none.selector(volume)}
	want := []string{
		`{__name__="netconn.edge.io",a="b"}`,
		`{__name__="netconn.edge.io",a="b","client.name"=~"|\\(x\\)|web"}`,
		`{__name__="netconn.edge.io",a="b","server.name"=~"api"}`,
		`{__name__="netconn.edge.io",a="b","client.name"=~"|\\(x\\)|web"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("selectors (-want +got):\n%s", diff)
	}
}
