// Package peer describes the other end of a connection without asking any other system: by the other end's owner if it
// is on this machine, else by the address.
//
// In: a connection and the report of its other end, if that was found. Out: a conn.Peer. It is a pure function of its
// arguments and of the networks given at the start; it never fails, and is safe for concurrent use. What is not known
// stays empty or says unknown: nothing is guessed.
package peer

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// Resolver describes peers.
type Resolver struct {
	names    map[netip.Prefix]string
	lengths  []int // of the prefixes in names, longest first
	services []netip.Prefix
}

// New returns a resolver that knows the given networks by name. The longest prefix that holds an address names it; of
// two names for one prefix the first in alphabetical order is taken, so that the answer does not depend on the order of
// a map. An address in the ranges of services stands for the endpoints behind it: no socket has it.
func New(networks map[string][]netip.Prefix, services ...netip.Prefix) *Resolver {
	r := &Resolver{names: make(map[netip.Prefix]string), services: services}
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		for _, p := range networks[name] {
			if p = p.Masked(); r.names[p] == "" {
				r.names[p] = name
				r.lengths = append(r.lengths, p.Bits())
			}
		}
	}
	slices.Sort(r.lengths)
	r.lengths = slices.Compact(r.lengths)
	slices.Reverse(r.lengths)
	return r
}

// Describe describes the other end of c. Other is that end if it is on this machine. Otherwise it is nil, and actual is
// the address of the other end behind any translation.
func (r *Resolver) Describe(c conn.Conn, other *conn.End, actual netip.Addr) conn.Peer {
	if other != nil {
		return local(c.Owner, other.Owner)
	}
	return r.remote(c.Tuple.Source.Addr(), actual)
}

// Destination names what a client asked for: by the configured network, else by the class of the address.
func (r *Resolver) Destination(a netip.Addr) string {
	a = a.WithZone("")
	if name := r.name(a); name != "" {
		return name
	}
	switch {
	case !a.IsValid() || a.IsUnspecified():
		return names.TypeUnknown
	case a.IsLoopback():
		return "loopback"
	case private(a):
		return names.TypePrivate
	}
	return names.TypePublic
}

// Enrich adds what a cluster knows of a peer to what its address or its owner shows. The cluster's answer counts more,
// but for the scope, which the two ends show better.
func Enrich(p, known conn.Peer) conn.Peer {
	if scope := p[names.PeerScope]; scope != names.ScopeRemote && scope != names.ScopeUnknown {
		known[names.PeerScope] = scope
	}
	return known.Or(p)
}

// local describes a peer of this machine, seen from an owner of this machine.
func local(self, o conn.Owner) conn.Peer {
	p := conn.Peer{names.PeerType: names.TypeUnknown, names.PeerScope: scope(self, o), names.PeerName: o.Name()}
	switch {
	case o.PodUID != "":
		p[names.PeerType] = names.TypePod
	case o.ContainerID != "":
		p[names.PeerType] = names.TypeContainer
	case o != conn.Owner{}:
		p[names.PeerType] = names.TypeHost
	}
	if o.ContainerID != "" {
		p[names.PeerContainerID], p[names.PeerContainerName] = o.ContainerID, o.Name()
	} else if p[names.PeerName] == "" {
		p[names.PeerName] = o.Unit
	}
	return p
}

func scope(self, o conn.Owner) string {
	switch {
	case o.ContainerID != "" && o.ContainerID == self.ContainerID && o.Unit == self.Unit:
		return names.ScopeContainer
	case o.PodUID != "" && o.PodUID == self.PodUID:
		return names.ScopePod
	}
	return names.ScopeNode
}

// remote describes a peer by its address.
func (r *Resolver) remote(self, a netip.Addr) conn.Peer {
	// A prefix never contains an address with a zone. The zone is the name of a local interface and says nothing about
	// the peer.
	a, self = a.WithZone(""), self.WithZone("")
	switch {
	case !a.IsValid() || a.IsUnspecified():
		return conn.Peer{names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeUnknown}
	case r.service(a):
		return conn.Peer{
			names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: r.name(a),
		}
	case a.IsLoopback() || a == self:
		// The other end is a socket of this machine that was not found, so its owner is not known.
		return conn.Peer{names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeNode, names.PeerName: r.name(a)}
	case private(a):
		return conn.Peer{
			names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: r.name(a),
		}
	}
	return conn.Peer{names.PeerType: names.TypePublic, names.PeerScope: names.ScopeRemote, names.PeerName: r.name(a)}
}

// service reports whether an address is in a range of services.
func (r *Resolver) service(a netip.Addr) bool {
	return slices.ContainsFunc(r.services, func(p netip.Prefix) bool { return p.Contains(a) })
}

// name returns the name of the smallest configured network that holds a, or nothing. There are few distinct lengths,
// whatever the number of networks.
func (r *Resolver) name(a netip.Addr) string {
	for _, bits := range r.lengths {
		p, err := a.Prefix(bits)
		if err != nil { // the length is one of the other address family
			continue
		}
		if name := r.names[p]; name != "" {
			return name
		}
	}
	return ""
}

// private reports whether a is in a block for private networks, which is not routed on the internet: 10/8, 172.16/12
// and 192.168/16 (RFC 1918), fc00::/7 (unique local, RFC 4193), 169.254/16 and fe80::/10 (link-local, RFC 3927 and RFC
// 4291), and 100.64/10 (RFC 6598). Carriers share the last one, but clouds and overlay networks number their nodes and
// pods from it too. Blocks that no host should use (documentation, reserved) are not in this list.
func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || shared(a)
}

// shared reports whether a is in 100.64.0.0/10.
func shared(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	b := a.As4()
	return b[0] == 100 && b[1]&0xc0 == 64
}
