//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A way is how netconn's metrics get into a backend, and how a query adds them up there. It is a row of docs/backends.md.
type way struct {
	backend, path string
	settings      string                                    // what the row needs to be right, or why it is not
	exporter      string                                    // of the collector, with the address of the backend; empty: the backend scrapes the page
	processor     string                                    // in front of it; empty: none
	receiver      string                                    // one of receivers; empty: the one of the page
	sum           string                                    // the query that adds up a series
	lacks         []string                                  // the kinds of traffic that it cannot have whole
	through       func(t *testing.T, address string) string // a proxy before the backend; nil: none
	start         func(t *testing.T, page string) *prometheus
}

const (
	scraped  = "scrape_configs: [{job_name: netconn, scrape_interval: 1s, static_configs: [{targets: ['%s']}]}]"
	promoted = "otlp: {promote_all_resource_attributes: true}"
	anyOrder = promoted + "\nstorage: {tsdb: {out_of_order_time_window: 10m}}"

	toPrometheus = `otlp_http/%d: {endpoint: "http://%s/api/v1/otlp"}`
	inOrder      = `otlp_http/%d: {endpoint: "http://%s/api/v1/otlp", sending_queue: {num_consumers: 1}}`
	toVictoria   = `otlp_http/%d: {metrics_endpoint: "http://%s/opentelemetry/v1/metrics"}`
	remoteWrite  = `prometheus_remote_write/%d: {endpoint: "http://%s/api/v1/write", ` +
		`resource_to_telemetry_conversion: {enabled: true}, disable_scope_info: true}`

	zeroIngestion    = "--enable-feature=created-timestamp-zero-ingestion"
	prometheusNaming = "-opentelemetry.usePrometheusNaming"
	receiveOTLP      = "--web.enable-otlp-receiver"
)

// Prometheus' increase() adds half an interval at the end of a series, unless it is anchored.
const (
	anchored   = "increase(%s[10m] anchored)"
	increase   = "increase(%s[10m])"
	pure       = "increase_pure(%s[10m])" // a series begins at zero, but one that returns with its last value has not grown
	increments = "sum_over_time(%s[10m])"
)

// ways returns the rows of docs/backends.md, in their order.
func ways() []way {
	return append(waysToPrometheus(), waysToVictoria()...)
}

func waysToPrometheus() []way {
	all := []way{
		{path: "scrape", settings: "`created-timestamp-zero-ingestion`", start: scraping(zeroIngestion)},
		{path: "scrape", settings: "none", lacks: everything, start: scraping()},
		{path: "OTLP", settings: "`out_of_order_time_window`", exporter: toPrometheus,
			through: reorder, start: receiving(anyOrder, receiveOTLP)},
		{path: "OTLP", settings: "`num_consumers: 1`", exporter: inOrder,
			start: receiving(promoted, receiveOTLP)},
		{path: "OTLP, delta", settings: "`otlp-native-delta-ingestion`", exporter: toPrometheus, receiver: delta, sum: increments,
			start: receiving(anyOrder, receiveOTLP, "--enable-feature=otlp-native-delta-ingestion")},
		{path: "OTLP, delta", settings: "`otlp-deltatocumulative`", exporter: inOrder, receiver: delta, lacks: everything,
			start: receiving(promoted, receiveOTLP, "--enable-feature=otlp-deltatocumulative")},
		{path: "OTLP, delta", settings: "processor `delta_to_cumulative`", exporter: inOrder,
			processor: "delta_to_cumulative", receiver: delta, lacks: everything, start: receiving(promoted, receiveOTLP)},
		{path: "remote write", settings: "`out_of_order_time_window`", exporter: remoteWrite,
			start: receiving(anyOrder, "--web.enable-remote-write-receiver")},
	}
	for i := range all {
		all[i].backend = "Prometheus"
		if all[i].sum == "" {
			all[i].sum = anchored
		}
	}
	return all
}

func waysToVictoria() []way {
	all := []way{
		{path: "scrape", settings: "`honor_timestamps: true`", sum: pure, lacks: []string{kept, returning},
			start: victoriaScraping},
		{path: "OTLP", settings: "`usePrometheusNaming`", exporter: toVictoria, start: victoriaReceiving(prometheusNaming)},
		{path: "OTLP, delta", settings: "`usePrometheusNaming`", exporter: toVictoria, receiver: delta, sum: increments,
			start: victoriaReceiving(prometheusNaming)},
		{path: "remote write", settings: "none", exporter: remoteWrite, start: victoriaReceiving(prometheusNaming)},
	}
	for i := range all {
		all[i].backend = "VictoriaMetrics"
		if all[i].sum == "" {
			all[i].sum = increase
		}
	}
	return all
}

func (w way) name() string {
	return w.backend + ", " + w.path + ", " + strings.ReplaceAll(w.settings, "`", "")
}

func scraping(flags ...string) func(*testing.T, string) *prometheus {
	return func(t *testing.T, page string) *prometheus {
		return startPrometheus(t, fmt.Sprintf(scraped, page), flags...)
	}
}

func receiving(configuration string, flags ...string) func(*testing.T, string) *prometheus {
	return func(t *testing.T, _ string) *prometheus { return startPrometheus(t, configuration, flags...) }
}

func victoriaReceiving(flags ...string) func(*testing.T, string) *prometheus {
	return func(t *testing.T, _ string) *prometheus { return startVictoria(t, flags...) }
}

// startAll starts the backend of each way, and returns the configuration of a collector that sends to all of them.
func startAll(t *testing.T, all []way, page string, expireAfter time.Duration) (backends []*prometheus, collector string) {
	t.Helper()
	var more, exporters, pipelines strings.Builder
	for i, w := range all {
		p := w.start(t, page)
		backends = append(backends, p)
		if w.exporter == "" {
			continue
		}
		address := p.address
		if w.through != nil {
			address = w.through(t, address)
		}
		receiver := cmp.Or(w.receiver, "netconn")
		if settings := receivers[w.receiver]; settings != "" && !strings.Contains(more.String(), receiver) {
			fmt.Fprintf(&more, oneReceiver, receiver, expireAfter, settings)
		}
		kind, _, _ := strings.Cut(w.exporter, "/")
		fmt.Fprintf(&exporters, "  "+w.exporter+"\n", i, address)
		fmt.Fprintf(&pipelines, "    metrics/%d: {receivers: [%s], processors: [%s], exporters: [%s/%d]}\n",
			i, receiver, w.processor, kind, i)
	}
	return backends, fmt.Sprintf(manyWays, expireAfter, more.String(), page, exporters.String(), pipelines.String())
}

// receivers are those beside the one of the page, with what is different.
var receivers = map[string]string{delta: "temporality: delta", exponential: "histograms: exponential"}

const (
	delta       = "netconn/delta"
	exponential = "netconn/exponential"
	oneReceiver = "  %s: {collection_interval: 1s, initial_delay: 0s, expire_after: %s, %s}\n"
)

const manyWays = `
receivers:
  netconn: {collection_interval: 1s, initial_delay: 0s, expire_after: %s}
%sprocessors: {delta_to_cumulative: {}}
exporters:
  prometheus:
    endpoint: %s
    resource_to_telemetry_conversion: {enabled: true}
    enable_open_metrics: true
    send_timestamps: true
%sservice:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn], exporters: [prometheus]}
%s`
