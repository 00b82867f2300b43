package attributes

import (
	"net/netip"
	"slices"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/flowtest"
)

// TestAttribute gives each attribute by itself: the part of the key that it keeps, and what it writes.
func TestAttribute(t *testing.T) {
	tests := map[names.Attribute]struct {
		key   flow.Key
		value any
	}{
		names.Role:                 {flow.Key{Role: conn.RoleClient}, "client"},
		names.Transport:            {flow.Key{Protocol: conn.UDP}, "udp"},
		names.Question:             {flow.Key{Question: "example.com"}, "example.com"},
		names.ServerPort:           {flow.Key{ServerPort: 443}, int64(443)},
		names.PeerType:             {flow.Key{Peer: conn.Peer{names.PeerType: names.TypeContainer}}, "container"},
		names.PeerImageTag:         {flow.Key{Peer: conn.Peer{names.PeerImageTag: "17"}}, "17"},
		names.PeerProxy:            {flow.Key{Peer: conn.Peer{names.PeerProxy: "gateway"}}, "gateway"},
		names.PeerNamespace:        {flow.Key{Peer: conn.Peer{names.PeerNamespace: "shop"}}, "shop"},
		names.PeerWorkload:         {flow.Key{Peer: conn.Peer{names.PeerWorkload: "db"}}, "db"},
		names.PeerWorkloadKind:     {flow.Key{Peer: conn.Peer{names.PeerWorkloadKind: "StatefulSet"}}, "StatefulSet"},
		names.PeerPod:              {flow.Key{Peer: conn.Peer{names.PeerPod: "db-0"}}, "db-0"},
		names.PeerNode:             {flow.Key{Peer: conn.Peer{names.PeerNode: "node-2"}}, "node-2"},
		names.PeerZone:             {flow.Key{Peer: conn.Peer{names.PeerZone: "zone-b"}}, "zone-b"},
		names.PeerRegion:           {flow.Key{Peer: conn.Peer{names.PeerRegion: "east"}}, "east"},
		names.PeerService:          {flow.Key{Peer: conn.Peer{names.PeerService: "orders-db"}}, "orders-db"},
		names.PeerServiceNamespace: {flow.Key{Peer: conn.Peer{names.PeerServiceNamespace: "orders"}}, "orders"},
		names.NAT:                  {flow.Key{NAT: conn.NATBoth}, "dnat+snat"},
		names.OriginalName:         {flow.Key{Original: flow.Original{Name: "office"}}, "office"},
		names.OriginalPort:         {flow.Key{Original: flow.Original{Port: 80}}, int64(80)},
		names.OriginalAddress:      {flow.Key{Original: flow.Original{Address: netip.MustParseAddr("10.96.1.3")}}, "10.96.1.3"},
		names.OriginalSource:       {flow.Key{Original: flow.Original{Source: "web.shop"}}, "web.shop"},
		names.PeerScope:            {flow.Key{Peer: conn.Peer{names.PeerScope: names.ScopeNode}}, "node"},
		names.PeerDomain:           {flow.Key{Peer: conn.Peer{names.PeerDomain: "s3.example"}}, "s3.example"},
		names.PeerName:             {flow.Key{Peer: conn.Peer{names.PeerName: "db"}}, "db"},
		names.PeerContainerName:    {flow.Key{Peer: conn.Peer{names.PeerContainerName: "postgres"}}, "postgres"},
		names.PeerContainerID:      {flow.Key{Peer: conn.Peer{names.PeerContainerID: "5f70"}}, "5f70"},
		names.PeerAddress:          {flow.Key{Remote: netip.MustParseAddrPort("10.0.0.2:0")}, "10.0.0.2"},
		names.PeerPort:             {flow.Key{Remote: netip.AddrPortFrom(netip.Addr{}, 15001)}, int64(15001)},
		names.LocalAddress:         {flow.Key{Local: netip.MustParseAddrPort("10.0.0.1:0")}, "10.0.0.1"},
		names.ServerAddress:        {flow.Key{Server: netip.MustParseAddr("10.0.0.3")}, "10.0.0.3"},
		names.ClientAddress:        {flow.Key{Client: netip.MustParseAddr("10.0.0.4")}, "10.0.0.4"},
	}
	if len(tests) != int(names.Attributes) {
		t.Fatalf("%d of %d attributes are tested", len(tests), names.Attributes)
	}
	for a, test := range tests {
		t.Run(a.String(), func(t *testing.T) {
			s := Of([]string{a.String(), "error.type"})
			test.key.Owner = flowtest.Key().Owner
			if diff := cmp.Diff(test.key, s.Mask(flowtest.Key()), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("mask (-want +got):\n%s", diff)
			}
			m := pcommon.NewMap()
			k := flowtest.Key()
			s.Put(m, &k)
			if diff := cmp.Diff(map[string]any{a.String(): test.value}, m.AsRaw()); diff != "" {
				t.Errorf("put (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAttributeUnknown leaves out what has no value. What is unknown of the role and the way is a value.
func TestAttributeUnknown(t *testing.T) {
	m := pcommon.NewMap()
	All.Put(m, &flow.Key{})
	want := map[string]any{"netconn.role": "unknown", "network.transport": "tcp", "netconn.nat": "unresolved"}
	if diff := cmp.Diff(want, m.AsRaw()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A look-up has no translation, and a connection has no question. Each has all other attributes.
func TestLookupsAndConnections(t *testing.T) {
	if got, want := (All &^ Lookup).Keys(), []string{
		"netconn.peer.domain", "netconn.nat", "netconn.original_destination.name", "netconn.original_destination.port",
		"netconn.original_destination.address", "netconn.original_source.name",
	}; !slices.Equal(got, want) {
		t.Errorf("a look-up lacks %v, want %v", got, want)
	}
	if got := (All &^ Connection).Keys(); !slices.Equal(got, []string{"dns.question.name"}) {
		t.Errorf("a connection lacks %v", got)
	}
}

func TestMaskAllKeepsWhatIsAnAttribute(t *testing.T) {
	want := flowtest.Key()
	want.Local = netip.AddrPortFrom(want.Local.Addr(), 0) // the local port is no attribute
	if got := All.Mask(flowtest.Key()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestSemanticConventions holds the names that are not netconn's own against the conventions that the schema
// URL names.
func TestSemanticConventions(t *testing.T) {
	for got, want := range map[string]attribute.Key{
		names.Transport.Key():            semconv.NetworkTransportKey,
		names.ServerPort.Key():           semconv.ServerPortKey,
		names.Question.Key():             semconv.DNSQuestionNameKey,
		names.ServerAddress.Key():        semconv.ServerAddressKey,
		names.ClientAddress.Key():        semconv.ClientAddressKey,
		names.PeerAddress.Key():          semconv.NetworkPeerAddressKey,
		names.PeerPort.Key():             semconv.NetworkPeerPortKey,
		names.LocalAddress.Key():         semconv.NetworkLocalAddressKey,
		names.PeerService.Key():          semconv.ServicePeerNameKey,
		names.PeerServiceNamespace.Key(): semconv.ServicePeerNamespaceKey,
		names.Direction:                  semconv.NetworkIODirectionKey,
		names.ErrorType:                  semconv.ErrorTypeKey,
		names.ContainerID:                semconv.ContainerIDKey,
		names.HostID:                     semconv.HostIDKey,
		names.HostName:                   semconv.HostNameKey,
		names.NodeName:                   semconv.K8SNodeNameKey,
		names.PodUID:                     semconv.K8SPodUIDKey,
		names.Executable:                 semconv.ProcessExecutableNameKey,
		names.InstanceID:                 semconv.ServiceInstanceIDKey,
	} {
		if got != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for got, want := range map[string]attribute.KeyValue{
		names.TCP: semconv.NetworkTransportTCP, conn.UDP.String(): semconv.NetworkTransportUDP, names.Transmit: semconv.NetworkIODirectionTransmit,
		names.Receive: semconv.NetworkIODirectionReceive, names.OtherError: semconv.ErrorTypeOther,
	} {
		if got != want.Value.AsString() {
			t.Errorf("got %s, want %s", got, want.Value.AsString())
		}
	}
}

// A set has a bit for each attribute: one more than its width would silently be in no set.
func TestSetIsWideEnough(t *testing.T) {
	if bits := int(unsafe.Sizeof(All)) * 8; int(names.Attributes) >= bits {
		t.Fatalf("%d attributes, and a set has %d bits", names.Attributes, bits)
	}
	for a := range names.Attributes {
		if !All.Has(a) || !With(a).Has(a) || (All &^ With(a)).Has(a) {
			t.Errorf("%s has no bit of its own", a)
		}
	}
}

// Each level has what the one before has. No level has an attribute with a value for each address or each connection, nor
// one with the same value everywhere.
func TestLevels(t *testing.T) {
	if Workload&^Container != 0 || Container&^Full != 0 {
		t.Error("a level lacks an attribute of the one before")
	}
	want := With(names.Transport, names.OriginalAddress, names.PeerAddress, names.PeerPort, names.LocalAddress,
		names.ServerAddress, names.ClientAddress, names.Question)
	if got := All &^ Full; got != want {
		t.Errorf("%v are in no level, want %v", got.Keys(), want.Keys())
	}
	for level, n := range map[Set]int{Workload: 10, Container: 15, Full: 23} {
		if got := level.Keys(); len(got) != n || Of(got) != level {
			t.Errorf("%v: want %d keys", got, n)
		}
	}
}
