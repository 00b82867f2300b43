// Package attributes writes the attributes of flows to OTLP, and reduces the key of a flow to the attributes that are
// enabled. It is shared by the writers of metrics and of log records. Its functions have no state and do not fail; an
// attribute without a value is left out.
package attributes

import (
	"cmp"
	"net/netip"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// Set holds some of the attributes that describe a flow.
type Set uint64

// All holds all attributes.
const All Set = 1<<names.Attributes - 1

// What can describe a connection, a DNS look-up, and dropped packets. Of a look-up translations are not known, nor the
// name of a resolver.
const (
	Connection = All &^ (1 << names.Question)
	Lookup     = All &^ (1<<names.NAT | 1<<names.OriginalName | 1<<names.OriginalPort | 1<<names.OriginalAddress |
		1<<names.OriginalSource | 1<<names.PeerDomain)
	Drop = 1 << names.Transport // of dropped packets: of their sockets only the owner is known
)

// The levels of detail.
var (
	Workload  = upTo(names.DetailWorkload)
	Container = upTo(names.DetailContainer)
	Full      = upTo(names.DetailFull)
)

func upTo(d names.Detail) Set {
	var s Set
	for a := range names.Attributes {
		if a.Detail() != names.DetailOptIn && a.Detail() <= d {
			s |= With(a)
		}
	}
	return s
}

// Of returns the set of the attributes with these keys. Keys of other attributes, which do not describe a flow, are
// ignored.
func Of[K ~string](keys []K) Set {
	var s Set
	for a := range names.Attributes {
		for _, key := range keys {
			if string(key) == a.Key() {
				s |= With(a)
			}
		}
	}
	return s
}

// With returns the set of these attributes.
func With(attributes ...names.Attribute) Set {
	var s Set
	for _, a := range attributes {
		s |= 1 << a
	}
	return s
}

// Has reports whether the set holds an attribute.
func (s Set) Has(a names.Attribute) bool { return s&(1<<a) != 0 }

// Keys returns the keys of the attributes in the set.
func (s Set) Keys() (keys []string) {
	for a := range names.Attributes {
		if s.Has(a) {
			keys = append(keys, a.Key())
		}
	}
	return keys
}

// Mask returns the key with only the attributes of the set, so that flows that differ in nothing else are one.
// The owner stays: it is the resource.
func (s Set) Mask(k flow.Key) flow.Key {
	for a := range k.Peer {
		k.Peer[a] = keep(s, names.Attribute(a), k.Peer[a])
	}
	return flow.Key{
		Owner:      k.Owner,
		UDP:        k.UDP, // without its transport it would be taken for TCP
		Rest:       k.Rest,
		Role:       keep(s, names.Role, k.Role),
		ServerPort: keep(s, names.ServerPort, k.ServerPort),
		Peer:       k.Peer,
		NAT:        keep(s, names.NAT, k.NAT),
		Original: flow.Original{
			Name:    keep(s, names.OriginalName, k.Original.Name),
			Port:    keep(s, names.OriginalPort, k.Original.Port),
			Address: keep(s, names.OriginalAddress, k.Original.Address),
			Source:  keep(s, names.OriginalSource, k.Original.Source),
		},
		Local: netip.AddrPortFrom(keep(s, names.LocalAddress, k.Local.Addr()), 0),
		Remote: netip.AddrPortFrom(
			keep(s, names.PeerAddress, k.Remote.Addr()), keep(s, names.PeerPort, k.Remote.Port())),
		Server:   keep(s, names.ServerAddress, k.Server),
		Client:   keep(s, names.ClientAddress, k.Client),
		Question: keep(s, names.Question, k.Question),
		Protocol: keep(s, names.Transport, k.Protocol),
		Drop:     k.Drop, // which is no attribute of all metrics
	}
}

// keep returns v, or the zero value if the set does not hold its attribute.
func keep[T any](s Set, a names.Attribute, v T) T {
	if !s.Has(a) {
		var none T
		return none
	}
	return v
}

// Put writes the attributes of the set that the key has a value for.
func (s Set) Put(m pcommon.Map, k *flow.Key) {
	m.EnsureCapacity(int(names.Attributes))
	if s.Has(names.Role) {
		m.PutStr(names.Role.Key(), k.Role.String())
	}
	switch {
	case k.UDP:
		m.PutStr(names.Transport.Key(), names.UDP)
	case s.Has(names.Transport):
		m.PutStr(names.Transport.Key(), cmp.Or(k.Protocol, conn.TCP).String())
	}
	s.putPort(m, names.ServerPort, k.ServerPort)
	for a, v := range k.Peer {
		s.putText(m, names.Attribute(a), v)
	}
	if s.Has(names.NAT) {
		m.PutStr(names.NAT.Key(), k.NAT.String())
	}
	s.putText(m, names.OriginalName, k.Original.Name)
	s.putPort(m, names.OriginalPort, k.Original.Port)
	s.putAddress(m, names.OriginalAddress, k.Original.Address)
	s.putText(m, names.OriginalSource, k.Original.Source)
	s.putAddress(m, names.PeerAddress, k.Remote.Addr())
	s.putPort(m, names.PeerPort, k.Remote.Port())
	s.putAddress(m, names.LocalAddress, k.Local.Addr())
	s.putAddress(m, names.ServerAddress, k.Server)
	s.putAddress(m, names.ClientAddress, k.Client)
	s.putText(m, names.Question, k.Question)
}

func (s Set) putText(m pcommon.Map, a names.Attribute, v string) {
	if s.Has(a) && v != "" {
		m.PutStr(a.Key(), v)
	}
}

func (s Set) putPort(m pcommon.Map, a names.Attribute, v uint16) {
	if s.Has(a) && v != 0 {
		m.PutInt(a.Key(), int64(v))
	}
}

func (s Set) putAddress(m pcommon.Map, a names.Attribute, v netip.Addr) {
	if s.Has(a) && v.IsValid() {
		m.PutStr(a.Key(), v.String())
	}
}
