package flow

import (
	"cmp"
	"net/netip"

	"github.com/netconn/netconn/internal/conn"
)

// Key is what distinguishes flows: the resource, and the attributes of its points. The caller fills in only the
// attributes that are enabled; a field that is left at zero distinguishes nothing.
type Key struct {
	Owner         conn.Owner // the resource; the zero value is the host itself
	UDP           bool       // datagrams, not TCP connections
	Rest          bool       // with peers that the kernel had no room for: part of the resource's overflow
	Role          conn.Role
	ServerPort    uint16
	Peer          conn.Peer
	NAT           conn.NAT
	Original      Original
	Local, Remote netip.AddrPort  // opt-in: network.local.*, network.peer.*; as the socket has them
	Server        netip.Addr      // opt-in: server.address
	Client        netip.Addr      // opt-in: client.address
	Question      string          // opt-in: dns.question.name
	Protocol      conn.Protocol   // opt-in: network.transport; 0: TCP
	Drop          conn.DropReason // of dropped packets; 0: of what was not dropped
}

// Original is the original destination, where it was translated, and in whose name the client connects, if it is the
// proxy of another pod.
type Original struct {
	Name    string
	Port    uint16
	Address netip.Addr // opt-in
	Source  string     // workload and namespace: web.default
}

// compare orders the keys of one resource, by what a reader looks for first.
func (k *Key) compare(o *Key) int {
	return cmp.Or(
		compareBools(k.UDP, o.UDP),
		compareBools(k.Rest, o.Rest),
		cmp.Compare(k.Role, o.Role),
		cmp.Compare(k.ServerPort, o.ServerPort),
		k.Peer.Compare(&o.Peer),
		cmp.Compare(k.NAT, o.NAT),
		cmp.Compare(k.Original.Name, o.Original.Name),
		cmp.Compare(k.Original.Port, o.Original.Port),
		k.Original.Address.Compare(o.Original.Address),
		cmp.Compare(k.Original.Source, o.Original.Source),
		k.Local.Compare(o.Local),
		k.Remote.Compare(o.Remote),
		k.Server.Compare(o.Server),
		k.Client.Compare(o.Client),
		cmp.Compare(k.Question, o.Question),
		cmp.Compare(k.Protocol, o.Protocol),
		cmp.Compare(k.Drop, o.Drop),
	)
}

func compareOwners(a, b conn.Owner) int {
	return cmp.Or(
		cmp.Compare(a.PodUID, b.PodUID),
		cmp.Compare(a.ContainerID, b.ContainerID),
		cmp.Compare(a.Unit, b.Unit),
		cmp.Compare(a.Executable, b.Executable),
		compareBools(a.Named, b.Named),
		compareBools(a.StaticPod, b.StaticPod),
	)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// identity is what a backend knows a flow by: two flows of the same identity are one series.
type identity struct {
	key      Key
	overflow bool
}
