package edge

import (
	"cmp"
	"hash/maphash"
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
	atPlace   bool // means something only together with a place
	namespace Value
	name      Value
	container Value
}

// Identities returns all names by which other ends may know an end that reports itself, the most exact first.
func (e *End) Identities() []Identity {
	var all []Identity
	if e.Has(names.TagWorkload) {
		whole := Identity{namespace: e[names.TagNamespace], name: e[names.TagWorkload]}
		if e.Has(names.TagContainer) {
			part := whole
			part.container = e[names.TagContainer]
			all = append(all, part)
		}
		all = append(all, whole)
	}
	if program := e.programIdentity(); program != (Identity{}) {
		all = append(all, program)
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
	return Identity{atPlace: true, name: name, container: Text(where)}
}

// PeerIdentity returns the name by which a peer is known; none if only an address or a network is known.
func (e *End) PeerIdentity() Identity {
	if e.Has(names.TagWorkload) {
		return Identity{namespace: e[names.TagNamespace], name: e[names.TagWorkload], container: e[names.TagContainer]}
	}
	switch e.Get(names.TagType) {
	case names.TypePod, names.TypeContainer, names.TypeHost:
		return e.programIdentity()
	}
	return Identity{}
}

// Keys returns the keys of the edge that a report is about, in the order of the local end's identities. Without a key
// the other end's report cannot be found.
func (l *Link) Keys(local, peer *End, seed maphash.Seed) []Key {
	other := peer.PeerIdentity()
	if other == (Identity{}) || l.Scope == ScopeUnknown {
		return nil
	}
	place := l.place(local)
	if l.Scope.Local() && place == (Value{}) {
		return nil
	}
	var keys []Key
	for _, self := range local.Identities() {
		if l.Scope == ScopeRemote && (self.atPlace || other.atPlace) {
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
		client, server   Identity
		place, transport Value
		port             uint16
		scope            Scope
		known            bool
	}{client, server, place, l.Transport, l.Port, l.Scope, l.Role != Unknown})}, true
}

func (i Identity) compare(other Identity) int {
	return cmp.Or(
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
