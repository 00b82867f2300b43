//go:build linux

package e2e

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// A zoned is a pod in a zone, which reports edges to workloads in zones.
type zoned struct {
	pod, workload, zone, role string
	peers                     []zonedPeer
}

type zonedPeer struct {
	workload, zone string
	sent, received int64
}

// Agents in two zones report a client and the two pods of its server, one in each zone. By zone the map has an edge
// within the zone and one across, each with all of its metrics, and their sums are those without zones.
func TestDeployMapZones(t *testing.T) {
	page, health, otlp := freeAddress(t), freeAddress(t), freeAddress(t)
	launch(t, nil, []string{"NETCONN_MAP=" + page, "OTLP_LISTEN=" + otlp, "HEALTH_LISTEN=" + health},
		"file:"+root+"/deploy/components/map/collector.yaml", "yaml:service::telemetry::metrics::level: none")
	until(t, "health", func() bool { return healthy(health) })
	agents := [][]zoned{{
		{"web-1", "web", "zone-a", "client", []zonedPeer{{"store", "zone-a", 10, 20}, {"store", "zone-b", 100, 200}}},
		{"store-0", "store", "zone-a", "server", []zonedPeer{{"web", "zone-a", 20, 10}}},
	}, {
		{"store-1", "store", "zone-b", "server", []zonedPeer{{"web", "zone-a", 200, 100}}},
	}}
	client := pmetricotlp.NewGRPCClient(dialOTLP(t, otlp))
	began := time.Now().Add(-time.Minute)
	for step := range 2 { // the first report of a series is what was there before the map
		for _, agent := range agents {
			if _, err := client.Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(zonedMetrics(agent, began, int64(step)))); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := map[string][3]int64{"web zone-a store zone-a": {10, 20, 1}, "web zone-a store zone-b": {100, 200, 1}}
	wantRows(t, page, "workload,zone", want)
	wantRows(t, page, "workload", map[string][3]int64{"web store": {110, 220, 2}})
	wantRows(t, page, "zone", map[string][3]int64{"zone-a zone-a": {10, 20, 1}, "zone-a zone-b": {100, 200, 1}})
	wantRows(t, page, "region", map[string][3]int64{"east east": {110, 220, 2}})
}

// wantRows waits until the map's table has the rows: the tags of both ends, and bytes there, back and attempts.
func wantRows(t *testing.T, address, tags string, want map[string][3]int64) {
	t.Helper()
	diff := ""
	if !poll(func() bool {
		var rows struct {
			Client, Server   [][]string
			Tx, Rx, Attempts []int64
		}
		askMap(t, address, "/api/v1/flows?"+url.Values{"clients": {tags}, "servers": {tags}, "spark": {"none"}, "loops": {"true"}}.Encode(), &rows)
		got := make(map[string][3]int64)
		for i := range rows.Client {
			key := ""
			for _, v := range append(rows.Client[i], rows.Server[i]...) {
				key += " " + v
			}
			got[key[1:]] = [3]int64{rows.Tx[i], rows.Rx[i], rows.Attempts[i]}
		}
		diff = cmp.Diff(want, got)
		return diff == ""
	}) {
		t.Errorf("by %s (-want +got):\n%s", tags, diff)
	}
}

// zonedMetrics are the reports of pods as the agents of components/zones make them, times a factor.
func zonedMetrics(pods []zoned, began time.Time, factor int64) pmetric.Metrics {
	all := pmetric.NewMetrics()
	for _, p := range pods {
		rm := all.ResourceMetrics().AppendEmpty()
		for key, value := range map[string]string{
			"k8s.pod.uid": "uid-" + p.pod, "container.id": "id-" + p.pod, "k8s.namespace.name": "shop", "k8s.pod.name": p.pod,
			"k8s.deployment.name": p.workload, "k8s.container.name": "app", "container.image.tag": "v1", "host.id": "host-" + p.zone,
			"cloud.availability_zone": p.zone, "cloud.region": "east",
		} {
			rm.Resource().Attributes().PutStr(key, value)
		}
		scope := rm.ScopeMetrics().AppendEmpty()
		scope.Scope().SetName("github.com/netconn/netconn/receiver/netconnreceiver")
		io, attempts := zonedSum(scope, "netconn.io"), zonedSum(scope, "netconn.attempts")
		for _, peer := range p.peers {
			for direction, value := range map[string]int64{"transmit": peer.sent, "receive": peer.received} {
				peer.point(io, p.role, began, factor*value).PutStr("network.io.direction", direction)
			}
			peer.point(attempts, p.role, began, factor)
		}
	}
	return all
}

func zonedSum(scope pmetric.ScopeMetrics, name string) pmetric.NumberDataPointSlice {
	m := scope.Metrics().AppendEmpty()
	m.SetName(name)
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return sum.DataPoints()
}

func (peer zonedPeer) point(to pmetric.NumberDataPointSlice, role string, began time.Time, value int64) pcommon.Map {
	p := to.AppendEmpty()
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(began))
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	p.SetIntValue(value)
	for key, text := range map[string]string{
		"netconn.role": role, "network.transport": "tcp", "netconn.peer.type": "pod", "netconn.peer.scope": "remote",
		"netconn.peer.name": peer.workload, "netconn.peer.k8s.namespace.name": "shop", "netconn.peer.k8s.workload.name": peer.workload,
		"netconn.peer.k8s.workload.kind": "Deployment", "netconn.peer.container.name": "app", "netconn.peer.container.image.tag": "v1",
		"netconn.nat": "none", "netconn.peer.zone": peer.zone, "netconn.peer.region": "east",
	} {
		p.Attributes().PutStr(key, text)
	}
	p.Attributes().PutInt("server.port", 8080)
	return p.Attributes()
}
