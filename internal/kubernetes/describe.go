package kubernetes

import (
	"net/netip"
	"slices"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// describe describes a pod and one of its containers; nil: it is not known which.
func (s *store) describe(p *pod, c *container) conn.Peer {
	d := conn.Peer{
		names.PeerType:             names.TypePod,
		names.PeerName:             p.name,
		names.PeerProxy:            p.proxy,
		names.PeerNamespace:        p.key.namespace,
		names.PeerWorkload:         p.workload,
		names.PeerWorkloadKind:     p.kind,
		names.PeerPod:              p.key.name,
		names.PeerNode:             p.node,
		names.PeerService:          p.service,
		names.PeerServiceNamespace: p.serviceSpace,
	}
	if c != nil {
		d[names.PeerContainerName], d[names.PeerImageTag], d[names.PeerProxy] = c.name, c.tag, c.proxy
	}
	s.place(&d)
	return d
}

// place fills in where the node of a peer is.
func (s *store) place(p *conn.Peer) {
	if p[names.PeerNode] == "" {
		return
	}
	if p[names.PeerNode] == s.config.Node {
		p[names.PeerScope] = names.ScopeNode
	} else if s.config.Node != "" {
		p[names.PeerScope] = names.ScopeRemote
	}
	if n := s.nodes.named(p[names.PeerNode]); n != nil {
		p[names.PeerZone], p[names.PeerRegion] = n.zone, n.region
	}
}

// placeEndpoint fills in where an endpoint is. Its slice has the zone of a node that is not known.
func (s *store) placeEndpoint(d *conn.Peer, e *endpoint) {
	s.place(d)
	if d[names.PeerZone] == "" {
		d[names.PeerZone] = e.zone
	}
}

// peer describes a service at which a connection was aimed, when it is not known which endpoint answered.
func (v *service) peer() conn.Peer {
	return conn.Peer{
		names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: v.key.name,
		names.PeerNamespace: v.key.namespace,
	}
}

// entered describes an address that a user entered as an endpoint. It has no name if it was entered for several
// services.
func (s *store) entered(a netip.Addr) conn.Peer {
	first := s.slices.byAddress.newest(a)
	d := conn.Peer{
		names.PeerType: names.TypeService, names.PeerName: first.slice.service,
		names.PeerNamespace: first.slice.key.namespace, names.PeerNode: first.node,
	}
	for e := range s.slices.byAddress.all(a) {
		if e.slice.service != first.slice.service || e.slice.key.namespace != first.slice.key.namespace {
			d[names.PeerName], d[names.PeerNamespace] = "", ""
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
func (p *pod) reached(at port) *container {
	if p.meshed {
		return nil
	}
	if c := p.onlyContainer(func(c *container) bool { return c.runs }); c != nil {
		return c
	}
	return p.onlyContainer(func(c *container) bool { return slices.Contains(c.ports, at) })
}

// exposedAt returns the container that listens on a port of the pod's node, or nil if several may.
func (p *pod) exposedAt(at port) *container {
	i := slices.IndexFunc(p.hostPorts, func(e exposed) bool { return e.port == at })
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
