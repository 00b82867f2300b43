package names

import (
	"path"
	"slices"
)

// Proxy is a value of netconn.peer.proxy: the purpose of a proxy. Empty: not a proxy, or not known.
type Proxy = string

const (
	Sidecar  Proxy = "sidecar"  // of one pod
	Ztunnel  Proxy = "ztunnel"  // of one node
	Waypoint Proxy = "waypoint" // of services or a namespace, inside the mesh
	Gateway  Proxy = "gateway"  // at the border of a mesh or a cluster
)

// Proxies returns the values of netconn.peer.proxy.
func Proxies() []Proxy { return []Proxy{Sidecar, Ztunnel, Waypoint, Gateway} }

// Evidence is what an observer knows of a container. The receiver reads Arguments from the Kubernetes API and
// does not know the executable of a container elsewhere. The network map knows Executable, and the labels that
// a processor adds.
type Evidence struct {
	Container  string                          // its name in the pod
	Executable string                          // of its first process
	Arguments  []string                        // that it is started with
	Label      func(key string) (string, bool) // looks up a label of its pod; nil: none is known
}

// istioProxy is what Istio calls the container of all its proxies.
const istioProxy = "istio-proxy"

// sidecars are the containers that other meshes put into pods, by name.
var sidecars = []string{"linkerd-proxy", "kuma-sidecar", "consul-dataplane"}

// purposes are what an Istio proxy is started as.
var purposes = map[string]Proxy{"sidecar": Sidecar, "ztunnel": Ztunnel, "waypoint": Waypoint, "router": Gateway}

// labelRule says what a pod is that has a label with a value of this pattern, as path.Match has them.
type labelRule struct {
	key, value string
	proxy      Proxy
}

// decisive are labels that count more than the arguments: Istio starts its east-west gateways as waypoints.
var decisive = []labelRule{
	{"gateway.istio.io/managed", "istio.io-mesh-controller", Waypoint},
	{"gateway.istio.io/managed", "*", Gateway},
}

// labels are on pods that are a proxy as a whole, whatever the container is started as.
var labels = []labelRule{
	{"app", "ztunnel", Ztunnel},
	{"gateway.networking.k8s.io/gateway-name", "*", Gateway},
	{"gateway.envoyproxy.io/owning-gateway-name", "*", Gateway},
	{"istio", "*gateway", Gateway}, // ingressgateway, egressgateway, eastwestgateway
}

// ProxyLabels returns the labels of pods that ProxyOf looks up, sorted.
func ProxyLabels() []string {
	var keys []string
	for _, r := range slices.Concat(decisive, labels) {
		keys = append(keys, r.key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ProxyOf returns the purpose of a container. Observers that know enough get the same answer. A container with
// the name of a mesh's proxy, and no other evidence, counts as a sidecar.
func ProxyOf(e Evidence) Proxy {
	if p := e.labelled(decisive); p != "" {
		return p
	}
	p := e.started()
	if p != "" && p != Sidecar {
		return p
	}
	if whole := e.labelled(labels); whole != "" {
		return whole
	}
	return p
}

// labelled returns the result of the first rule that matches.
func (e *Evidence) labelled(rules []labelRule) Proxy {
	if e.Label == nil {
		return ""
	}
	for _, r := range rules {
		value, ok := e.Label(r.key)
		if matches, _ := path.Match(r.value, value); ok && matches {
			return r.proxy
		}
	}
	return ""
}

// started returns the purpose that the container itself shows.
func (e *Evidence) started() Proxy {
	switch {
	case slices.Contains(sidecars, e.Container):
		return Sidecar
	case e.Container != istioProxy:
		return ""
	case e.Executable == "ztunnel": // a program of its own; the others run Envoy
		return Ztunnel
	}
	for _, arg := range e.Arguments {
		if p := purposes[arg]; p != "" {
			return p
		}
	}
	return Sidecar
}
