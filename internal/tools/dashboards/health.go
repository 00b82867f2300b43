package main

// own selects a metric of the collector itself. Some versions of Prometheus and of the collector add _total to counters.
func own(name string) string {
	return where("", `__name__=~"otelcol_`+name+`(_total)?"`, `instance=~"$instance"`)
}

// targetLabels are labels that a scrape gives to all series of a collector. Prometheus 3 keeps the dots of the labels of
// its metrics, which no query of an older one may name, so that queries name the others.
const targetLabels = "job, receiver, namespace, pod, container, endpoint, node, service"

// kinds asks for the rates of a counter by a label of netconn's.
func kinds(label, counter string) query {
	return query{"sum without (instance, " + targetLabels + ") (rate(" + own(counter) + window + "))",
		"{{netconn_" + label + "}}{{netconn." + label + "}}"}
}

// health shows what netconn loses, holds and costs, from the collectors' own metrics.
func health() *builder {
	instance := func(name string) query { return query{rate("instance", own(name)), "{{instance}}"} }
	held := func(name string) query { return query{total("instance", own(name)), "{{instance}}"} }
	return begin("health", "Health of netconn",
		"What netconn itself loses, holds and costs. It needs a scrape of the collectors' own metrics.").
		WithVariable(choice("instance", "Collector", "otelcol_netconn_connections", "instance")).
		WithPanel(number(6, "Lost reports", perSecond,
			"A buffer was full. The bytes are in an overflow series, so totals hold.",
			rate("", own("netconn_connections_lost")))).
		WithPanel(number(6, "Bytes of no connection", bytesPerSecond, "Bytes of lost reports.",
			rate("", own("netconn_bytes_lost")))).
		WithPanel(number(6, "Beyond a limit", perSecond,
			"Connections in an overflow series (max_flows, limit_per_resource).",
			rate("", own("netconn_connections_beyond_limit")))).
		WithPanel(number(6, "Refused messages", perSecond, "The next component refused them. See the exporters below.",
			rate("", own("netconn_messages_refused")))).
		WithRow(row("Losses")).
		WithPanel(stacked("Lost reports by event", perSecond, "",
			kinds("end", "netconn_connections_lost"))).
		WithPanel(chart("Points that an exporter could not send", perSecond, "No series: all were sent.",
			query{rate("instance, exporter", own("exporter_send_failed_metric_points")), "{{instance}} {{exporter}}"})).
		WithPanel(chart("Connections that vanished", perSecond, "Connections without a report of their end.",
			instance("netconn_connections_vanished"))).
		WithPanel(chart("Dropped events", perSecond, "", instance("netconn_events_dropped"))).
		WithRow(row("Translations and names")).
		WithPanel(stacked("Answers of connection tracking", perSecond, "",
			kinds("result", "netconn_conntrack_answers"))).
		WithPanel(stacked("Look-ups of peers in the cluster", perSecond, "",
			kinds("answer", "netconn_kubernetes_answers"))).
		WithPanel(chart("Containers that were not found", perSecond,
			"Connections with an owner that could not be resolved.",
			instance("netconn_owners_unresolved"))).
		WithPanel(chart("Watches of the Kubernetes API", count, "1: objects of the kind are listed and watched.",
			query{"sum without (" + targetLabels + ") (" + own("netconn_kubernetes_connected") + ")",
				"{{instance}} {{netconn_kind}}{{netconn.kind}}"})).
		WithRow(row("Size and cost")).
		WithPanel(chart("Connections that are followed", count, "", held("netconn_connections"))).
		WithPanel(chart("Flows", count, "Each is up to 20 series.", held("netconn_flows"))).
		WithPanel(chart("CPU", "percentunit", "1 is a whole core.", instance("process_cpu_seconds"))).
		WithPanel(chart("Memory", size, "Resident.", held("process_memory_rss")))
}
