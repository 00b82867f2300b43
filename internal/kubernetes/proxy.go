package kubernetes

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netconn/netconn/internal/conn"
)

// gatewayLabels are on pods that are all proxy: those of the Gateway API, of Istio, of Envoy Gateway.
var gatewayLabels = []string{
	"gateway.networking.k8s.io/gateway-name",
	"gateway.istio.io/managed",
	"gateway.envoyproxy.io/owning-gateway-name",
}

// sidecars are the containers that meshes other than Istio put into pods, by their names.
var sidecars = []string{"linkerd-proxy", "kuma-sidecar", "consul-dataplane"}

// containerProxy tells what a container is a proxy for. Istio calls the container of all its proxies istio-proxy; what
// it is started as tells them apart.
func containerProxy(p *corev1.Pod, c *corev1.Container) conn.Proxy {
	switch {
	case c.Name == "istio-proxy":
		return istioProxy(p, c)
	case slices.Contains(sidecars, c.Name):
		return ofPod(p, conn.ProxySidecar)
	}
	return podProxy(p)
}

// istioProxy reads the arguments: proxy sidecar, proxy router, proxy waypoint, proxy ztunnel.
func istioProxy(p *corev1.Pod, c *corev1.Container) conn.Proxy {
	for _, arg := range c.Args {
		switch arg {
		case "sidecar":
			return ofPod(p, conn.ProxySidecar)
		case "router", "waypoint":
			return conn.ProxyGateway
		case "ztunnel":
			return conn.ProxyZtunnel
		}
	}
	return ofPod(p, conn.ProxySidecar)
}

// ofPod returns what the whole pod is there for, else other.
func ofPod(p *corev1.Pod, other conn.Proxy) conn.Proxy {
	if proxy := podProxy(p); proxy != "" {
		return proxy
	}
	return other
}

// podProxy tells what a pod is a proxy for as a whole.
func podProxy(p *corev1.Pod) conn.Proxy {
	if p.Labels["app"] == "ztunnel" {
		return conn.ProxyZtunnel
	}
	for _, label := range gatewayLabels {
		if _, ok := p.Labels[label]; ok {
			return conn.ProxyGateway
		}
	}
	if strings.HasSuffix(p.Labels["istio"], "gateway") { // ingressgateway, egressgateway, eastwestgateway
		return conn.ProxyGateway
	}
	return ""
}
