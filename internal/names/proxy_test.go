package names

import (
	"maps"
	"slices"
	"testing"
)

// pod is a container as the Kubernetes API has it, with the executable that the kernel sees.
type pod struct {
	container, executable string
	arguments             []string
	labels                map[string]string
}

// api is what the receiver knows, from the Kubernetes API.
func (p pod) api() Evidence {
	return Evidence{Container: p.container, Arguments: p.arguments, Label: p.label}
}

// telemetry is what the network map knows where a processor adds the labels of the pod.
func (p pod) telemetry() Evidence {
	return Evidence{Container: p.container, Executable: p.executable, Label: p.label}
}

func (p pod) label(key string) (string, bool) {
	v, ok := p.labels[key]
	return v, ok
}

var managed = map[string]string{
	"gateway.istio.io/managed": "istio.io-mesh-controller", "gateway.networking.k8s.io/gateway-name": "w",
}

// observed are containers as the Kubernetes API and their own telemetry show them.
var observed = map[string]struct {
	pod  pod
	want Proxy
}{
	"an application": {pod{"reviews", "java", nil, nil}, ""},
	"an application called as a proxy is started": {
		pod{"sidecar", "sidecar", []string{"proxy", "sidecar"}, nil}, "",
	},
	"Istio's sidecar": {pod{"istio-proxy", "pilot-agent", []string{"proxy", "sidecar"}, nil}, Sidecar},
	"Istio's sidecar, by the arguments of an older version": {pod{"istio-proxy", "pilot-agent", nil, nil}, Sidecar},
	"Linkerd's sidecar": {pod{"linkerd-proxy", "linkerd2-proxy", nil, nil}, Sidecar},
	"Kuma's sidecar":    {pod{"kuma-sidecar", "kuma-dp", []string{"run"}, nil}, Sidecar},
	"Consul's sidecar":  {pod{"consul-dataplane", "consul-dataplane", nil, nil}, Sidecar},
	"a sidecar of a service that is called router": {
		pod{"istio-proxy", "pilot-agent", []string{"proxy", "sidecar", "--serviceCluster", "router"}, nil}, Sidecar,
	},
	"ztunnel": {
		pod{"istio-proxy", "ztunnel", []string{"proxy", "ztunnel"}, map[string]string{"app": "ztunnel"}}, Ztunnel,
	},
	"ztunnel, without its label": {pod{"istio-proxy", "ztunnel", []string{"proxy", "ztunnel"}, nil}, Ztunnel},
	"a waypoint": {
		pod{"istio-proxy", "pilot-agent", []string{"proxy", "waypoint"}, managed}, Waypoint,
	},
	"an east-west gateway, which is started as a waypoint": {
		pod{"istio-proxy", "pilot-agent", []string{"proxy", "waypoint"},
			map[string]string{"gateway.istio.io/managed": "istio.io-eastwest-controller"}}, Gateway,
	},
	"an ingress gateway": {
		pod{"istio-proxy", "pilot-agent", []string{"proxy", "router"},
			map[string]string{"istio": "ingressgateway"}},
		Gateway,
	},
	"a gateway that was injected": {
		pod{"istio-proxy", "pilot-agent", []string{"proxy", "sidecar"},
			map[string]string{"istio": "eastwestgateway"}},
		Gateway,
	},
	"a gateway of the Gateway API": {
		pod{"nginx", "nginx", nil, map[string]string{"gateway.networking.k8s.io/gateway-name": "shop"}}, Gateway,
	},
	"a gateway of Istio": {
		pod{"istio-proxy", "pilot-agent", []string{"proxy", "router"},
			map[string]string{"gateway.istio.io/managed": "istio.io-gateway-controller"}}, Gateway,
	},
	"a gateway of Envoy Gateway": {
		pod{"envoy", "envoy", nil, map[string]string{"gateway.envoyproxy.io/owning-gateway-name": "eg"}}, Gateway,
	},
	"Istio's control plane": {pod{"discovery", "pilot-discovery", nil, map[string]string{"istio": "pilot"}}, ""},
	"an application with a name like ztunnel's": {
		pod{"app", "app", nil, map[string]string{"app": "my-ztunnel"}}, "",
	},
}

// Both observers of one container must come to one answer: on the network map a container has one value.
func TestObserversAgree(t *testing.T) {
	for name, tt := range observed {
		t.Run(name, func(t *testing.T) {
			if got := ProxyOf(tt.pod.api()); got != tt.want {
				t.Errorf("by the Kubernetes API: %q, want %q", got, tt.want)
			}
			if got := ProxyOf(tt.pod.telemetry()); got != tt.want {
				t.Errorf("by its own telemetry: %q, want %q", got, tt.want)
			}
		})
	}
}

// Without labels, only the executable distinguishes Istio's proxies.
func TestProxyWithoutLabels(t *testing.T) {
	for name, tt := range map[string]struct {
		evidence Evidence
		want     Proxy
	}{
		"nothing is known":    {Evidence{}, ""},
		"a name":              {Evidence{Container: "istio-proxy"}, Sidecar},
		"another program":     {Evidence{Executable: "ztunnel"}, ""},
		"ztunnel":             {Evidence{Container: "istio-proxy", Executable: "ztunnel"}, Ztunnel},
		"a gateway's purpose": {Evidence{Container: "istio-proxy", Arguments: []string{"proxy", "router"}}, Gateway},
	} {
		if got := ProxyOf(tt.evidence); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// A processor that adds the labels of ProxyLabels adds all that are looked up.
func TestProxyLabelsAreThoseLookedUp(t *testing.T) {
	asked := map[string]bool{}
	ProxyOf(Evidence{Label: func(key string) (string, bool) { asked[key] = true; return "", false }})
	if got, want := ProxyLabels(), slices.Sorted(maps.Keys(asked)); !slices.Equal(got, want) {
		t.Errorf("ProxyLabels() = %q, but %q are looked up", got, want)
	}
}

func TestProxiesAreAllValues(t *testing.T) {
	for _, rules := range [][]labelRule{decisive, labels} {
		for _, r := range rules {
			if !slices.Contains(Proxies(), r.proxy) {
				t.Errorf("the label %s makes a %q, which is no value of %s", r.key, r.proxy, PeerProxy)
			}
		}
	}
	for started, p := range purposes {
		if !slices.Contains(Proxies(), p) {
			t.Errorf("what is started as %s is a %q, which is no value of %s", started, p, PeerProxy)
		}
	}
}
