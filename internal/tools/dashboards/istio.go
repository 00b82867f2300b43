package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// istio sets what Istio's control plane does over what is sent between two services: does a push of configuration break
// or slow connections? The names of its metrics are those of istiod's page (pilot/pkg/xds/monitoring.go). OTLP adds _total to
// the names of counters on the way into Prometheus.
func istio() *builder {
	const ofClient = `service_name=~"$client"`
	of := func(metric string, more ...string) string {
		return where(metric,
			append([]string{fromClient, inNamespace, ofClient, `netconn_peer_name=~"$server"`, leavesPod}, more...)...)
	}
	const pushes = `{__name__=~"pilot_xds_pushes(_total)?",type!~".*err"}`
	// Endpoints change with every pod: they would hide the rest.
	const pushed = `sum by (type) (increase({__name__=~"pilot_xds_pushes(_total)?",type=~"lds|cds|rds"}[1m])) > 0`
	d := begin("istio", "Istio control plane",
		"Pushes of istiod over the traffic between two services. It needs a scrape of istiod.").
		WithVariable(choice("namespace", "Client's namespace", active, "k8s_namespace_name")).
		WithVariable(choice("client", "Client", where(active, fromClient, inNamespace), "service_name")).
		WithVariable(choice("server", "Server", where(active, fromClient, inNamespace, ofClient), "netconn_peer_name")).
		Annotation(dashboard.NewAnnotationQueryBuilder().Name("Pushes of listeners, clusters and routes").
			Datasource(source()).Enable(true).IconColor("orange").Expr(pushed).Step("30s").TitleFormat("Push of {{type}}").
			Target(target(query{pushed, "{{type}}"}).RefId("A")))
	return d.
		WithPanel(chart("Bytes between the services", bytesPerSecond,
			"What leaves pods, both directions. Lines mark pushes of configuration.",
			query{rate("service_name, netconn_peer_name", of(bytesMoved)),
				"{{service_name}} → {{netconn_peer_name}}"}).Span(wide)).
		WithPanel(stacked("Pushes", perSecond, "By type: listeners, clusters, routes, endpoints and others.",
			query{rate("type", pushes), "{{type}}"})).
		WithPanel(chart("Convergence time", seconds,
			"From a change of configuration until a proxy has received all of it.",
			quantiles("pilot_proxy_convergence_time_bucket")...)).
		WithPanel(chart("Rejected and failed pushes", perSecond,
			"Rejected by a proxy, or not built or sent. No series: none was.",
			query{rate("type", `{__name__=~"pilot_total_xds_rejects(_total)?"}`), "rejected: {{type}}"},
			query{rate("type", `{__name__=~"pilot_xds_pushes(_total)?",type=~".*err"}`), "failed: {{type}}"})).
		WithPanel(stacked("What triggers pushes", perSecond, "", query{rate("type", `{__name__=~"pilot_push_triggers(_total)?"}`),
			"{{type}}"})).
		WithPanel(chart("Broken connections between the services", perSecond,
			"Connections that ended other than by agreement. No series: none did.",
			query{rate("error_type", of(closed, failed)), "{{error_type}}"})).
		WithPanel(chart("New connections between the services", perSecond,
			"A burst after a push: a proxy closed its connections to take the new configuration.",
			query{rate("", of(attempts, succeeded)), "opened"})).
		WithPanel(chart("Round trip between the services", seconds, "", quantiles(of(rtt))...)).
		WithPanel(chart("Proxies that are connected to istiod", count, "", query{"sum by (version) (pilot_xds)",
			"{{version}}"}))
}
