package match

import (
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// present is how long ago an end may have reported to be taken for a peer, in seconds.
const present = 300

// Peers knows the ends that report themselves, and so which of them a peer is.
type Peers struct {
	intern func(edge.End) *edge.End

	containers map[edge.Value]*edge.End
	pods       map[podKey]*edge.End
	places     map[placeKey]*edge.End // nil: several ends have this identity
	resolved   map[peerKey]*edge.End
	proxies    proxies
	corrected  map[*edge.End]*edge.End // ends that look like sidecars, with the purpose that peers report
}

type podKey struct{ namespace, pod, container edge.Value }

// A placeKey is an identity on a host, or in a pod.
type placeKey struct {
	place    edge.Value
	identity edge.Identity
}

type peerKey struct {
	local, peer *edge.End
	scope       edge.Scope
}

// NewPeers returns the ends of the reports that were received lately. intern returns one pointer for equal ends.
func NewPeers(reports []Report, now int64, intern func(edge.End) *edge.End) *Peers {
	p := &Peers{
		intern:     intern,
		containers: make(map[edge.Value]*edge.End),
		pods:       make(map[podKey]*edge.End),
		places:     make(map[placeKey]*edge.End),
		resolved:   make(map[peerKey]*edge.End),
		proxies:    newProxies(reports, now-present),
		corrected:  make(map[*edge.End]*edge.End),
	}
	entered := make(map[*edge.End]bool)
	for i := range reports {
		if r := &reports[i]; r.Local != nil && r.Seen >= now-present && !entered[r.Local] {
			entered[r.Local] = true
			p.enter(intern(r.Local.WithoutAddress()))
		}
	}
	return p
}

func (p *Peers) enter(e *edge.End) {
	if e.Has(names.TagContainerID) {
		id := e[names.TagContainerID]
		p.containers[id] = richer(p.containers[id], e)
	}
	if e.Has(names.TagPod) && e.Has(names.TagContainer) {
		key := podKeyOf(e)
		p.pods[key] = richer(p.pods[key], e)
	}
	for _, i := range e.Identities() {
		for _, place := range [...]edge.Value{e.HostKey(), e[names.TagPodUID]} {
			if place != (edge.Value{}) {
				p.enterPlace(placeKey{place, i}, e)
			}
		}
	}
}

func podKeyOf(e *edge.End) podKey {
	return podKey{e[names.TagNamespace], e[names.TagPod], e[names.TagContainer]}
}

// enterPlace notes which end has an identity at a place, or that several have it.
func (p *Peers) enterPlace(key placeKey, e *edge.End) {
	switch held, ok := p.places[key]; {
	case !ok:
		p.places[key] = e
	case held == nil || !same(held, e):
		p.places[key] = nil
	default:
		p.places[key] = richer(held, e)
	}
}

// same reports whether two descriptions are of one end. A container first describes itself without the attributes that
// a processor adds to it later.
func same(a, b *edge.End) bool {
	if a.Has(names.TagContainerID) {
		return a[names.TagContainerID] == b[names.TagContainerID]
	}
	return a == b
}

// richer returns the description with more tags.
func richer(a, b *edge.End) *edge.End {
	if a == nil || count(b) > count(a) {
		return b
	}
	return a
}

func count(e *edge.End) int {
	n := 0
	for t := range names.Tags {
		if e.Has(t) {
			n++
		}
	}
	return n
}

// Len returns the number of entries, by which the memory in use can be estimated.
func (p *Peers) Len() int {
	return len(p.containers) + len(p.pods) + len(p.places) + len(p.resolved) + len(p.corrected)
}

// Resolve returns all that is certain about a peer.
func (p *Peers) Resolve(local, peer *edge.End, scope edge.Scope) *edge.End {
	key := peerKey{local, peer, scope}
	if !scope.Local() {
		key.local = nil // a peer elsewhere does not depend on it
	}
	if e := p.resolved[key]; e != nil {
		return e
	}
	described := peer.AtPlace(local, scope)
	if self := p.find(local, peer, scope); self != nil {
		described = described.DescribedBy(self)
	}
	e := p.Correct(p.intern(described))
	p.resolved[key] = e
	return e
}

// Correct returns an end with the purpose that others report of it, if it only looks like a sidecar.
func (p *Peers) Correct(e *edge.End) *edge.End {
	purpose := p.proxies.of(e)
	if purpose == unknown {
		return e
	}
	c := p.corrected[e]
	if c == nil {
		described := *e
		described[names.TagProxy] = purpose
		c = p.intern(described)
		p.corrected[e] = c
	}
	return c
}

// find returns the end that a peer is, or nil if that is not certain.
func (p *Peers) find(local, peer *edge.End, scope edge.Scope) *edge.End {
	if peer.Has(names.TagContainerID) {
		return p.containers[peer[names.TagContainerID]]
	}
	if peer.Has(names.TagPod) && peer.Has(names.TagContainer) && peer.Has(names.TagNamespace) {
		return p.pods[podKeyOf(peer)]
	}
	identity := peer.PeerIdentity()
	switch {
	case identity == (edge.Identity{}):
	case scope == edge.ScopePod && local.Has(names.TagPodUID):
		return p.places[placeKey{local[names.TagPodUID], identity}]
	case scope == edge.ScopeNode && local.HostKey() != (edge.Value{}):
		return p.places[placeKey{local.HostKey(), identity}]
	}
	return nil
}
