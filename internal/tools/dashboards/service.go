package main

// service shows who connects to a service, and where it connects.
func service() *builder {
	const ofService = `service_name=~"$service"`
	of := func(metric string, more ...string) string {
		return where(metric, append([]string{inNamespace, ofService, ofProgram, leavesPod}, more...)...)
	}
	const (
		peer   = "netconn_peer_type, netconn_peer_name"
		from   = "from {{netconn_peer_type}} {{netconn_peer_name}}"
		to     = "to {{netconn_peer_type}} {{netconn_peer_name}}"
		byPod  = "k8s_pod_name, k8s_container_name"
		podOf  = "{{k8s_pod_name}} {{k8s_container_name}}"
		listen = "k8s_pod_name, k8s_container_name, server_port"
	)
	return begin("service", "Service",
		"The connections of a service, both those that it accepts and those that it opens.").
		WithVariable(choice("namespace", "Namespace", active, "k8s_namespace_name")).
		WithVariable(choice("service", "Service", where(active, inNamespace), "service_name")).
		WithVariable(choice("program", "Program", where(active, inNamespace, ofService), "process_executable_name")).
		WithRow(row("Clients of the service")).
		WithPanel(stacked("Bytes by client", bytesPerSecond, "Both directions.",
			query{top(20, rate(peer, of(bytesMoved, fromServer))), from})).
		WithPanel(stacked("Accepted connections by client", perSecond, "",
			query{top(20, rate(peer, of(attempts, fromServer, succeeded))), from})).
		WithPanel(chart("Round trip to clients, 99th percentile", seconds, "",
			query{top(20, quantile(0.99, peer, of(rtt, fromServer))), from})).
		WithPanel(chart("Dropped by full queues", perSecond,
			"Connections that a listening socket dropped, because its queue was full. No series: none was.",
			query{rate(listen, where(listenDrops, inNamespace, ofService, ofProgram)), podOf + ", port {{server_port}}"})).
		WithRow(row("Servers that the service connects to")).
		WithPanel(stacked("Bytes by server", bytesPerSecond, "Both directions.",
			query{top(20, rate(peer, of(bytesMoved, fromClient))), to})).
		WithPanel(stacked("Opened connections by server", perSecond, "",
			query{top(20, rate(peer, of(attempts, fromClient, succeeded))), to})).
		WithPanel(chart("Round trip to servers, 99th percentile", seconds, "",
			query{top(20, quantile(0.99, peer, of(rtt, fromClient))), to})).
		WithPanel(stacked("Failed attempts by server and cause", perSecond, "No series: nothing failed.",
			query{rate(peer+", error_type", of(attempts, fromClient, failed)), to + ": {{error_type}}"})).
		WithRow(row("Pods and containers of the service")).
		WithPanel(stacked("Open connections by container", count, "", query{total(byPod, of(active)), podOf})).
		WithPanel(chart("New connections by container", perSecond, "Accepted and opened.",
			query{rate(byPod, of(attempts, succeeded)), podOf}))
}
