package kubernetes

import (
	"net/netip"
	"slices"

	"github.com/netconn/netconn/internal/conn"
)

// describe describes a pod and one of its containers; nil: it is not known which.
func (s *store) describe(p *pod, c *container) conn.Peer {
	d := conn.Peer{
		Type:             conn.PeerPod,
		Name:             p.name,
		Proxy:            p.proxy,
		Namespace:        p.key.namespace,
		Workload:         p.workload,
		WorkloadKind:     p.kind,
		Pod:              p.key.name,
		Node:             p.node,
		Service:          p.service,
		ServiceNamespace: p.serviceSpace,
	}
	if c != nil {
		d.ContainerName, d.ImageTag, d.Proxy = c.name, c.tag, c.proxy
	}
	s.place(&d)
	return d
}

// place fills in where the node of a peer is.
func (s *store) place(p *conn.Peer) {
	if p.Node == "" {
		return
	}
	if p.Node == s.config.Node {
		p.Scope = conn.ScopeNode
	} else if s.config.Node != "" {
		p.Scope = conn.ScopeRemote
	}
	if n := s.nodes.named(p.Node); n != nil {
		p.Zone, p.Region = n.zone, n.region
	}
}

// placeEndpoint fills in where an endpoint is. Its slice has the zone of a node that is not known.
func (s *store) placeEndpoint(d *conn.Peer, e *endpoint) {
	s.place(d)
	if d.Zone == "" {
		d.Zone = e.zone
	}
}

// peer describes a service at which a connection was aimed, when it is not known which endpoint answered.
func (v *service) peer() conn.Peer {
	return conn.Peer{Type: conn.PeerService, Scope: conn.ScopeUnknown, Name: v.key.name, Namespace: v.key.namespace}
}

// entered describes an address that a user entered as an endpoint. It has no name if it was entered for several
// services.
func (s *store) entered(a netip.Addr) conn.Peer {
	first := s.slices.byAddress.newest(a)
	d := conn.Peer{
		Type: conn.PeerService, Name: first.slice.service, Namespace: first.slice.key.namespace, Node: first.node,
	}
	for e := range s.slices.byAddress.all(a) {
		if e.slice.service != first.slice.service || e.slice.key.namespace != first.slice.key.namespace {
			d.Name, d.Namespace = "", ""
		}
	}
	s.placeEndpoint(&d, first)
	return d
}

// withID returns the container with an id.
func (p *pod) withID(id string) *container {
	for i := range p.containers {
		if slices.Contains(p.containers[i].ids, id) {
			return &p.containers[i]
		}
	}
	return nil
}

// reached returns the container that listens on a port of the pod's address, or nil if several may: in a pod with a
// sidecar, the sidecar can take any connection.
func (p *pod) reached(port uint16) *container {
	if p.meshed {
		return nil
	}
	if c := p.onlyContainer(func(c *container) bool { return c.runs }); c != nil {
		return c
	}
	return p.onlyContainer(func(c *container) bool { return slices.Contains(c.ports, port) })
}

// exposedAt returns the container that listens on a port of the pod's node, or nil if several may.
func (p *pod) exposedAt(port uint16) *container {
	i := slices.IndexFunc(p.hostPorts, func(e exposed) bool { return e.port == port })
	if i < 0 || p.meshed {
		return nil
	}
	if n := p.hostPorts[i].container; n >= 0 && n < len(p.containers) {
		return &p.containers[n]
	}
	return nil
}

// onlyContainer returns the container that matches, if exactly one does.
func (p *pod) onlyContainer(match func(*container) bool) (found *container) {
	for i := range p.containers {
		if !match(&p.containers[i]) {
			continue
		}
		if found != nil {
			return nil
		}
		found = &p.containers[i]
	}
	return found
}
