package main

// A hop is a part of the way of a request through a service mesh, with the matchers of its connections.
type hop struct {
	name     string
	matchers []string
}

// sidecars returns the hops of a mesh with sidecars, in the order of a request. Each is taken from the end that knows
// that the other one is the sidecar: of the last one this is the server's.
func sidecars() []hop {
	return []hop{
		{"application → its sidecar", []string{fromClient, `netconn_peer_proxy="sidecar"`, `netconn_peer_scope="pod"`}},
		{"→ sidecar of another pod", []string{fromClient, `netconn_peer_proxy="sidecar"`, leavesPod}},
		{"sidecar → its application", []string{fromServer, `netconn_peer_proxy="sidecar"`, `netconn_peer_scope="pod"`}},
	}
}

// ambient returns the hops of a mesh without sidecars.
func ambient() []hop {
	const ztunnel, self = `netconn_peer_proxy="ztunnel"`, `k8s_daemonset_name="ztunnel"`
	return []hop{
		{"application → ztunnel", []string{fromClient, ztunnel, `k8s_daemonset_name!="ztunnel"`}},
		{"ztunnel → ztunnel", []string{fromClient, ztunnel, self}},
		{"ztunnel → waypoint", []string{fromClient, `netconn_peer_proxy="waypoint"`}},
		{"ztunnel → application", []string{fromServer, ztunnel, `k8s_daemonset_name!="ztunnel"`}},
	}
}

// perHop asks the same of each hop.
func perHop(hops []hop, ask func(of func(metric string, more ...string) string) string) (all []query) {
	for _, h := range hops {
		of := func(metric string, more ...string) string {
			return where(metric,
				append(append([]string{inNamespace, `service_name=~"$service"`}, h.matchers...), more...)...)
		}
		all = append(all, query{ask(of), h.name})
	}
	return all
}

type selector = func(metric string, more ...string) string

// mesh shows the hops of requests through the proxies of a mesh.
func mesh() *builder {
	d := begin("mesh", "Mesh",
		"The way of requests through the sidecars, ztunnels and waypoints of a mesh, hop by hop.").
		WithVariable(choice("namespace", "Namespace", active, "k8s_namespace_name")).
		WithVariable(choice("service", "Service", where(active, inNamespace), "service_name"))
	for _, kind := range []struct {
		name string
		hops []hop
	}{{"sidecars", sidecars()}, {"ambient", ambient()}} {
		d.WithRow(row("Hops, " + kind.name)).
			WithPanel(chart("Round trip, 99th percentile, "+kind.name, seconds,
				"A slow hop within a pod is a busy proxy; a slow hop between pods is the network.",
				perHop(kind.hops, func(of selector) string { return quantile(0.99, "", of(rtt)) })...)).
			WithPanel(chart("Bytes, "+kind.name, bytesPerSecond,
				"Both directions. Encryption adds bytes between proxies.",
				perHop(kind.hops, func(of selector) string { return rate("", of(bytesMoved)) })...)).
			WithPanel(chart("New connections, "+kind.name, perSecond,
				"Fewer between proxies than within pods: the proxies keep connections.",
				perHop(kind.hops, func(of selector) string { return rate("", of(attempts, succeeded)) })...)).
			WithPanel(chart("Open connections, "+kind.name, count, "",
				perHop(kind.hops, func(of selector) string { return total("", of(active)) })...))
	}
	return d
}
