//go:build linux

package e2e

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// noData has the documented queries that return nothing here, by a part of them, and why.
var noData = map[string]string{"203.0.113.7": "no connection of the test has the address of the example"}

// A store is a backend that answers the queries of one language.
type store struct {
	name, language string
	exporter       string // of the collector, with the store's address
	// start returns its address, and how many results a query has.
	start func(t *testing.T, page string) (address string, ask func(query string) int)
}

const toLogs = `otlp_http/%d: {logs_endpoint: "http://%s/insert/opentelemetry/v1/logs"}`

func stores() []store {
	named := func(strategy string) string {
		return strings.TrimSuffix(promoted, "}") + ", translation_strategy: " + strategy + "}"
	}
	return []store{
		{"Prometheus, scrape", promQL, "", metricsOf(scraping(zeroIngestion))},
		{"Prometheus, OTLP", promQL, inOrder, metricsOf(receiving(promoted, receiveOTLP))},
		{"Prometheus, OTLP, dots", dotsQL, inOrder, metricsOf(receiving(named("NoTranslation"), receiveOTLP))},
		{"Prometheus, OTLP, no suffixes", plainQL, inOrder,
			metricsOf(receiving(named("UnderscoreEscapingWithoutSuffixes"), receiveOTLP))},
		{"VictoriaMetrics, OTLP, usePrometheusNaming", promQL, toVictoria, metricsOf(victoriaReceiving(prometheusNaming))},
		{"VictoriaMetrics, OTLP", dotsQL, toVictoria, metricsOf(victoriaReceiving())},
		{"VictoriaLogs", logsQL, toLogs, startVictoriaLogs},
	}
}

func metricsOf(start func(*testing.T, string) *prometheus) func(*testing.T, string) (string, func(string) int) {
	return func(t *testing.T, page string) (string, func(string) int) {
		p := start(t, page)
		return p.address, func(query string) int { return len(slices.DeleteFunc(p.query(query, ""), math.IsNaN)) }
	}
}

// startVictoriaLogs starts the VictoriaLogs that `make test-backends` built.
func startVictoriaLogs(t *testing.T, _ string) (string, func(query string) int) {
	t.Helper()
	address := freeAddress(t)
	startBackend(t, "victoria-logs", "-storageDataPath="+t.TempDir(), "-httpListenAddr="+address, "-memory.allowedBytes=64MB")
	until(t, "VictoriaLogs", func() bool { return answers("http://" + address + "/health") })
	return address, func(query string) int {
		answer, err := http.PostForm("http://"+address+"/select/logsql/query", url.Values{"query": {query}})
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %s (%v)", query, answer.Status, text, err)
		}
		return strings.Count(string(text), "\n")
	}
}

// Each query of the README and of docs/ runs in each backend of its language and returns data, or is in noData. So does
// the expression of each shipped alert.
func TestBackendQueries(t *testing.T) {
	backend(t, "victoria-logs")
	all, page := stores(), freeAddress(t)
	asks := make([]func(string) int, len(all))
	var exporters, metrics, logs strings.Builder
	for i, s := range all {
		var address string
		address, asks[i] = s.start(t, page)
		if s.exporter == "" {
			continue
		}
		fmt.Fprintf(&exporters, "  "+s.exporter+"\n", i, address)
		names := &metrics
		if s.language == logsQL {
			names = &logs
		}
		fmt.Fprintf(names, ", otlp_http/%d", i)
	}
	text := fmt.Sprintf(namedWays, page, exporters.String(), metrics.String(), strings.TrimPrefix(logs.String(), ", "))
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + text}, "env:NETCONN_TEST_CONFIGURATION")
	until(t, "the page", func() bool { return len(readPage(t, page).values) > 0 })
	visitReviews(t)

	queries, rules := documentedQueries(t), shippedRules(t)
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			for _, q := range queries {
				if q.language == s.language {
					wantData(t, q.page, q.text, asks[i])
				}
			}
			if s.language == promQL {
				wantRules(t, rules, asks[i])
			}
		})
	}
}

// visitReviews has the productpage of the documentation talk to reviews, for some collections: rate() compares samples.
func visitReviews(t *testing.T) {
	t.Helper()
	k := newKnown(t, "reviews", "productpage")
	for range 2 {
		k.act()
		time.Sleep(time.Second)
	}
}

// wantData holds that a query is valid and returns data, or is in noData.
func wantData(t *testing.T, page, query string, ask func(string) int) {
	t.Helper()
	for part, reason := range noData {
		if strings.Contains(query, part) {
			_ = ask(query) // it is valid
			t.Logf("%s: no data, as %s:\n%s", page, reason, query)
			return
		}
	}
	if !pollFor(10*time.Second, func() bool { return ask(query) > 0 }) {
		t.Errorf("%s: no data for\n%s", page, query)
	}
}

// namedWays has in its processor what Kubernetes would add: the names and zones of both ends.
const namedWays = `
receivers:
  netconn:
    collection_interval: 500ms
    initial_delay: 0s
    metrics: {netconn.zone.io: {enabled: true}}
    events: {enabled: true, max_per_second: 100000}
processors:
  transform:
    metric_statements:
      - set(resource.attributes["service.name"], resource.attributes["process.executable.name"])
      - set(resource.attributes["cloud.availability_zone"], "eu-1a")
      - set(datapoint.attributes["service.peer.name"], datapoint.attributes["netconn.peer.name"])
      - set(datapoint.attributes["netconn.peer.container.image.tag"], "1.2.0")
      - set(datapoint.attributes["netconn.peer.zone"], "eu-1b")
    log_statements:
      - set(resource.attributes["service.name"], resource.attributes["process.executable.name"])
      - set(log.attributes["service.peer.name"], log.attributes["netconn.peer.name"])
connectors: {netmap: {interval: 1s}}
exporters:
  prometheus:
    endpoint: %[1]s
    resource_to_telemetry_conversion: {enabled: true}
    enable_open_metrics: true
    send_timestamps: true
%[2]sservice:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn], processors: [transform], exporters: [prometheus, netmap%[3]s]}
    metrics/edges: {receivers: [netmap], exporters: [prometheus%[3]s]}
    logs: {receivers: [netconn], processors: [transform], exporters: [%[4]s]}
`
