package kubernetes

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// A port of TCP and the same of UDP are two, in a service, at a node and in a pod. Those of SCTP are neither.
func TestPortsOfTransports(t *testing.T) {
	s := storeOf(Config{})
	vip, on := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("192.0.2.2")
	s.putNode(&node{key: key{name: "node-2"}, addresses: []netip.Addr{on}}, start)
	for _, text := range []string{`metadata: {name: web, namespace: shop}
spec: {externalIPs: [203.0.113.9], ports: [{port: 443, nodePort: 30443}, {port: 7, protocol: SCTP}]}`, `metadata: {name: quic, namespace: shop}
spec: {externalIPs: [203.0.113.9], ports: [{port: 443, nodePort: 30443, protocol: UDP}]}`} {
		s.putService(describeService(object[corev1.Service](t, text)), start)
	}
	p := podAt("host", 0, 0)
	p.node, p.hostPorts = "node-2", hostPorts(object[corev1.Pod](t, `spec:
  hostNetwork: true
  containers: [{name: a, ports: [{containerPort: 8125}]}, {name: b, ports: [{containerPort: 8125, protocol: UDP}]}]`))
	p.containers = []container{{name: "a", runs: true}, {name: "b", runs: true}}
	s.putPod(p, start)
	for transport, want := range map[conn.Protocol][2]string{conn.TCP: {"web.shop", "a"}, conn.UDP: {"quic.shop", "b"}} {
		for _, to := range []netip.AddrPort{netip.AddrPortFrom(vip, 443), netip.AddrPortFrom(on, 30443)} {
			if got := s.Service(transport, to); got != want[0] {
				t.Errorf("%v to %v is of %q, want %q", transport, to, got, want[0])
			}
		}
		got, _ := s.Address(conn.Query{Address: on, Port: 8125, Protocol: transport, At: start, Now: start})
		if got[names.PeerContainerName] != want[1] {
			t.Errorf("%v port 8125 of the node is %v, want %q", transport, got, want[1])
		}
		if got := s.Service(transport, netip.AddrPortFrom(vip, 7)); got != "" {
			t.Errorf("%v to a port of SCTP is of %q", transport, got)
		}
	}
}

// A slice lists the ports of all its protocols, and TCP where it says nothing.
func TestPortsOfASlice(t *testing.T) {
	d := describeSlice(object[discoveryv1.EndpointSlice](t, `metadata: {name: x, namespace: shop}
ports: [{port: 53}, {port: 53, protocol: UDP}, {port: 53, protocol: SCTP}, {name: all}]`))
	if len(d.ports) != 2 || d.ports[0] != 53 || d.ports[1] != udpPort|53 {
		t.Errorf("ports %v", d.ports)
	}
	if got := portOf(conn.Query{Protocol: conn.UDP}); got != noPort {
		t.Errorf("no port is %v", got)
	}
}
