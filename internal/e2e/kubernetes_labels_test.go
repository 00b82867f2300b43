//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/harness/otlp"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// What a series in a backend has at most, and how many series a client's edge has. Mimir refuses a series with more than
// 30 labels, its name among them; VictoriaMetrics drops labels beyond 40.
const (
	mostLabels = 28
	mostSeries = 20
)

// A mesh with sidecars and a gateway, through the agent, the zones and the gateway of deploy/map: the edges with the
// most labels that there are. Each way into a backend is counted, and the map still gets all that it needs.
func TestClusterLabels(t *testing.T) {
	rules := rulesNamed(t, "sidecar-redirect.nft")
	s := newKnownMesh(t, bookinfo.Options{Rules: &rules})
	backend, toMap, page, telemetry := newSeriesSink(t), newSignals(t), freeAddress(t), freeAddress(t)
	more, exporters := []string{
		"file:" + root + "/deploy/components/map/gateway.yaml",
		"yaml:exporters::otlp_grpc/map::endpoint: " + toMap.address,
		"yaml:exporters::prometheus: {endpoint: '" + page + "', resource_to_telemetry_conversion: {enabled: true}, " +
			"without_scope_info: true, enable_open_metrics: true, send_timestamps: true}",
	}, "otlp_grpc, prometheus"
	stores := make(map[string]*prometheus)
	if os.Getenv("NETCONN_BACKENDS") != "" {
		stores["scrape"] = startPrometheus(t, fmt.Sprintf(strings.Replace(scraped, "{", "{honor_labels: true, ", 1), page))
		istiod := freeAddress(t)
		serveIstiod(t, istiod)
		stores["OTLP"] = startPrometheus(t, dashboardsFrom(telemetry, istiod), receiveOTLP)
		stores["remote write"] = startPrometheus(t, anyOrder, "--web.enable-remote-write-receiver")
		more = append(more, fmt.Sprintf("yaml:exporters::"+toPrometheus, 1, stores["OTLP"].address),
			fmt.Sprintf("yaml:exporters::"+remoteWrite, 2, stores["remote write"].address))
		exporters += ", otlp_http/1, prometheus_remote_write/2"
	}
	gateway := runGateway(t, backend.address, append(more, "yaml:service::pipelines::metrics::exporters: ["+exporters+"]")...)
	runAgent(t, s.KubeConfig("agent", s.Admin), &signals{address: gateway}, "yaml:receivers::netconn::collection_interval: 5s",
		fmt.Sprintf("yaml:service::telemetry::metrics::readers: [{pull: {exporter: {prometheus: {host: %s, port: %s}}}}]", host(telemetry), port(telemetry)),
		"file:"+root+"/deploy/components/zones/zones.yaml", "file:"+root+"/deploy/components/map/agent.yaml")
	toMap.await(t)
	if err := s.mesh.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return s.mesh.Balanced() == nil })

	t.Run("OTLP", func(t *testing.T) { wantFew(t, backend.all) })
	t.Run("page", func(t *testing.T) { wantFew(t, func() []values { return pageSeries(t, page) }) })
	for path, p := range stores {
		t.Run("Prometheus, by "+path, func(t *testing.T) { wantFew(t, func() []values { return p.series(t) }) })
	}
	if receiving := stores["OTLP"]; receiving != nil {
		t.Run("dashboards", func(t *testing.T) {
			receiving.t = t
			// A rate takes two samples, and the first requests may all have been reported in one collection.
			if err := s.mesh.Ask(requests); err != nil {
				t.Fatal(err)
			}
			breakConnections(t)
			receiving.wantDashboards(noPanel)
		})
	}
	for _, n := range toMap.now("netconn.io") {
		if n.resource["k8s.namespace.name"] == space && (n.resource["k8s.pod.uid"] == "" || n.resource["host.id"] == "" ||
			n.resource["cloud.region"] == "" || n.point["netconn.peer.zone"] != "" && n.point["netconn.peer.region"] == "") {
			t.Errorf("to the map: %v %v", n.resource, n.point)
		}
	}
}

// wantFew counts the labels of all series, and the series of each edge of a client in the mesh. It waits for those with
// the most of both: translated ones, and ones of the gateway.
func wantFew(t *testing.T, all func() []values) {
	t.Helper()
	var series []values
	until(t, "edges of sidecars and of the gateway", func() bool {
		series = all()
		return slices.ContainsFunc(series, func(v values) bool {
			return v["netconn_nat"] == "redirect" && v["netconn_original_destination_port"] != "" &&
				v["netconn_peer_proxy"] == "sidecar" && v["netconn_peer_zone"] != "" && v["le"] != ""
		}) && slices.ContainsFunc(series, func(v values) bool { // of a whole edge, as this is its last metric
			return v["k8s_deployment_name"] == "front" && v["netconn_role"] == "client" &&
				strings.HasPrefix(v["__name__"], "netconn_tcp_handshake")
		})
	})
	edges := map[string]map[string]int{"client": {}, "server": {}}
	most, worst := 0, values{}
	for _, v := range series {
		if v["job"] == "" && v["k8s_pod_name"] != "" || v["instance"] == "" {
			t.Fatalf("no job or no instance: %v", v)
		}
		if len(v)-1 > most { // without its name
			most, worst = len(v)-1, v
		}
		of := edges[v["netconn_role"]]
		if of != nil && v["k8s_namespace_name"] == space && !strings.HasPrefix(v["__name__"], "netconn_zone_io") {
			edge := maps.Clone(v)
			for _, own := range []string{"__name__", "le", "network_io_direction", "error_type", "netconn_limited_by"} {
				delete(edge, own)
			}
			of[seriesOf(edge)]++
		}
	}
	largest := make(map[string]int)
	for role, of := range edges {
		largest[role] = slices.Max(slices.Collect(maps.Values(of)))
		t.Logf("%d edges of a %s, at most %d series each", len(of), role, largest[role])
	}
	t.Logf("%d series, at most %d labels", len(series), most)
	if most > mostLabels {
		t.Errorf("%d labels, want at most %d: %v", most, mostLabels, slices.Sorted(maps.Keys(worst)))
	}
	if largest["client"] > mostSeries || largest["server"] > largest["client"] {
		t.Errorf("series of an edge: %v, want at most %d", largest, mostSeries)
	}
}

// A seriesSink is an OTLP receiver that makes the series of Prometheus' OTLP endpoint, with all resource attributes.
type seriesSink struct {
	address string

	mu   sync.Mutex
	held map[string]values
}

func newSeriesSink(t *testing.T) *seriesSink {
	t.Helper()
	s := &seriesSink{held: make(map[string]values)}
	s.address = serveOTLP(t, otlp.Handlers{Metrics: s.receive}).Address
	return s
}

func (s *seriesSink) all() []values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.held))
}

func (s *seriesSink) receive(md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range md.ResourceMetrics().All() {
		resource := rm.Resource().Attributes()
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if strings.HasPrefix(m.Name(), "netconn.") {
					s.keep(resource, m)
				}
			}
		}
	}
	return nil
}

func (s *seriesSink) keep(resource pcommon.Map, m pmetric.Metric) {
	put := func(name, le string, point pcommon.Map) {
		v := values{"__name__": name}
		for _, attributes := range []pcommon.Map{resource, point} {
			for key, value := range otlp.Text(attributes) {
				v[strings.NewReplacer(".", "_", "/", "_").Replace(key)] = value
			}
		}
		v["job"], v["instance"] = v["service_name"], v["service_instance_id"]
		if le != "" {
			v["le"] = le
		}
		s.held[seriesOf(v)] = v
	}
	name := strings.ReplaceAll(m.Name(), ".", "_")
	if m.Type() == pmetric.MetricTypeHistogram {
		for _, p := range m.Histogram().DataPoints().All() {
			put(name+"_sum", "", p.Attributes())
			put(name+"_count", "", p.Attributes())
			for i := range p.BucketCounts().Len() {
				put(name+"_bucket", fmt.Sprint(i), p.Attributes())
			}
		}
		return
	}
	for _, p := range m.Sum().DataPoints().All() {
		put(name, "", p.Attributes())
	}
}

// pageSeries returns the series of the page that Prometheus scrapes.
func pageSeries(t *testing.T, address string) (all []values) {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range families {
		if !strings.HasPrefix(name, "netconn_") {
			continue
		}
		for _, m := range family.GetMetric() {
			v := values{"__name__": name}
			for _, l := range m.GetLabel() {
				v[l.GetName()] = l.GetValue()
			}
			if m.GetHistogram() == nil {
				all = append(all, v)
				continue
			}
			sum, count := maps.Clone(v), maps.Clone(v)
			sum["__name__"], count["__name__"] = name+"_sum", name+"_count"
			all = append(all, sum, count)
			for _, b := range m.GetHistogram().GetBucket() {
				bucket := maps.Clone(v)
				bucket["le"] = fmt.Sprint(b.GetUpperBound())
				all = append(all, bucket)
			}
		}
	}
	return all
}

// series returns the labels of all series of netconn's metrics.
func (p *prometheus) series(t *testing.T) (all []values) {
	t.Helper()
	answer, err := http.Get("http://" + p.address + "/api/v1/series?match[]=" + url.QueryEscape(`{__name__=~"netconn_.*"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var found struct{ Data []values }
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		t.Fatal(err)
	}
	return found.Data
}
