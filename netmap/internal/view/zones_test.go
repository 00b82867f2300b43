package view

import (
	"fmt"
	"slices"
	"testing"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/store"
)

// places are nodes with their zone and region.
var places = map[string][2]string{"n1": {"a1", "a"}, "n2": {"a2", "a"}, "n3": {"b1", "b"}}

// between are the two reports of a connection from web on one node to db on another.
func between(from, to string, tx int64) []feedtest.Flow {
	scope := "remote"
	if from == to {
		scope = "node"
	}
	report := func(role, node, workload, peerNode, peer string) (resource, point feedtest.Attributes) {
		resource = container(node, workload+"-"+node, "app", workload)
		point = feedtest.Attributes{
			"netconn.role": role, "network.transport": "tcp", "server.port": 5432,
			"netconn.peer.type": "pod", "netconn.peer.scope": scope, "netconn.peer.name": peer,
			"netconn.peer.container.name":     "app",
			"netconn.peer.k8s.namespace.name": "book", "netconn.peer.k8s.workload.name": peer,
			"netconn.peer.k8s.workload.kind": "Deployment",
			"netconn.peer.zone":              places[peerNode][0], "netconn.peer.region": places[peerNode][1],
		}
		return resource.With(feedtest.Attributes{
			"cloud.availability_zone": places[node][0], "cloud.region": places[node][1],
		}), point
	}
	all := make([]feedtest.Flow, 2)
	for i := range all {
		all[i] = feedtest.Flow{
			Attempts: map[string]int64{"": 3, "refused": 1}, Closed: map[string]int64{"": 2}, Active: 1,
			RTTs: []float64{0.001},
		}
	}
	all[0].Resource, all[0].Point = report("client", from, "web", to, "db")
	all[1].Resource, all[1].Point = report("server", to, "db", from, "web")
	all[0].Tx, all[1].Rx = tx, tx
	return all
}

// By zone and by region each pair is one edge with all of its figures, and the sums are those sent.
func TestEdgesByZoneAndRegionAddUp(t *testing.T) {
	w := newWorld(store.Config{})
	var flows []feedtest.Flow
	sums := map[string]map[string]int64{"zone": {}, "region": {}}
	for i, from := range []string{"n1", "n2", "n3"} {
		for j, to := range []string{"n1", "n2", "n3"} {
			tx := int64(100 * (i*3 + j + 1))
			flows = append(flows, between(from, to, tx)...)
			sums["zone"][places[from][0]+" -> "+places[to][0]] += tx
			sums["region"][places[from][1]+" -> "+places[to][1]] += tx
		}
	}
	w.collect(flows...)
	for tag, sent := range sums {
		var expected []string
		for pair, tx := range sent {
			expected = append(expected, fmt.Sprintf("%s %d/0", pair, tx))
		}
		slices.Sort(expected)
		g := w.graph(t, tag, "", "")
		want(t, "by "+tag, lines(g), expected...)
		if g.Totals != (Totals{Edges: 9, Tx: 4500, Attempts: 36, Failures: 9, Closed: 18, Active: 9}) {
			t.Errorf("by %s: totals %+v", tag, g.Totals)
		}
	}
	for flag, crossing := range map[int]uint64{flagZones: 4500 - 100 - 500 - 900, flagRegions: 300 + 600 + 700 + 800} {
		q := GraphQuery{
			Query: Query{Filter: new(filter.Filter), Only: flag}, By: by(t, "name"), Group: None,
			Metrics: []Metric{metric(t, "tx")}, Rank: metric(t, "volume"), Nodes: 10, Edges: 10,
		}
		if got := graphOf(t, w.snapshot(), q).Totals.Tx; got != crossing {
			t.Errorf("%d bytes have the flag %d, want %d", got, flag, crossing)
		}
	}
}
