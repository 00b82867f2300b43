package store

import "github.com/netconn/netconn/netmap/internal/edge"

// A registry knows the ends that report themselves, to tell which of them a peer is.
type registry struct {
	topology uint64
	at       int64 // Unix seconds

	containers map[edge.Value]*edge.End
	pods       map[podKey]*edge.End
	places     map[placeKey]*edge.End // nil: there are several
	resolved   map[peerKey]*edge.End
}

type podKey struct{ namespace, pod, container edge.Value }

// A placeKey is an identity on a host, or in a pod by its uid.
type placeKey struct {
	place    edge.Value
	identity edge.Identity
}

type peerKey struct {
	local, peer *edge.End
	scope       edge.Scope
}

// present is how long ago an end may have reported to be taken for a peer, seconds.
const present = 300

// registry returns what is known now.
func (s *Store) registry(now int64) *registry {
	if s.known.resolved != nil && s.known.topology == s.topology && now < s.known.at+CoarseStep {
		return &s.known
	}
	g := registry{
		topology: s.topology, at: now,
		containers: make(map[edge.Value]*edge.End),
		pods:       make(map[podKey]*edge.End),
		places:     make(map[placeKey]*edge.End),
		resolved:   make(map[peerKey]*edge.End),
	}
	entered := make(map[*edge.End]bool)
	for i := range s.reports {
		if r := &s.reports[i]; r.local != nil && r.seen >= now-present && !entered[r.local] {
			entered[r.local] = true
			g.enter(s.intern(r.local.Entity()))
		}
	}
	s.known = g
	return &s.known
}

func (g *registry) enter(e *edge.End) {
	if id := e[edge.ContainerID]; e.Has(edge.ContainerID) {
		g.containers[id] = better(g.containers[id], e)
	}
	if e.Has(edge.Pod) && e.Has(edge.Container) {
		key := podKey{e[edge.Namespace], e[edge.Pod], e[edge.Container]}
		g.pods[key] = better(g.pods[key], e)
	}
	for _, i := range e.Identities() {
		for _, place := range [...]edge.Value{hostID(e), e[edge.PodUID]} {
			if place != (edge.Value{}) {
				g.settle(placeKey{place, i}, e)
			}
		}
	}
}

// settle notes who has an identity at a place, or that several have.
func (g *registry) settle(key placeKey, e *edge.End) {
	switch held, met := g.places[key]; {
	case !met:
		g.places[key] = e
	case held == nil || !same(held, e):
		g.places[key] = nil
	default:
		g.places[key] = better(held, e)
	}
}

// same tells whether two views are of one end: a container is first seen without what a processor adds to it later.
func same(a, b *edge.End) bool {
	if a.Has(edge.ContainerID) {
		return a[edge.ContainerID] == b[edge.ContainerID]
	}
	return a == b
}

// better returns the view that tells more.
func better(a, b *edge.End) *edge.End {
	if a == nil || tags(b) > tags(a) {
		return b
	}
	return a
}

func tags(e *edge.End) int {
	n := 0
	for t := range edge.Tags {
		if e.Has(t) {
			n++
		}
	}
	return n
}

// hostID is what tells hosts apart.
func hostID(e *edge.End) edge.Value {
	for _, t := range [...]edge.Tag{edge.HostID, edge.Host, edge.Node} {
		if e.Has(t) {
			return e[t]
		}
	}
	return edge.Value{}
}

// resolve returns all that is certain of a peer.
func (s *Store) resolve(g *registry, local, peer *edge.End, scope edge.Scope) *edge.End {
	key := peerKey{local, peer, scope}
	if scope == edge.ScopeRemote || scope == edge.ScopeUnknown {
		key.local = nil // nothing of it is used
	}
	if e := g.resolved[key]; e != nil {
		return e
	}
	near := peer.Near(local, scope)
	if self := g.find(local, peer, scope); self != nil {
		near = near.With(self)
	}
	e := s.intern(near)
	g.resolved[key] = e
	return e
}

// find returns the end that a peer is, nil if it is not certain.
func (g *registry) find(local, peer *edge.End, scope edge.Scope) *edge.End {
	if peer.Has(edge.ContainerID) {
		return g.containers[peer[edge.ContainerID]]
	}
	if peer.Has(edge.Pod) && peer.Has(edge.Container) && peer.Has(edge.Namespace) {
		return g.pods[podKey{peer[edge.Namespace], peer[edge.Pod], peer[edge.Container]}]
	}
	seen := peer.Seen()
	switch {
	case seen == (edge.Identity{}):
	case scope == edge.ScopePod && local.Has(edge.PodUID):
		return g.places[placeKey{local[edge.PodUID], seen}]
	case scope == edge.ScopeNode && hostID(local) != (edge.Value{}):
		return g.places[placeKey{hostID(local), seen}]
	}
	return nil
}
