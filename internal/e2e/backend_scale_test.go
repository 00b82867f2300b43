//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The agents of deploy/scale shard what they report over two gateways, each edge has one series for each end in the
// store, and two replicas of the page show the sums. A gateway that is killed and restarted while the agent sends loses
// nothing that it had written, and no edge is counted twice.
func TestBackendScale(t *testing.T) {
	store := startVictoria(t, "-opentelemetry.usePrometheusNaming")
	t.Setenv("STORE_ENDPOINT", "http://"+store.address+"/opentelemetry/v1/metrics")
	backend := newSignals(t)
	gateways := [...]string{freeAddress(t), freeAddress(t)}
	first := scaleGateway(t, gateways[0], backend.address)
	scaleGateway(t, gateways[1], backend.address)
	t.Setenv("GATEWAYS_HEADERS", `{authorization: "Bearer ignored"}`) // as components/token sets it
	agent := runAgentCollector(t, "127.0.0.1:1", "file:"+root+"/deploy/components/scale/agent.yaml",
		fmt.Sprintf("yaml:exporters::load_balancing::resolver: {dns: null, static: {hostnames: ['%s', '%s']}}", gateways[0], gateways[1]))
	pages := [...]string{historyPage(t, store.address), historyPage(t, store.address)}

	send := func() {
		t.Helper()
		if err := exportMetrics(t, agent.netconn, shardedMetrics()); err != nil {
			t.Fatal(err)
		}
	}
	wantTimes := func(n int64) {
		t.Helper()
		want := make(map[string][3]int64)
		for i := range int64(shards) {
			want[fmt.Sprintf("web-%d store-%d", i, i)] = [3]int64{n * (i + 1), n * (i + 1) * 10, n}
		}
		for _, page := range pages {
			wantRows(t, "ann:open%20sesame@"+page, "workload", want)
		}
	}
	send()
	wantTimes(1)
	const bytes = `netconn_edge_io_bytes_total{network_io_direction="transmit"}`
	store.want(2, "count(count by (service_instance_id) (%s))", bytes)
	store.want(2*shards, "count(%s)", bytes)

	first.Kill()
	send()
	scaleGateway(t, gateways[0], backend.address)
	wantTimes(2)
	store.want(3, "count(count by (service_instance_id) (last_over_time(%s[1h])))", bytes)

	if err := exportMetrics(t, agent.otlp, oneMetric("app", "app.requests", 7)); err != nil {
		t.Fatal(err)
	}
	until(t, "the metric of an application", func() bool { return len(backend.ever("app.requests")) > 0 })
	if all := backend.ever("netconn.io"); len(all) > 0 {
		t.Errorf("the backend has the metrics of connections: %v", all)
	}
	if got := statusFor(t, http.DefaultClient, "http://"+pages[0]+"/api/v1/status", "", ""); got != http.StatusUnauthorized {
		t.Errorf("without a password: %d", got)
	}
}

// scaleGateway starts a gateway of deploy/scale, which writes every second.
func scaleGateway(t *testing.T, address, backend string, more ...string) *collector {
	t.Helper()
	health, telemetry := freeAddress(t), freeAddress(t)
	c := launch(t, nil, []string{
		"OTLP_LISTEN=" + address, "BACKEND_ENDPOINT=" + backend, "HEALTH_LISTEN=" + health,
		"TELEMETRY_HOST=" + host(telemetry), "TELEMETRY_PORT=" + port(telemetry),
	}, append([]string{"file:" + root + "/deploy/components/gateway/collector.yaml", "file:" + root + "/deploy/components/scale/gateway.yaml",
		"yaml:exporters::otlp_grpc::tls::insecure: true", "yaml:connectors::netmap::interval: 1s"}, more...)...)
	until(t, "the gateway", func() bool { return healthy(health) })
	return c
}

// historyPage starts a replica of the page, and returns its address. Its user is ann with the password "open sesame".
func historyPage(t *testing.T, store string) string {
	t.Helper()
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "htpasswd"), "ann:$2a$05$dfzUWTVIGdYdgGD2oTkzneRONCyhlx/waP5KuhEsKvwJ0kt6STk4y\n")
	page, health, telemetry := freeAddress(t), freeAddress(t), freeAddress(t)
	launch(t, nil, []string{
		"NETCONN_MAP=" + page, "OTLP_LISTEN=" + freeAddress(t), "HEALTH_LISTEN=" + health, "MAP_USERS=" + folder,
		"HISTORY_ENDPOINT=http://" + store, "TELEMETRY_HOST=" + host(telemetry), "TELEMETRY_PORT=" + port(telemetry),
	}, "file:"+root+"/deploy/components/history/collector.yaml", "yaml:extensions::netmap::history::cache: 1s")
	until(t, "the page", func() bool { return healthy(health) })
	return page
}

// shards is how many edges shardedMetrics has.
const shards = 6

// shardedMetrics are the increments of both ends of edges that are alike but for their names and bytes.
func shardedMetrics() pmetric.Metrics {
	var pods []zoned
	for i := range int64(shards) {
		web, store := fmt.Sprintf("web-%d", i), fmt.Sprintf("store-%d", i)
		pods = append(pods,
			zoned{web + "-x", web, "zone-a", "client", []zonedPeer{{store, "zone-a", i + 1, 10 * (i + 1)}}},
			zoned{store + "-x", store, "zone-a", "server", []zonedPeer{{web, "zone-a", 10 * (i + 1), i + 1}}})
	}
	all := zonedMetrics(pods, time.Now().Add(-time.Second), 1)
	for _, rm := range all.ResourceMetrics().All() {
		name, _ := rm.Resource().Attributes().Get("k8s.deployment.name")
		rm.Resource().Attributes().PutStr("service.name", name.Str())
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		}
	}
	return all
}
