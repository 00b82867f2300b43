package netconnreceiver

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

func knownKey() flow.Key {
	return flow.Key{
		Owner:      conn.Owner{Executable: "app"},
		Role:       conn.RoleClient,
		ServerPort: 443,
		Peer: conn.Peer{
			names.PeerType: names.TypeContainer, names.PeerScope: names.ScopeNode, names.PeerName: "db",
			names.PeerContainerName: "postgres", names.PeerContainerID: "5f70",
			names.PeerImageTag: "17", names.PeerProxy: names.Gateway, names.PeerNamespace: "shop",
			names.PeerWorkload: "db", names.PeerWorkloadKind: "StatefulSet", names.PeerPod: "db-0",
			names.PeerNode: "node-2",
			names.PeerZone: "zone-b", names.PeerRegion: "east", names.PeerService: "orders-db",
			names.PeerServiceNamespace: "orders",
		},
		Zone:     "zone-a",
		NAT:      conn.NATBoth,
		Original: flow.Original{Name: "office", Port: 80, Address: netip.MustParseAddr("10.96.1.3")},
		Local:    netip.MustParseAddrPort("10.0.0.1:40000"),
		Remote:   netip.MustParseAddrPort("10.0.0.2:15001"),
		Server:   netip.MustParseAddr("10.0.0.3"),
		Client:   netip.MustParseAddr("10.0.0.4"),
	}
}

// TestAttribute gives each attribute alone: the part of the key that it keeps, and what it writes.
func TestAttribute(t *testing.T) {
	tests := map[attribute]struct {
		key   flow.Key
		value any
	}{
		role:                 {flow.Key{Role: conn.RoleClient}, "client"},
		transport:            {flow.Key{}, "tcp"},
		serverPort:           {flow.Key{ServerPort: 443}, int64(443)},
		peerType:             {flow.Key{Peer: conn.Peer{names.PeerType: names.TypeContainer}}, "container"},
		peerImageTag:         {flow.Key{Peer: conn.Peer{names.PeerImageTag: "17"}}, "17"},
		peerProxy:            {flow.Key{Peer: conn.Peer{names.PeerProxy: "gateway"}}, "gateway"},
		peerNamespace:        {flow.Key{Peer: conn.Peer{names.PeerNamespace: "shop"}}, "shop"},
		peerWorkload:         {flow.Key{Peer: conn.Peer{names.PeerWorkload: "db"}}, "db"},
		peerWorkloadKind:     {flow.Key{Peer: conn.Peer{names.PeerWorkloadKind: "StatefulSet"}}, "StatefulSet"},
		peerPod:              {flow.Key{Peer: conn.Peer{names.PeerPod: "db-0"}}, "db-0"},
		peerNode:             {flow.Key{Peer: conn.Peer{names.PeerNode: "node-2"}}, "node-2"},
		peerZone:             {flow.Key{Peer: conn.Peer{names.PeerZone: "zone-b"}}, "zone-b"},
		peerRegion:           {flow.Key{Peer: conn.Peer{names.PeerRegion: "east"}}, "east"},
		peerService:          {flow.Key{Peer: conn.Peer{names.PeerService: "orders-db"}}, "orders-db"},
		peerServiceNamespace: {flow.Key{Peer: conn.Peer{names.PeerServiceNamespace: "orders"}}, "orders"},
		localZone:            {flow.Key{Zone: "zone-a"}, "zone-a"},
		natKind:              {flow.Key{NAT: conn.NATBoth}, "dnat+snat"},
		originalName:         {flow.Key{Original: flow.Original{Name: "office"}}, "office"},
		originalPort:         {flow.Key{Original: flow.Original{Port: 80}}, int64(80)},
		originalAddress:      {flow.Key{Original: flow.Original{Address: netip.MustParseAddr("10.96.1.3")}}, "10.96.1.3"},
		peerScope:            {flow.Key{Peer: conn.Peer{names.PeerScope: names.ScopeNode}}, "node"},
		peerName:             {flow.Key{Peer: conn.Peer{names.PeerName: "db"}}, "db"},
		peerContainerName:    {flow.Key{Peer: conn.Peer{names.PeerContainerName: "postgres"}}, "postgres"},
		peerContainerID:      {flow.Key{Peer: conn.Peer{names.PeerContainerID: "5f70"}}, "5f70"},
		peerAddress:          {flow.Key{Remote: netip.MustParseAddrPort("10.0.0.2:0")}, "10.0.0.2"},
		peerPort:             {flow.Key{Remote: netip.AddrPortFrom(netip.Addr{}, 15001)}, int64(15001)},
		localAddress:         {flow.Key{Local: netip.MustParseAddrPort("10.0.0.1:0")}, "10.0.0.1"},
		serverAddress:        {flow.Key{Server: netip.MustParseAddr("10.0.0.3")}, "10.0.0.3"},
		clientAddress:        {flow.Key{Client: netip.MustParseAddr("10.0.0.4")}, "10.0.0.4"},
	}
	if len(tests) != int(attributes) {
		t.Fatalf("%d of %d attributes are tested", len(tests), attributes)
	}
	for a, test := range tests {
		t.Run(a.String(), func(t *testing.T) {
			s := setOf([]string{a.String(), "error.type"})
			test.key.Owner = knownKey().Owner
			if diff := cmp.Diff(test.key, s.mask(knownKey()), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("mask (-want +got):\n%s", diff)
			}
			m := pcommon.NewMap()
			s.put(m, knownKey())
			if diff := cmp.Diff(map[string]any{a.String(): test.value}, m.AsRaw()); diff != "" {
				t.Errorf("put (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAttributeUnknown leaves out what has no value. What is unknown of the role and the way is a value.
func TestAttributeUnknown(t *testing.T) {
	m := pcommon.NewMap()
	attributeSet(1<<attributes-1).put(m, flow.Key{})
	want := map[string]any{"netconn.role": "unknown", "network.transport": "tcp", "netconn.nat": "unresolved"}
	if diff := cmp.Diff(want, m.AsRaw()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMaskAllKeepsWhatIsAnAttribute(t *testing.T) {
	want := knownKey()
	want.Local = netip.AddrPortFrom(want.Local.Addr(), 0) // the local port is no attribute
	if got := attributeSet(1<<attributes - 1).mask(knownKey()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
