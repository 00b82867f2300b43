package netconnreceiver

import (
	"net/netip"

	"go.opentelemetry.io/collector/pdata/pcommon"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// An attribute is one of those that describe a flow. What a metric has beside them (network.io.direction, error.type) is
// not part of a flow.
type attribute uint8

const (
	role attribute = iota
	transport
	serverPort
	peerType
	peerScope
	peerName
	peerContainerName
	peerContainerID
	peerImageTag
	peerProxy
	peerNamespace
	peerWorkload
	peerWorkloadKind
	peerPod
	peerNode
	peerZone
	peerRegion
	peerService
	peerServiceNamespace
	localZone
	natKind
	originalName
	originalPort
	originalAddress
	peerAddress
	peerPort
	localAddress
	serverAddress
	clientAddress
	attributes // how many there are
)

// String returns the key of the attribute.
func (a attribute) String() string {
	return [attributes]string{
		role:                 "netconn.role",
		transport:            string(semconv.NetworkTransportKey),
		serverPort:           string(semconv.ServerPortKey),
		peerType:             "netconn.peer.type",
		peerScope:            "netconn.peer.scope",
		peerName:             "netconn.peer.name",
		peerContainerName:    "netconn.peer.container.name",
		peerContainerID:      "netconn.peer.container.id",
		peerImageTag:         "netconn.peer.container.image.tag",
		peerProxy:            "netconn.peer.proxy",
		peerNamespace:        "netconn.peer.k8s.namespace.name",
		peerWorkload:         "netconn.peer.k8s.workload.name",
		peerWorkloadKind:     "netconn.peer.k8s.workload.kind",
		peerPod:              "netconn.peer.k8s.pod.name",
		peerNode:             "netconn.peer.k8s.node.name",
		peerZone:             "netconn.peer.zone",
		peerRegion:           "netconn.peer.region",
		peerService:          string(semconv.ServicePeerNameKey),
		peerServiceNamespace: string(semconv.ServicePeerNamespaceKey),
		localZone:            "netconn.local.zone",
		natKind:              "netconn.nat",
		originalName:         "netconn.original_destination.name",
		originalPort:         "netconn.original_destination.port",
		originalAddress:      "netconn.original_destination.address",
		peerAddress:          string(semconv.NetworkPeerAddressKey),
		peerPort:             string(semconv.NetworkPeerPortKey),
		localAddress:         string(semconv.NetworkLocalAddressKey),
		serverAddress:        string(semconv.ServerAddressKey),
		clientAddress:        string(semconv.ClientAddressKey),
	}[a]
}

// An attributeSet holds the attributes that are enabled, for one metric or for any of them.
type attributeSet uint32

func (s attributeSet) has(a attribute) bool { return s&(1<<a) != 0 }

// setOf returns the attributes among the keys; other keys are not about flows.
func setOf[K ~string](keys []K) attributeSet {
	var s attributeSet
	for a := range attributes {
		for _, key := range keys {
			if string(key) == a.String() {
				s |= 1 << a
			}
		}
	}
	return s
}

// mask returns the key with the attributes of the set alone, so that flows which differ in nothing else are one. The
// owner stays: it is the resource.
func (s attributeSet) mask(k flow.Key) flow.Key {
	return flow.Key{
		Owner:      k.Owner,
		Role:       only(s, role, k.Role),
		ServerPort: only(s, serverPort, k.ServerPort),
		Peer: conn.Peer{
			names.PeerType:             only(s, peerType, k.Peer[names.PeerType]),
			names.PeerScope:            only(s, peerScope, k.Peer[names.PeerScope]),
			names.PeerName:             only(s, peerName, k.Peer[names.PeerName]),
			names.PeerContainerName:    only(s, peerContainerName, k.Peer[names.PeerContainerName]),
			names.PeerContainerID:      only(s, peerContainerID, k.Peer[names.PeerContainerID]),
			names.PeerImageTag:         only(s, peerImageTag, k.Peer[names.PeerImageTag]),
			names.PeerProxy:            only(s, peerProxy, k.Peer[names.PeerProxy]),
			names.PeerNamespace:        only(s, peerNamespace, k.Peer[names.PeerNamespace]),
			names.PeerWorkload:         only(s, peerWorkload, k.Peer[names.PeerWorkload]),
			names.PeerWorkloadKind:     only(s, peerWorkloadKind, k.Peer[names.PeerWorkloadKind]),
			names.PeerPod:              only(s, peerPod, k.Peer[names.PeerPod]),
			names.PeerNode:             only(s, peerNode, k.Peer[names.PeerNode]),
			names.PeerZone:             only(s, peerZone, k.Peer[names.PeerZone]),
			names.PeerRegion:           only(s, peerRegion, k.Peer[names.PeerRegion]),
			names.PeerService:          only(s, peerService, k.Peer[names.PeerService]),
			names.PeerServiceNamespace: only(s, peerServiceNamespace, k.Peer[names.PeerServiceNamespace]),
		},
		Zone: only(s, localZone, k.Zone),
		NAT:  only(s, natKind, k.NAT),
		Original: flow.Original{
			Name:    only(s, originalName, k.Original.Name),
			Port:    only(s, originalPort, k.Original.Port),
			Address: only(s, originalAddress, k.Original.Address),
		},
		Local:  netip.AddrPortFrom(only(s, localAddress, k.Local.Addr()), 0),
		Remote: netip.AddrPortFrom(only(s, peerAddress, k.Remote.Addr()), only(s, peerPort, k.Remote.Port())),
		Server: only(s, serverAddress, k.Server),
		Client: only(s, clientAddress, k.Client),
	}
}

func only[T any](s attributeSet, a attribute, v T) T {
	if !s.has(a) {
		var none T
		return none
	}
	return v
}

// put writes the attributes of the set that the key has a value for.
func (s attributeSet) put(m pcommon.Map, k flow.Key) {
	m.EnsureCapacity(int(attributes))
	if s.has(role) {
		m.PutStr(role.String(), k.Role.String())
	}
	if s.has(transport) {
		m.PutStr(transport.String(), semconv.NetworkTransportTCP.Value.AsString())
	}
	s.putPort(m, serverPort, k.ServerPort)
	s.putPeer(m, k.Peer)
	s.putString(m, localZone, k.Zone)
	s.putWay(m, k.NAT, k.Original)
	s.putAddress(m, peerAddress, k.Remote.Addr())
	s.putPort(m, peerPort, k.Remote.Port())
	s.putAddress(m, localAddress, k.Local.Addr())
	s.putAddress(m, serverAddress, k.Server)
	s.putAddress(m, clientAddress, k.Client)
}

// putPeer writes who is at the other end.
func (s attributeSet) putPeer(m pcommon.Map, p conn.Peer) {
	s.putString(m, peerType, p[names.PeerType])
	s.putString(m, peerScope, p[names.PeerScope])
	s.putString(m, peerName, p[names.PeerName])
	s.putString(m, peerContainerName, p[names.PeerContainerName])
	s.putString(m, peerContainerID, p[names.PeerContainerID])
	s.putString(m, peerImageTag, p[names.PeerImageTag])
	s.putString(m, peerProxy, p[names.PeerProxy])
	s.putString(m, peerNamespace, p[names.PeerNamespace])
	s.putString(m, peerWorkload, p[names.PeerWorkload])
	s.putString(m, peerWorkloadKind, p[names.PeerWorkloadKind])
	s.putString(m, peerPod, p[names.PeerPod])
	s.putString(m, peerNode, p[names.PeerNode])
	s.putString(m, peerZone, p[names.PeerZone])
	s.putString(m, peerRegion, p[names.PeerRegion])
	s.putString(m, peerService, p[names.PeerService])
	s.putString(m, peerServiceNamespace, p[names.PeerServiceNamespace])
}

// putWay writes what became of the addresses on the way.
func (s attributeSet) putWay(m pcommon.Map, n conn.NAT, o flow.Original) {
	if s.has(natKind) {
		m.PutStr(natKind.String(), n.String())
	}
	s.putString(m, originalName, o.Name)
	s.putPort(m, originalPort, o.Port)
	s.putAddress(m, originalAddress, o.Address)
}

func (s attributeSet) putString(m pcommon.Map, a attribute, v string) {
	if s.has(a) && v != "" {
		m.PutStr(a.String(), v)
	}
}

func (s attributeSet) putPort(m pcommon.Map, a attribute, v uint16) {
	if s.has(a) && v != 0 {
		m.PutInt(a.String(), int64(v))
	}
}

func (s attributeSet) putAddress(m pcommon.Map, a attribute, v netip.Addr) {
	if s.has(a) && v.IsValid() {
		m.PutStr(a.String(), v.String())
	}
}
