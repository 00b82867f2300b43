// Package flowtest makes a flow that has a value for every attribute and every figure, for the tests of the writers.
package flowtest

import (
	"net/netip"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// Key returns a key with a value for every attribute. Attributes of the peer that have none here get their own key.
func Key() flow.Key {
	k := flow.Key{
		Owner:      conn.Owner{Executable: "app"},
		Role:       conn.RoleClient,
		ServerPort: 443,
		Peer: conn.Peer{
			names.PeerDomain: "s3.example",
			names.PeerType:   names.TypeContainer, names.PeerScope: names.ScopeNode, names.PeerName: "db",
			names.PeerContainerName: "postgres", names.PeerContainerID: "5f70",
			names.PeerImageTag: "17", names.PeerProxy: names.Gateway, names.PeerNamespace: "shop",
			names.PeerWorkload: "db", names.PeerWorkloadKind: "StatefulSet", names.PeerPod: "db-0",
			names.PeerNode: "node-2",
			names.PeerZone: "zone-b", names.PeerRegion: "east", names.PeerService: "orders-db",
			names.PeerServiceNamespace: "orders",
		},
		NAT: conn.NATBoth,
		Original: flow.Original{
			Name: "office", Port: 80, Address: netip.MustParseAddr("10.96.1.3"), Source: "web.shop",
		},
		Local:    netip.MustParseAddrPort("10.0.0.1:40000"),
		Remote:   netip.MustParseAddrPort("10.0.0.2:15001"),
		Server:   netip.MustParseAddr("10.0.0.3"),
		Client:   netip.MustParseAddr("10.0.0.4"),
		Question: "example.com",
		Protocol: conn.UDP,
	}
	for a := range k.Peer {
		if k.Peer[a] == "" {
			k.Peer[a] = names.Attribute(a).Key()
		}
	}
	return k
}

// Flow returns a flow with the key that has counted something of every figure.
func Flow() *flow.Flow {
	f := &flow.Flow{Key: Key(), Connections: true, Listens: true, ListenDrops: 1}
	for c := range f.Counts {
		f.Counts[c] = 1
	}
	for m := range f.Histograms {
		f.Histograms[m] = flow.Histogram{Counts: []uint64{1, 0}, Count: 1}
	}
	f.Discards, f.Discarded, f.Key.Drop = true, 1, conn.DropReasonOf(0)
	f.Lookups, f.Timeouts, f.Responses[0] = true, 1, 1
	f.Outcomes[flow.Attempts][conn.Refused], f.Outcomes[flow.Ends][conn.Reset] = 1, 1
	f.Outcomes[flow.DatagramErrors][conn.Refused] = 1
	return f
}
