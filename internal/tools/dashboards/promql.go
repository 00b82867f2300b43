package main

import (
	"fmt"
	"strings"
)

// The range of rates: Grafana fits it to the interval of the scrape and the width of the panel.
const window = "[$__rate_interval]"

// where writes a selector from matchers, empty ones left out.
func where(metric string, matchers ...string) string {
	var some []string
	for _, m := range matchers {
		if m != "" {
			some = append(some, m)
		}
	}
	return metric + "{" + strings.Join(some, ", ") + "}"
}

// rate returns the sum of rates of a counter, by labels.
func rate(by, selector string) string {
	return fmt.Sprintf("sum by (%s) (rate(%s%s))", by, selector, window)
}

// total returns the sum of gauges, by labels.
func total(by, selector string) string { return fmt.Sprintf("sum by (%s) (%s)", by, selector) }

// top returns the largest series of an expression.
func top(n int, expr string) string { return fmt.Sprintf("topk(%d, %s)", n, expr) }

// quantile returns a quantile of a histogram, by labels.
func quantile(q float64, by, selector string) string {
	if by != "" {
		by += ", "
	}
	return fmt.Sprintf("histogram_quantile(%g, sum by (%sle) (rate(%s%s)))", q, by, selector, window)
}

// ratio divides two expressions that are grouped alike. Nothing divided by nothing is left out.
func ratio(a, b string) string { return fmt.Sprintf("%s / (%s > 0)", a, b) }

// The metrics as Prometheus has them.
const (
	bytesMoved  = "netconn_io_bytes_total"
	zoneBytes   = "netconn_zone_io_bytes_total"
	attempts    = "netconn_attempts_total"
	closed      = "netconn_closed_total"
	active      = "netconn_active"
	retransmits = "netconn_tcp_retransmits_total"
	rtt         = "netconn_tcp_rtt_seconds_bucket"
	handshake   = "netconn_tcp_handshake_duration_seconds" // with _sum and _count
	listenDrops = "netconn_listen_drops_total"
)

// Matchers of labels.
const (
	fromClient = `netconn_role="client"`
	fromServer = `netconn_role="server"`
	sent       = `network_io_direction="transmit"`
	received   = `network_io_direction="receive"`
	failed     = `error_type!=""`
	succeeded  = `error_type=""`
	// An application's connection to its own sidecar stays in the pod. What goes on from there is the edge.
	leavesPod   = `netconn_peer_scope!="pod"`
	ofProgram   = `process_executable_name=~"$program"`
	inNamespace = `k8s_namespace_name=~"$namespace"`
)
