//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parseOne reads a page that has one flow at most, and returns its totals.
func parseOne(t *testing.T, lines ...string) totals {
	t.Helper()
	p, err := parsePage(strings.NewReader(strings.Join(lines, "\n") + "\n"))
	if err != nil || len(p.flows) > 1 {
		t.Fatalf("%+v, %v; want one flow at most", p, err)
	}
	for _, sums := range p.flows {
		return sums
	}
	return totals{}
}

// Each metric of a row goes into its own total, and series of the same flow are added up.
func TestTotals(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  totals
	}{
		"bytes, both directions": {[]string{
			"# TYPE netconn_io_bytes_total counter", `netconn_io_bytes_total{network_io_direction="transmit"} 7`,
			`netconn_io_bytes_total{network_io_direction="receive"} 9`,
		}, totals{sent: 7, received: 9}},
		"attempts, each failure": {[]string{
			"# TYPE netconn_attempts_total counter", "netconn_attempts_total 5", `netconn_attempts_total{error_type="timeout"} 2`,
			`netconn_attempts_total{error_type="refused"} 1`,
		}, totals{opened: 5, failed: 3}},
		"open sockets": {[]string{
			"# TYPE netconn_active gauge", `netconn_active{network_type="ipv4"} 4`, `netconn_active{network_type="ipv6"} 2`,
		}, totals{active: 6}},
		"segments sent again": {[]string{
			"# TYPE netconn_tcp_retransmits_total counter", "netconn_tcp_retransmits_total 11",
		}, totals{retransmits: 11}},
		"round trips": {[]string{
			"# TYPE netconn_tcp_rtt_seconds histogram", `netconn_tcp_rtt_seconds_bucket{le="+Inf"} 3`, "netconn_tcp_rtt_seconds_sum 0.6",
			"netconn_tcp_rtt_seconds_count 3",
		}, totals{rttSum: 0.6, rttSeen: 3}},
		"a metric that no row shows": {[]string{"# TYPE netconn_closed_total counter", "netconn_closed_total 8"}, totals{}},
	} {
		if diff := cmp.Diff(c.want, parseOne(t, c.lines...), cmp.AllowUnexported(totals{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A metric that no row shows makes no flow: it would be an empty row.
func TestNoFlowOfAnotherMetric(t *testing.T) {
	p, err := parsePage(strings.NewReader("# TYPE go_goroutines gauge\ngo_goroutines{host_name=\"vm\"} 3 1000\n"))
	if err != nil || len(p.flows) != 0 || p.host != "" || !p.at.IsZero() {
		t.Errorf("%+v, %v; want an empty page", p, err)
	}
}

// The labels of a flow are those that the exporter writes; the container's own name comes before the peer's.
func TestFlowOf(t *testing.T) {
	labels := map[string]string{
		"process_executable_name": "app", "container_id": "c1", "netconn_systemd_unit": "web.service", "netconn_role": "client",
		"server_port": "80", "netconn_peer_name": "db-pod", "netconn_peer_type": "pod", "netconn_peer_scope": "cluster",
		"netconn_nat": "dnat", "netconn_original_destination_name": "db", "netconn_original_destination_port": "5432",
		"otel_metric_overflow": "true", "network_type": "ipv4",
	}
	want := flow{
		owner: owner{"app", "c1", "web.service"}, role: "client", port: "80", peerName: "db-pod", peerType: "pod",
		scope: "cluster", way: way{"dnat", "db", "5432"}, overflow: true,
	}
	if got := flowOf(labels); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	labels["network_transport"] = "udp"
	if got := flowOf(labels); got.port != "80/udp" {
		t.Errorf("the port is %q, want that of UDP", got.port)
	}
	labels["server_port"] = ""
	if got := flowOf(labels); got.port != "" {
		t.Errorf("an unknown port is %q", got.port)
	}
	labels["network_transport"], labels["server_port"] = "tcp", "80"
	if got := flowOf(labels); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	labels["netconn_peer_container_name"] = "postgres"
	if got := flowOf(labels); got.peerName != "postgres" {
		t.Errorf("the peer is %q, want its container's name", got.peerName)
	}
	labels["otel_metric_overflow"] = "false"
	if flowOf(labels).overflow {
		t.Error("an attribute of another value is not the overflow series")
	}
}

// The time of a page is the latest of its samples.
func TestTimeOfAPage(t *testing.T) {
	const text = "# TYPE netconn_active gauge\nnetconn_active{server_port=\"1\"} 1 3000\nnetconn_active{server_port=\"2\"} 1 9000\n" +
		"netconn_active{server_port=\"3\"} 1 6000\n"
	p, err := parsePage(strings.NewReader(text))
	if err != nil || p.at.UnixMilli() != 9000 || len(p.flows) != 3 {
		t.Errorf("%d flows at %v, %v", len(p.flows), p.at.UnixMilli(), err)
	}
}
