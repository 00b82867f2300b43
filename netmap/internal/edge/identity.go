package edge

import "hash/maphash"

// Key stands for an edge, as either of its ends can tell it.
type Key struct {
	Hash    uint64
	Primary bool // of two reports with this key, the primary one counts
}

// Identity is one way in which somebody else may see an end. Comparable; the zero Identity is none.
type Identity struct {
	place     bool // means something only together with a place
	namespace Value
	name      Value
	container Value
}

// Identities returns all ways in which somebody else may see an end that reports itself, the most exact first.
func (e *End) Identities() []Identity {
	var all []Identity
	if e.Has(Workload) {
		if e.Has(Container) {
			all = append(all, Identity{namespace: e[Namespace], name: e[Workload], container: e[Container]})
		}
		all = append(all, Identity{namespace: e[Namespace], name: e[Workload]})
	}
	if program := e.programIdentity(); program != (Identity{}) {
		all = append(all, program)
	}
	return all
}

// programIdentity is that of an end that is known by its program only.
func (e *End) programIdentity() Identity {
	name := e[Executable]
	if name == (Value{}) {
		name = e[Unit]
	}
	if name == (Value{}) {
		return Identity{}
	}
	return Identity{place: true, name: name, container: contained(e.Get(Type) != typeHost)}
}

// contained keeps a program in a container apart from one of the same name outside.
func contained(inside bool) Value {
	if inside {
		return Text("contained")
	}
	return Text("host")
}

// Seen returns the identity of an end that somebody else sees; none where only an address or a network is known.
func (e *End) Seen() Identity {
	if e.Has(Workload) {
		return Identity{namespace: e[Namespace], name: e[Workload], container: e[Container]}
	}
	switch e.Get(Type) {
	case typePod, typeContainer, typeHost:
		return e.programIdentity()
	}
	return Identity{}
}

// Keys returns the keys of the edge that a report is of, in the order of the local end's identities. None: there can be no
// other report of it that could be told.
func (l *Link) Keys(local, peer *End, seed maphash.Seed) []Key {
	seen := peer.Seen()
	if seen == (Identity{}) || l.Scope == ScopeUnknown {
		return nil
	}
	place := l.place(local)
	if l.Scope.Local() && place == (Value{}) {
		return nil
	}
	var keys []Key
	for _, self := range local.Identities() {
		if l.Scope == ScopeRemote && (self.place || seen.place) {
			continue
		}
		if key, ok := l.key(self, seen, place, seed); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

func (l *Link) key(self, seen Identity, place Value, seed maphash.Seed) (Key, bool) {
	client, server, primary := self, seen, true
	switch l.Role {
	case Server:
		client, server, primary = seen, self, false
	case Unknown:
		if self == seen {
			return Key{}, false
		}
		if seen.before(self) {
			client, server, primary = seen, self, false
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

func (i Identity) before(other Identity) bool {
	switch {
	case i.namespace != other.namespace:
		return i.namespace.String() < other.namespace.String()
	case i.name != other.name:
		return i.name.String() < other.name.String()
	}
	return i.container.String() < other.container.String()
}

// place is where both ends are.
func (l *Link) place(local *End) Value {
	order := [...]Tag{HostID, Host, Node}
	switch l.Scope {
	case ScopeRemote:
		return Value{}
	case ScopeContainer:
		if local.Has(ContainerID) {
			return local[ContainerID]
		}
	case ScopePod:
		if local.Has(PodUID) {
			return local[PodUID]
		}
	}
	for _, t := range order {
		if local.Has(t) {
			return local[t]
		}
	}
	return Value{}
}
