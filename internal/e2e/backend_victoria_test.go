//go:build linux

package e2e

import (
	"fmt"
	"testing"
)

// Containers that live for a moment count in a VictoriaMetrics with all that they did, on each way into it that
// docs/backends.md names.
func TestBackendVictoriaMetrics(t *testing.T) {
	ways := map[string]struct {
		*prometheus
		total string // the function that adds up a series
	}{
		"OTLP":         {startVictoria(t), "increase"},
		"OTLP delta":   {startVictoria(t), "sum_over_time"},
		"remote write": {startVictoria(t), "increase"},
	}
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(victoriaExporters, ways["OTLP"].address,
		ways["OTLP delta"].address, ways["remote write"].address)}, "env:NETCONN_TEST_CONFIGURATION")
	for _, way := range ways {
		until(t, "a series", func() bool { return len(way.query("count(netconn_active)", "")) == 1 })
	}
	of := shortLives(t)
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			way.t = t
			sum := "sum(" + way.total
			way.want(lives*lifeBytes, sum+`(netconn_io_bytes_total{%s,network_io_direction="transmit"}[5m]))`, of)
			way.want(lives, sum+`(netconn_attempts_total{%s,error_type=""}[5m]))`, of)
			way.want(lives, sum+`(netconn_attempts_total{%s,error_type="refused"}[5m]))`, of)
			way.want(lives, sum+`(netconn_tcp_handshake_duration_seconds_count{%s}[5m]))`, of)
		})
	}
}

const victoriaExporters = `
receivers:
  netconn: {collection_interval: 1s, initial_delay: 0s}
  netconn/delta: {collection_interval: 1s, initial_delay: 0s, temporality: delta}
exporters:
  otlp_http: {metrics_endpoint: "http://%s/opentelemetry/v1/metrics"}
  otlp_http/delta: {metrics_endpoint: "http://%s/opentelemetry/v1/metrics"}
  prometheusremotewrite: {endpoint: "http://%s/api/v1/write", resource_to_telemetry_conversion: {enabled: true}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn], exporters: [otlp_http, prometheusremotewrite]}
    metrics/delta: {receivers: [netconn/delta], exporters: [otlp_http/delta]}
`

// startVictoria starts the VictoriaMetrics that `make test-backends` built. It answers as Prometheus does, without the
// delay of half a minute that it has by default.
func startVictoria(t *testing.T) *prometheus {
	t.Helper()
	p := &prometheus{t, freeAddress(t)}
	startBackend(t, "victoria-metrics", "-storageDataPath="+t.TempDir(), "-httpListenAddr="+p.address,
		"-opentelemetry.usePrometheusNaming", "-search.latencyOffset=0s", "-search.disableCache",
		"-memory.allowedBytes=64MB")
	until(t, "VictoriaMetrics", func() bool { return answers("http://" + p.address + "/health") })
	return p
}
