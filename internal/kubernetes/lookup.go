package kubernetes

import (
	"net/netip"
	"slices"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// Container describes the container with an id, without the prefix of the runtime.
func (s *store) Container(id string) (conn.Peer, conn.Answer) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.pods.byContainer.newest(id)
	if p == nil {
		return s.count(conn.Peer{}, conn.Unknown)
	}
	d := s.describe(p, p.withID(id))
	d[names.PeerContainerID] = id
	return s.count(d, conn.Final)
}

// Pod describes the pod with a uid, and none of its containers.
func (s *store) Pod(uid string) (conn.Peer, conn.Answer) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.pods.byUID.newest(uid)
	if p == nil {
		return s.count(conn.Peer{}, conn.Unknown)
	}
	return s.count(s.describe(p, nil), conn.Final)
}

// Address describes who had an address: a pod, a service, a node (or the only pod in the node's network that listens on
// the port), or an endpoint of a service.
func (s *store) Address(q conn.Query) (conn.Peer, conn.Answer) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	q.Address = q.Address.Unmap().WithZone("")
	h, ambiguous := s.pods.assignedAt(q.Address, q.At)
	switch {
	case ambiguous:
		s.stats.ambiguous.Add(1)
		return conn.Peer{}, conn.Unknown
	case h != nil:
		answer := h.answer(q.At, q.Now, s.config.Patience)
		return s.count(s.afterOutage(h.pod.source(), q, s.describe(h.pod, h.pod.reached(portOf(q))), answer))
	}
	for _, look := range []func(conn.Query) (conn.Peer, conn.Answer){s.service, s.node, s.endpoint} {
		if p, a := look(q); a != conn.Unknown {
			return s.count(s.afterOutage(kindPods, q, p, a))
		}
	}
	return s.count(conn.Peer{}, conn.Unknown)
}

// Service returns the name of the service at an address and a port, with its namespace: reviews.default. Empty: none.
func (s *store) Service(protocol conn.Protocol, to netip.AddrPort) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := to.Addr().Unmap().WithZone("")
	at := portOf(conn.Query{Protocol: protocol, Port: to.Port()})
	v := s.serviceAt(a, at)
	if v == nil && s.nodes.byAddress.newest(a) != nil {
		v = s.services.byNodePort.newest(at)
	}
	if v == nil {
		return ""
	}
	return v.qualifiedName
}

// zone returns the zone and the region of the node that this runs on. Empty: not known.
func (s *store) zone() (zone, region string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n := s.nodes.named(s.config.Node); n != nil {
		return n.zone, n.region
	}
	return "", ""
}

func (s *store) service(q conn.Query) (conn.Peer, conn.Answer) {
	v := s.serviceAt(q.Address, portOf(q))
	if v == nil {
		return conn.Peer{}, conn.Unknown
	}
	return v.peer(), conn.Final
}

// serviceAt returns the service that has an address. Several services can have one, as those of a load balancer do;
// then it is the service with the port.
func (s *store) serviceAt(a netip.Addr, at port) *service {
	only := s.services.byAddress.only(a)
	if only != nil && s.nodes.byAddress.newest(a) == nil {
		return only
	}
	var found *service
	for v := range s.services.byAddress.all(a) {
		if !slices.Contains(v.ports, at) {
			continue
		}
		if found != nil {
			return nil
		}
		found = v
	}
	return found
}

// node describes a node, or what listens on a port of it: a pod in its network, or a service.
func (s *store) node(q conn.Query) (conn.Peer, conn.Answer) {
	n := s.nodes.byAddress.newest(q.Address)
	if n == nil {
		return conn.Peer{}, conn.Unknown
	}
	if at := portOf(q); at != noPort {
		if p := s.pods.byHostPort.only(hostPort{n.key.name, at}); p != nil && !q.At.Before(p.began) {
			return s.describe(p, p.exposedAt(at)), conn.Final
		}
		if v := s.services.byNodePort.newest(at); v != nil {
			return v.peer(), conn.Final
		}
	}
	p := conn.Peer{names.PeerType: names.TypeNode, names.PeerNode: n.key.name}
	s.place(&p)
	return p, conn.Final
}

// endpoint describes an endpoint of a service: a pod of another node, which it requests, or an address that a user
// entered. A slice lists a pod in the network of its node at the node's address, where other programs listen, too. So
// only a port of the service is a port of the pod.
func (s *store) endpoint(q conn.Query) (conn.Peer, conn.Answer) {
	first := s.slices.byAddress.newest(q.Address)
	if first == nil {
		return conn.Peer{}, conn.Unknown
	}
	if !s.requestPods(q.Address) {
		return s.entered(q.Address), conn.Final
	}
	d := conn.Peer{
		names.PeerType: names.TypePod, names.PeerNamespace: first.slice.key.namespace, names.PeerPod: first.pod,
		names.PeerNode: first.node,
	}
	reached := false
	for e := range s.slices.byAddress.all(q.Address) {
		switch {
		case e.uid != first.uid:
			return conn.Peer{}, conn.Unknown
		case !slices.Contains(e.slice.ports, portOf(q)):
		case !reached:
			d[names.PeerName], reached = e.slice.service, true
		// the pod is behind several services, and which one was meant is not known
		case d[names.PeerName] != e.slice.service:
			d[names.PeerName] = ""
		}
	}
	if !reached {
		return conn.Peer{}, conn.Unknown
	}
	s.placeEndpoint(&d, first)
	return d, conn.Provisional
}

// requestPods requests the pods that slices have at an address, and reports whether there is one.
func (s *store) requestPods(a netip.Addr) (pods bool) {
	for e := range s.slices.byAddress.all(a) {
		if e.pod != "" {
			pods = true
			s.fetches.request(request{e.uid, key{e.slice.key.namespace, e.pod}, a})
		}
	}
	return pods
}
