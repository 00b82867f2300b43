package main

import "github.com/grafana/grafana-foundation-sdk/go/table"

// The labels of an edge, and its name in a legend. A container without Kubernetes has no service, but its program's name.
const (
	edgeLabels = "service_name, process_executable_name, netconn_peer_type, netconn_peer_name"
	edgeLegend = "{{service_name}} {{process_executable_name}} → {{netconn_peer_type}} {{netconn_peer_name}}"
	fromLegend = "{{netconn_peer_type}} {{netconn_peer_name}} → {{service_name}} {{process_executable_name}}"
)

// overview shows the network as a whole: totals, the largest and the worst edges, and all edges as rows.
func overview() *builder {
	of := func(metric string, more ...string) string {
		return where(metric, append([]string{fromClient, inNamespace, leavesPod}, more...)...)
	}
	outside := func(metric string, more ...string) string {
		return where(metric,
			append([]string{fromServer, inNamespace, `netconn_peer_type=~"public|private|unknown"`}, more...)...)
	}
	d := begin("overview", "Overview", "All TCP connections, as their clients' ends report them.").
		WithVariable(choice("namespace", "Namespace", active, "k8s_namespace_name"))
	return d.
		WithPanel(number(4, "Sent and received", bytesPerSecond, "Payload bytes, retransmissions excluded.",
			rate("", of(bytesMoved)))).
		WithPanel(number(4, "New connections", perSecond, "", rate("", of(attempts, succeeded)))).
		WithPanel(number(4, "Open connections", count, "", total("", of(active)))).
		WithPanel(number(4, "Failed attempts", share, "Share of all attempts.",
			ratio(rate("", of(attempts, failed)), rate("", of(attempts))))).
		WithPanel(number(4, "Retransmits per MB", count, "Segments sent again, per megabyte sent.",
			ratio(rate("", of(retransmits)), rate("", of(bytesMoved, sent))+" / 1e6"))).
		WithPanel(number(4, "Round trip, 99th percentile", seconds, "Smoothed round-trip time as the kernel has it.",
			quantile(0.99, "", of(rtt)))).
		WithRow(row("Largest and worst edges")).
		WithPanel(chart("Bytes by edge", bytesPerSecond, "Both directions, the ten largest edges.",
			query{top(10, rate(edgeLabels, of(bytesMoved))), edgeLegend})).
		WithPanel(chart("New connections by edge", perSecond,
			"A high rate between two services is often a missing connection pool.",
			query{top(10, rate(edgeLabels, of(attempts, succeeded))), edgeLegend})).
		WithPanel(chart("Failed attempts by edge", perSecond, "No series: nothing failed.",
			query{top(10, rate(edgeLabels+", error_type", of(attempts, failed))), edgeLegend + ": {{error_type}}"})).
		WithPanel(chart("Broken connections by edge", perSecond,
			"Connections that ended other than by agreement. No series: none did.",
			query{top(10, rate(edgeLabels+", error_type", of(closed, failed))), edgeLegend + ": {{error_type}}"})).
		WithPanel(chart("Round trip by edge, 99th percentile", seconds, "",
			query{top(10, quantile(0.99, edgeLabels, of(rtt))), edgeLegend})).
		WithPanel(chart("Retransmits by edge", perSecond, "Segments sent again.",
			query{top(10, rate(edgeLabels, of(retransmits))), edgeLegend})).
		WithRow(row("From outside: clients that run no netconn")).
		WithPanel(chart("Bytes from outside", bytesPerSecond, "As the servers' ends report them.",
			query{top(10, rate(edgeLabels, outside(bytesMoved))), fromLegend})).
		WithPanel(chart("Connections from outside", perSecond, "",
			query{top(10, rate(edgeLabels, outside(attempts, succeeded))), fromLegend})).
		WithRow(row("All edges")).
		WithPanel(edges(of))
}

// edges lists all edges. A row opens the dashboard of its edge.
func edges(of func(metric string, more ...string) string) *table.PanelBuilder {
	return list("Edges", "A row for each client and server. Click on it for the edge, or for its client.",
		[][2]string{{"service_name", "Client"}, {"process_executable_name", "Program"}, {"netconn_peer_type",
			"Type"}, {"netconn_peer_name", "Server"}},
		[]column{
			{"Bytes", bytesPerSecond, rate(edgeLabels, of(bytesMoved))},
			{"New connections", perSecond, rate(edgeLabels, of(attempts, succeeded))},
			{"Open connections", count, total(edgeLabels, of(active))},
			{"Failed attempts", perSecond, rate(edgeLabels, of(attempts, failed))},
			{"Retransmits", perSecond, rate(edgeLabels, of(retransmits))},
			{"Round trip, 99th percentile", seconds, quantile(0.99, edgeLabels, of(rtt))},
		},
		open("Edge",
			"/d/netconn-edge?var-client=${__data.fields.Client}&var-program=${__data.fields.Program}&var-server=${__data.fields.Server}"),
		open("Service", "/d/netconn-service?var-service=${__data.fields.Client}&var-program=${__data.fields.Program}"))
}
