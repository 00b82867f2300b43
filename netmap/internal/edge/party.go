package edge

import "github.com/netconn/netconn/internal/names"

// party are the tags by which two reports of one edge agree on an end, at the level of workloads.
var party = [...]names.Tag{names.TagType, names.TagNamespace, names.TagName, names.TagContainer}

// Parties returns the two ends of a link at the level of workloads: what both ends' reports agree on, and no more. It
// names pods by their workload. A program of a node is known to another node only as that node, and to a workload's
// edges one node is as good as another: an end without a container that a peer elsewhere reports too is of type node,
// and has no name. Within a pod, the containers tell the ends apart.
func (l *Link) Parties(local, peer *End) (own, other End) {
	other = peer.party(peer.Get(names.TagType) == names.TypeNode && l.Scope == ScopeRemote)
	own = local.party(l.Scope == ScopeRemote && local.Has(names.TagNode) && peer.PeerIdentity() != Identity{})
	if l.Scope.InPod() {
		own[names.TagContainer], other[names.TagContainer] = local[names.TagContainer], peer[names.TagContainer]
	}
	return own, other
}

// party returns an end at the level of workloads. Of a program it is the node, if asNode says so.
func (e *End) party(asNode bool) (p End) {
	program := e.programIdentity()
	switch {
	case e.Has(names.TagWorkload):
		p.set(names.TagType, names.TypePod)
		p[names.TagNamespace], p[names.TagName] = e[names.TagNamespace], e[names.TagWorkload]
	case asNode:
		p.set(names.TagType, names.TypeNode)
	case program != Identity{}:
		p[names.TagType], p[names.TagName] = e[names.TagType], program.name
	default:
		p[names.TagType], p[names.TagName] = e[names.TagType], e[names.TagName]
		if e.Has(names.TagDomain) {
			p[names.TagName] = e[names.TagDomain]
		}
	}
	return p
}

// Before reports whether an end comes before another one, in an order that both ends' reports agree on.
func (e *End) Before(other *End) bool {
	for _, t := range party {
		if e[t] != other[t] {
			return e.Get(t) < other.Get(t)
		}
	}
	return false
}
