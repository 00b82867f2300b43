package kubernetes

import (
	"net/netip"
	"slices"

	"github.com/netconn/netconn/internal/conn"
)

// Container describes the container with an id, which is without the runtime's name.
func (s *Store) Container(id string) (conn.Peer, Answer) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.containers[id]
	if !ok {
		return s.answered(conn.Peer{}, Unknown)
	}
	p := s.describe(c.pod, &c.pod.containers[c.index])
	p.ContainerID = id
	return s.answered(p, Final)
}

// Pod describes the pod with an uid, and none of its containers.
func (s *Store) Pod(uid string) (conn.Peer, Answer) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.uids[uid]
	if p == nil {
		return s.answered(conn.Peer{}, Unknown)
	}
	return s.answered(s.describe(p, nil), Final)
}

// Address describes who had an address: a pod, a service, a node (or a pod in its network that alone listens on the port), or what
// a service was told to lead to.
func (s *Store) Address(q Question) (conn.Peer, Answer) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	q.Address = q.Address.Unmap().WithZone("")
	h, ambiguous := s.holderAt(q.Address, q.At)
	switch {
	case ambiguous:
		s.stats.ambiguous.Add(1)
		return conn.Peer{}, Unknown
	case h != nil:
		return s.answered(s.asHeard(h.pod.source(), q, s.describe(h.pod, h.pod.reached(q.Port)), h.answer(q.At, q.Now)))
	}
	for _, look := range []func(Question) (conn.Peer, Answer){s.service, s.node, s.endpoint} {
		if p, a := look(q); a != Unknown {
			return s.answered(s.asHeard(kindPods, q, p, a))
		}
	}
	return s.answered(conn.Peer{}, Unknown)
}

// Service returns the name of the service that an address and a port lead to, with its namespace: reviews.default. Empty: none.
func (s *Store) Service(to netip.AddrPort) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := to.Addr().Unmap().WithZone("")
	v := s.serviceAt(a, to.Port())
	if v == nil && s.nodeAddresses[a] != nil {
		v = s.nodePorts[to.Port()]
	}
	if v == nil {
		return ""
	}
	return v.full
}

// Here returns the zone and the region of the node that this runs on; empty: not known.
func (s *Store) Here() (zone, region string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n := s.nodes[s.config.Node]; n != nil {
		return n.zone, n.region
	}
	return "", ""
}

// describe says who a pod is. Container is nil if it is not known which.
func (s *Store) describe(p *pod, c *container) conn.Peer {
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

// place fills in where a node is.
func (s *Store) place(p *conn.Peer) {
	if p.Node == "" {
		return
	}
	if p.Node == s.config.Node {
		p.Scope = conn.ScopeNode
	} else if s.config.Node != "" {
		p.Scope = conn.ScopeRemote
	}
	if n := s.nodes[p.Node]; n != nil {
		p.Zone, p.Region = n.zone, n.region
	}
}

// reached returns the container that is reached at the pod's address, or nil where that is not certain: of a pod with a proxy in
// front it may be either.
func (p *pod) reached(port uint16) *container {
	if p.meshed {
		return nil
	}
	if c := p.alone(func(c container) bool { return c.runs }); c != nil {
		return c
	}
	return p.alone(func(c container) bool { return slices.Contains(c.ports, port) })
}

// exposedAt returns the container that is reached at a port of the pod's node, or nil where that is not certain.
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

// alone returns the only container that matches, or nil.
func (p *pod) alone(match func(container) bool) *container {
	i := slices.IndexFunc(p.containers, match)
	if i < 0 || slices.ContainsFunc(p.containers[i+1:], match) {
		return nil
	}
	return &p.containers[i]
}

func (s *Store) service(q Question) (conn.Peer, Answer) {
	v := s.serviceAt(q.Address, q.Port)
	if v == nil {
		return conn.Peer{}, Unknown
	}
	return v.peer(), Final
}

// peer describes a service to which somebody connected and of which it is not known who answered.
func (v *service) peer() conn.Peer {
	return conn.Peer{Type: conn.PeerService, Scope: conn.ScopeUnknown, Name: v.key.name, Namespace: v.key.namespace}
}

// serviceAt returns the service that has an address: the only one, or of several, as those of a load balancer, the one with the port.
func (s *Store) serviceAt(a netip.Addr, port uint16) *service {
	list := s.addresses[a]
	var found *service
	for _, v := range list {
		if !slices.Contains(v.ports, port) && (len(list) > 1 || s.nodeAddresses[a] != nil) {
			continue
		}
		if found != nil {
			return nil
		}
		found = v
	}
	return found
}

// node describes a node, or whoever answers at a port of it: a pod in its network, or a service.
func (s *Store) node(q Question) (conn.Peer, Answer) {
	n := s.nodeAddresses[q.Address]
	if n == nil {
		return conn.Peer{}, Unknown
	}
	if q.Port != 0 {
		if pods := s.hostPorts[hostPort{n.key.name, q.Port}]; len(pods) == 1 && !q.At.Before(pods[0].began) {
			p := pods[0]
			return s.describe(p, p.exposedAt(q.Port)), Final
		}
		if v := s.nodePorts[q.Port]; v != nil {
			return v.peer(), Final
		}
	}
	p := conn.Peer{Type: conn.PeerNode, Node: n.key.name}
	s.place(&p)
	return p, Final
}

// endpoint describes what a service leads to: a pod of another node, which is asked for, or an address that was entered by hand. A slice
// has pods in the network of their node at the node's address, where others listen too.
func (s *Store) endpoint(q Question) (conn.Peer, Answer) {
	list := s.endpoints[q.Address]
	if len(list) == 0 {
		return conn.Peer{}, Unknown
	}
	e, pods := list[0], false
	for _, other := range list {
		if other.pod != "" {
			pods = true
			s.wanted.pod(request{other.uid, key{other.of.key.namespace, other.pod}, q.Address})
		}
	}
	if !pods {
		return s.entered(list), Final
	}
	d := conn.Peer{Type: conn.PeerPod, Namespace: e.of.key.namespace, Pod: e.pod, Node: e.node}
	reached := false
	for _, other := range list {
		switch {
		case other.uid != e.uid:
			return conn.Peer{}, Unknown
		case !slices.Contains(other.of.ports, q.Port):
		case !reached:
			d.Name, reached = other.of.service, true
		case d.Name != other.of.service: // of several services none is the one that was meant
			d.Name = ""
		}
	}
	if !reached {
		return conn.Peer{}, Unknown
	}
	s.placeEndpoint(&d, e)
	return d, Provisional
}

// entered describes an address that was entered by hand, for one service or for several, of which none is the one that was meant.
func (s *Store) entered(list []served) conn.Peer {
	e := list[0]
	d := conn.Peer{Type: conn.PeerService, Name: e.of.service, Namespace: e.of.key.namespace, Node: e.node}
	for _, other := range list[1:] {
		if other.of.service != e.of.service || other.of.key.namespace != e.of.key.namespace {
			d.Name, d.Namespace = "", ""
		}
	}
	s.placeEndpoint(&d, e)
	return d
}

// placeEndpoint fills in where an endpoint is; of a node that is not known, the slice tells the zone.
func (s *Store) placeEndpoint(d *conn.Peer, e served) {
	s.place(d)
	if d.Zone == "" {
		d.Zone = e.zone
	}
}
