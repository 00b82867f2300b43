package edge

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/names"
)

// Key stands for an edge. Both ends can compute it from what they report.
type Key struct {
	Hash    uint64
	Primary bool // the report counts, if both ends report the edge
}

// Identity is a name by which other ends may know an end. Comparable; the zero Identity is none.
type Identity struct {
	by        naming
	namespace Value
	name      Value
	container Value
}

// naming is what the name of an identity is a name of.
type naming uint8

const (
	byWorkload naming = iota
	byProgram         // means something only together with a place
	byNode            // of the other end, only its node is known
	unowned           // no name: all sockets of a host without an owner are one end
)

// Identities returns all names by which other ends may know an end that reports itself, the most exact first.
func (e *End) Identities() []Identity {
	workloads := e.workloadNames()
	all := make([]Identity, 0, 2*len(workloads)+2) // a program and, in Keys, a node
	if e.Has(names.TagContainer) {
		for _, name := range workloads {
			all = append(all, Identity{namespace: e[names.TagNamespace], name: name, container: e[names.TagContainer]})
		}
	}
	for _, name := range workloads {
		all = append(all, Identity{namespace: e[names.TagNamespace], name: name})
	}
	switch program := e.programIdentity(); {
	case program != Identity{}:
		all = append(all, program)
	case len(workloads) == 0 && !e.Has(names.TagPodUID) && !e.Has(names.TagContainerID):
		all = append(all, Identity{by: unowned})
	}
	return all
}

// workloadNames returns the names that other ends may give to the workload. Several are possible if no owner of the pod
// is known: the observer of the peer may know a controller that the processor of the resource does not.
func (e *End) workloadNames() []Value {
	if !e.Has(names.TagWorkload) {
		return nil
	}
	all := []Value{e[names.TagWorkload]}
	if e.Has(names.TagWorkloadKind) || !e.Has(names.TagPod) {
		return all
	}
	pod := e.Get(names.TagPod)
	for _, name := range [...]Value{
		e[names.TagPod], e[names.TagService], Text(staticPod(pod, e.Get(names.TagNode))), Text(controllerOf(pod)),
	} {
		if name != (Value{}) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// programIdentity returns the identity by the program: the executable, else the unit.
func (e *End) programIdentity() Identity {
	name := e[names.TagExecutable]
	if name == (Value{}) {
		name = e[names.TagUnit]
	}
	if name == (Value{}) {
		return Identity{}
	}
	// A program in a container is not the program of that name outside.
	where := "contained"
	if e.Get(names.TagType) == names.TypeHost {
		where = "host"
	}
	return Identity{by: byProgram, name: name, container: Text(where)}
}

// nodeIdentity returns the identity by the node: a remote observer cannot know which of the processes in the node's
// network it is.
func (e *End) nodeIdentity() Identity { return Identity{by: byNode, name: e[names.TagNode]} }

// PeerIdentity returns the name by which a peer is known; none if only an address or a network is known.
func (e *End) PeerIdentity() Identity {
	if e.Has(names.TagWorkload) {
		return Identity{namespace: e[names.TagNamespace], name: e[names.TagWorkload], container: e[names.TagContainer]}
	}
	switch e.Get(names.TagType) {
	case names.TypePod, names.TypeContainer, names.TypeHost:
		return e.programIdentity()
	case names.TypeUnknown:
		if !e.Has(names.TagName) { // a name is that of the network of a socket that was not found
			return Identity{by: unowned}
		}
	case names.TypeNode:
		if e.Has(names.TagNode) {
			return e.nodeIdentity()
		}
	}
	return Identity{}
}

// Keys returns the keys of the edge that a report is about, in the order of the local end's identities. Without a key
// the other end's report cannot be found.
func (l *Link) Keys(local, peer *End, seed maphash.Seed) []Key {
	other := peer.PeerIdentity()
	if other == (Identity{}) || other.by == byNode && l.Scope != ScopeRemote || l.Scope == ScopeUnknown {
		return nil
	}
	place := l.place(local)
	if l.Scope.Local() && place == (Value{}) {
		return nil
	}
	selves := local.Identities()
	if l.Scope == ScopeRemote && local.Has(names.TagNode) {
		selves = append(selves, local.nodeIdentity())
	}
	var keys []Key
	for _, self := range selves {
		if l.Scope == ScopeRemote && (self.needsPlace() || other.needsPlace()) {
			continue
		}
		if key, ok := l.key(self, other, place, seed); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

func (l *Link) key(self, other Identity, place Value, seed maphash.Seed) (Key, bool) {
	client, server, primary := self, other, true
	switch l.Role {
	case Server:
		client, server, primary = other, self, false
	case Unknown:
		if self == other {
			return Key{}, false
		}
		if other.compare(self) < 0 {
			client, server, primary = other, self, false
		}
	}
	return Key{Primary: primary, Hash: maphash.Comparable(seed, struct {
		client, server   written
		place, transport string
		port             uint16
		scope            Scope
		known, lookups   bool
	}{
		client.written(), server.written(), place.String(), l.Transport.String(), l.Port, l.Scope, l.Role != Unknown,
		l.Lookups,
	})}, true
}

// written is an Identity by its text. A Value is a pointer: if nothing keeps it, the same text is another one after a
// garbage collection, and has another hash.
type written struct {
	by                         naming
	namespace, name, container string
}

func (i Identity) written() written {
	return written{i.by, i.namespace.String(), i.name.String(), i.container.String()}
}

// needsPlace reports whether the identity means nothing on another host.
func (i Identity) needsPlace() bool { return i.by == byProgram || i.by == unowned }

func (i Identity) compare(other Identity) int {
	return cmp.Or(
		cmp.Compare(i.by, other.by),
		strings.Compare(i.namespace.String(), other.namespace.String()),
		strings.Compare(i.name.String(), other.name.String()),
		strings.Compare(i.container.String(), other.container.String()),
	)
}

// place returns the value that identifies the place where both ends are.
func (l *Link) place(local *End) Value {
	switch {
	case l.Scope == ScopeRemote:
		return Value{}
	case l.Scope == ScopeContainer && local.Has(names.TagContainerID):
		return local[names.TagContainerID]
	case l.Scope == ScopePod && local.Has(names.TagPodUID):
		return local[names.TagPodUID]
	}
	return local.HostKey()
}
