package kubernetes

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// service is what is kept of a service.
type service struct {
	key           key
	qualifiedName string       // reviews.default; the store puts it together once, because each connection needs it
	addresses     []netip.Addr // of the cluster, external, and of load balancers; none: headless, or an alias in DNS
	ports         []port
	nodePorts     []port
}

func describeService(s *corev1.Service) *service {
	d := &service{key: key{one(s.Namespace), s.Name}}
	add := func(text string) {
		if a := parseAddress(text); a.IsValid() && !slices.Contains(d.addresses, a) {
			d.addresses = append(d.addresses, a)
		}
	}
	add(s.Spec.ClusterIP) // "None" if it is headless
	for _, texts := range [][]string{s.Spec.ClusterIPs, s.Spec.ExternalIPs} {
		for _, text := range texts {
			add(text)
		}
	}
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		add(ingress.IP)
	}
	for _, p := range s.Spec.Ports {
		d.ports = appendPort(d.ports, p.Protocol, p.Port)
		d.nodePorts = appendPort(d.nodePorts, p.Protocol, p.NodePort)
	}
	if s.Spec.HealthCheckNodePort != 0 {
		d.nodePorts = appendPort(d.nodePorts, corev1.ProtocolTCP, s.Spec.HealthCheckNodePort)
	}
	return d
}

// node is what is kept of a node.
type node struct {
	key          key
	addresses    []netip.Addr
	zone, region string
	boot         string    // id of its kernel's boot: nodes with the same one share a kernel
	fetched      time.Time // when it was requested by name; zero: it is watched
}

func describeNode(n *corev1.Node) *node {
	d := &node{
		key:    key{name: n.Name},
		zone:   one(n.Labels[corev1.LabelTopologyZone]),
		region: one(n.Labels[corev1.LabelTopologyRegion]),
		boot:   n.Status.NodeInfo.BootID,
	}
	for _, address := range n.Status.Addresses {
		if address.Type != corev1.NodeInternalIP && address.Type != corev1.NodeExternalIP {
			continue
		}
		if a := parseAddress(address.Address); a.IsValid() && !slices.Contains(d.addresses, a) {
			d.addresses = append(d.addresses, a)
		}
	}
	return d
}

// slice is what is kept of an endpoint slice.
type slice struct {
	key       key
	service   string
	ports     []port // of every endpoint
	endpoints []endpoint
}

// endpoint is a pod or another host that serves a service at an address.
type endpoint struct {
	slice      *slice // that it is listed in; set when the slice is put into its table
	address    netip.Addr
	pod        string // its name, in the namespace of the service; empty: not a pod
	uid        string // of the pod
	node, zone string
}

func describeSlice(s *discoveryv1.EndpointSlice) *slice {
	d := &slice{key: key{one(s.Namespace), s.Name}, service: one(s.Labels[discoveryv1.LabelServiceName])}
	for _, p := range s.Ports {
		if p.Port != nil {
			d.ports = appendPort(d.ports, *cmp.Or(p.Protocol, new(corev1.Protocol)), *p.Port)
		}
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if len(e.Addresses) == 0 { // all addresses but the first have no meaning (discovery/v1)
			continue
		}
		a := parseAddress(e.Addresses[0])
		if !a.IsValid() {
			continue
		}
		d.endpoints = append(d.endpoints, describeEndpoint(a, e))
	}
	return d
}

func describeEndpoint(a netip.Addr, e *discoveryv1.Endpoint) endpoint {
	d := endpoint{address: a}
	if e.NodeName != nil {
		d.node = one(*e.NodeName)
	}
	if e.Zone != nil {
		d.zone = one(*e.Zone)
	}
	if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
		d.pod, d.uid = strings.Clone(e.TargetRef.Name), string(e.TargetRef.UID)
	}
	return d
}
