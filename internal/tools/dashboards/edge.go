package main

// edge shows all that is known of the connections from one service to another, as the client's end reports it.
func edge() *builder {
	const ofClient = `service_name=~"$client"`
	of := func(metric string, more ...string) string {
		return where(metric,
			append([]string{fromClient, inNamespace, ofClient, ofProgram, `netconn_peer_name=~"$server"`}, more...)...)
	}
	client := where(active, fromClient, inNamespace)
	program := where(active, fromClient, inNamespace, ofClient)
	server := where(active, fromClient, inNamespace, ofClient, ofProgram)
	d := begin("edge", "Edge", "The connections from a client to a server.").
		WithVariable(choice("namespace", "Client's namespace", active, "k8s_namespace_name")).
		WithVariable(choice("client", "Client", client, "service_name")).
		WithVariable(choice("program", "Program", program, "process_executable_name")).
		WithVariable(choice("server", "Server", server, "netconn_peer_name"))
	return edgeDetails(d.
		WithPanel(number(4, "To the server", bytesPerSecond, "", rate("", of(bytesMoved, sent)))).
		WithPanel(number(4, "To the client", bytesPerSecond, "", rate("", of(bytesMoved, received)))).
		WithPanel(number(4, "New connections", perSecond, "", rate("", of(attempts, succeeded)))).
		WithPanel(number(4, "Open connections", count, "", total("", of(active)))).
		WithPanel(number(4, "Failed attempts", share, "Share of all attempts.",
			ratio(rate("", of(attempts, failed)), rate("", of(attempts))))).
		WithPanel(number(4, "Round trip, 99th percentile", seconds, "", quantile(0.99, "", of(rtt)))).
		WithPanel(chart("Bytes", bytesPerSecond, "Payload, retransmissions excluded.",
			query{rate("", of(bytesMoved, sent)), "to the server"},
			query{rate("", of(bytesMoved, received)), "to the client"})).
		WithPanel(chart("Connections", perSecond, "",
			query{rate("", of(attempts, succeeded)), "opened"},
			query{rate("", of(closed, succeeded)), "closed by agreement"})).
		WithPanel(stacked("Failed attempts by cause", perSecond, "No series: nothing failed.",
			query{rate("error_type", of(attempts, failed)), "{{error_type}}"})).
		WithPanel(stacked("Broken connections by cause", perSecond, "No series: none broke.",
			query{rate("error_type", of(closed, failed)), "{{error_type}}"})).
		WithPanel(chart("Round trip", seconds,
			"Smoothed round-trip time of each connection, at each collection and at its close.",
			quantiles(of(rtt))...)).
		WithPanel(chart("Handshake, mean", seconds, "From the SYN to the established connection. It has no buckets by default.",
			query{ratio(rate("", of(handshake+"_sum")), rate("", of(handshake+"_count"))), "mean"})), of)
}

// edgeDetails adds what an edge is made of.
func edgeDetails(d *builder, of func(metric string, more ...string) string) *builder {
	return d.
		WithPanel(chart("Retransmits per MB", count, "Segments sent again by the client, per megabyte sent.",
			query{ratio(rate("", of(retransmits)), rate("", of(bytesMoved, sent))+" / 1e6"), "segments"})).
		WithPanel(chart("Open connections by pod", count, "", query{total("k8s_pod_name", of(active)),
			"{{k8s_pod_name}}"})).
		WithRow(row("How the client gets there")).
		WithPanel(stacked("By what the client asked for", bytesPerSecond,
			"The name and port that the client connected to, where an address translation chose the server.",
			query{rate("netconn_original_destination_name, netconn_original_destination_port", of(bytesMoved)),
				"{{netconn_original_destination_name}}:{{netconn_original_destination_port}}"})).
		WithPanel(stacked("By translation", bytesPerSecond, "See docs/nat.md for the values.",
			query{rate("netconn_nat, server_port", of(bytesMoved)), "{{netconn_nat}}, port {{server_port}}"})).
		WithRow(row("Versions of the server, such as a canary")).
		WithPanel(stacked("Bytes by image tag", bytesPerSecond, "",
			query{rate("netconn_peer_container_image_tag", of(bytesMoved)), "{{netconn_peer_container_image_tag}}"})).
		WithPanel(chart("Round trip by image tag, 99th percentile", seconds, "",
			query{quantile(0.99, "netconn_peer_container_image_tag", of(rtt)), "{{netconn_peer_container_image_tag}}"}))
}

// quantiles returns the median, and where the slow ones begin.
func quantiles(selector string) []query {
	return []query{
		{quantile(0.5, "", selector), "50 %"},
		{quantile(0.9, "", selector), "90 %"},
		{quantile(0.99, "", selector), "99 %"},
	}
}
