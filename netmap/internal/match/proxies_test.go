package match

import (
	"testing"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Without the labels of its pod, a gateway of Istio has the name of a sidecar's container. It is what its peers report,
// as a peer and where it reports itself, on each host.
func TestGatewaysThatLookLikeSidecars(t *testing.T) {
	gateway := func(host, pod string) raw { return istioProxy(host, "ingress", pod) }
	sees := func(workload, proxy string) raw {
		return raw{
			"netconn.role": "server", "server.port": "80", "netconn.peer.scope": "remote", "netconn.peer.type": "pod", "netconn.peer.name": workload,
			"netconn.peer.k8s.namespace.name": "shop", "netconn.peer.k8s.workload.name": workload, "netconn.peer.container.name": "istio-proxy",
			"netconn.peer.proxy": proxy,
		}
	}
	for name, tt := range map[string]struct {
		reports []raw // of servers, about their clients
		silent  int64
		want    string
	}{
		"nothing is reported":        {nil, 0, "sidecar"},
		"a gateway":                  {[]raw{sees("ingress", "gateway")}, 0, "gateway"},
		"a waypoint":                 {[]raw{sees("ingress", "waypoint"), sees("ingress", "waypoint")}, 0, "waypoint"},
		"reports that disagree":      {[]raw{sees("ingress", "waypoint"), sees("ingress", "gateway")}, 0, "sidecar"},
		"three that disagree":        {[]raw{sees("ingress", "waypoint"), sees("ingress", "gateway"), sees("ingress", "gateway")}, 0, "sidecar"},
		"one that has less to go by": {[]raw{sees("ingress", "gateway"), sees("ingress", "sidecar")}, 0, "gateway"},
		"another workload":           {[]raw{sees("other", "gateway")}, 0, "sidecar"},
		"without a workload":         {[]raw{sees("", "gateway")}, 0, "sidecar"},
		"an old report":              {[]raw{sees("ingress", "gateway")}, present + 1, "sidecar"},
	} {
		b := newTestbed()
		for _, point := range tt.reports {
			i := b.add(pod("n2", "web", "web-1", "app"), point, volume(1, 1))
			b.reports[i].Seen -= tt.silent
		}
		first := b.add(gateway("n1", "ingress-1"), remote("client", "x", "1"), volume(1, 1))
		b.add(gateway("n3", "ingress-2"), remote("client", "x", "2"), volume(1, 1))
		p := NewPeers(b.reports, now, b.intern)
		for _, r := range b.reports[first:] {
			if got := p.Correct(r.Local).Get(names.TagProxy); got != tt.want {
				t.Errorf("%s: %s is a %q, want %q", name, r.Local.Get(names.TagPod), got, tt.want)
			}
			if e := newEdge(&r, snap.Figures{}, p); e.Client.Get(names.TagProxy) != tt.want {
				t.Errorf("%s: on the map it is a %q, want %q", name, e.Client.Get(names.TagProxy), tt.want)
			}
		}
	}
}

// istioProxy returns a pod of Istio's proxy.
func istioProxy(host, workload, name string) raw { return pod(host, workload, name, "istio-proxy") }

// An end that is corrected is one end, however it is found.
func TestCorrectedEndsAreShared(t *testing.T) {
	b := newTestbed()
	i := b.add(istioProxy("n1", "ingress", "ingress-1"), remote("client", "x", "1"), volume(1, 1))
	b.add(pod("n2", "web", "web-1", "app"), raw{
		"netconn.role": "server", "server.port": "80", "netconn.peer.scope": "remote", "netconn.peer.type": "pod", "netconn.peer.name": "ingress",
		"netconn.peer.k8s.namespace.name": "shop", "netconn.peer.k8s.workload.name": "ingress", "netconn.peer.container.name": "istio-proxy",
		"netconn.peer.k8s.pod.name": "ingress-1", "netconn.peer.proxy": "gateway",
	}, volume(1, 1))
	p := NewPeers(b.reports, now, b.intern)
	got := b.reports[i].Local
	if first, again := p.Correct(got), p.Correct(got); first != again || first != b.intern(*first) {
		t.Error("the corrected end is another one each time")
	}
	r := &b.reports[1]
	if peer := p.Resolve(r.Local, r.Peer, r.Link.Scope); peer.Get(names.TagProxy) != "gateway" || peer.Get(names.TagContainerID) == "" {
		t.Errorf("the peer is the %s %s, want the gateway itself", peer.Get(names.TagProxy), peer.Get(names.TagContainerID))
	}
	other := b.intern(*b.reports[1].Local)
	if p.Correct(other) != other {
		t.Error("an application was corrected")
	}
}

// The labels of its own pod say more about a proxy than its peers. Without Kubernetes a name says nothing.
func TestOtherProxiesStay(t *testing.T) {
	point := raw{
		"netconn.role": "server", "server.port": "80", "netconn.peer.scope": "remote", "netconn.peer.type": "container",
		"netconn.peer.container.name": "istio-proxy", "netconn.peer.proxy": "waypoint",
	}
	inKubernetes := raw{
		"netconn.peer.type": "pod", "netconn.peer.k8s.namespace.name": "shop", "netconn.peer.k8s.workload.name": "ingress",
	}
	for want, tt := range map[string]struct{ local, point raw }{
		"gateway": {istioProxy("n1", "ingress", "ingress-1").with(raw{"k8s.pod.label.istio": "ingressgateway"}), point.with(inKubernetes)},
		"sidecar": {raw{"host.id": "n1", "container.id": "c", "container.name": "istio-proxy"}, point},
	} {
		b := newTestbed()
		b.add(pod("n2", "web", "web-1", "app"), tt.point, volume(1, 1))
		i := b.add(tt.local, remote("client", "x", "1"), volume(1, 1))
		if got := NewPeers(b.reports, now, b.intern).Correct(b.reports[i].Local).Get(names.TagProxy); got != want {
			t.Errorf("a %s is shown as a %s", want, got)
		}
	}
}
