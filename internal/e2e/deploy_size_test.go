//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/netconn/netconn/internal/harness/otlp"
)

// defaultMessage is the largest message that a gRPC server takes by default, in bytes.
const defaultMessage = 4 << 20

// declared is what metadata.yaml says of attributes, metrics and events.
type declared struct {
	Attributes map[string]struct {
		Type  string
		Enum  []string
		Level string `json:"requirement_level"`
	}
	Metrics map[string]struct {
		Enabled    bool
		Attributes []string
		Histogram  *struct{}
	}
	Events map[string]struct{ Attributes []string }
}

func readDeclared(t *testing.T) declared {
	t.Helper()
	var d declared
	read(t, root+"/receiver/netconnreceiver/metadata.yaml", &d)
	return d
}

// longest returns the longest text that an attribute can have. The limits are those of Kubernetes: 253 bytes for the
// names of pods, nodes and workloads, 63 for namespaces, containers and values of labels, 128 for tags of images.
func (d declared) longest(attribute string) string {
	declaration := d.Attributes[attribute]
	if len(declaration.Enum) > 0 {
		return slices.MaxFunc(declaration.Enum, func(a, b string) int { return len(a) - len(b) })
	}
	length := 253
	for suffix, n := range map[string]int{
		"address": 39, "container.id": 64, "pod.uid": 36, "image.tag": 128, "namespace.name": 63, "peer.namespace": 63,
		"container.name": 63, "zone": 63, "region": 63, "workload.kind": 63,
	} {
		if strings.HasSuffix(attribute, suffix) {
			length = n
		}
	}
	return strings.Repeat("x", length)
}

// put adds attributes with their longest values.
func (d declared) put(m pcommon.Map, attributes []string) {
	for _, name := range attributes {
		switch d.Attributes[name].Type {
		case "int":
			m.PutInt(name, -1) // ten bytes
		case "double":
			m.PutDouble(name, 1)
		default:
			m.PutStr(name, d.longest(name))
		}
	}
}

// largestResource has all that k8s_attributes adds in deploy/base, and netconn's own attributes of a container.
func (d declared) largestResource(t *testing.T, m pcommon.Map) {
	t.Helper()
	var agent struct {
		Processors struct {
			Attributes struct {
				Extract struct {
					Metadata []string
					Labels   []struct{ Key string }
				}
			} `json:"k8s_attributes"`
		}
	}
	read(t, root+"/deploy/base/collector.yaml", &agent)
	extract := agent.Processors.Attributes.Extract
	if len(extract.Metadata) == 0 {
		t.Fatal("k8s_attributes extracts nothing")
	}
	d.put(m, extract.Metadata)
	m.PutStr("service.instance.id", strings.Repeat("x", 64+1+255)) // container/executable
	for _, label := range extract.Labels {
		m.PutStr("k8s.pod.labels."+label.Key, strings.Repeat("x", 63))
	}
	d.put(m, []string{"host.id", "host.name", "process.executable.name"})
}

// largestPoint returns the size of the largest point of any metric, and its name. The point has a resource of its own.
func (d declared) largestPoint(t *testing.T) (size int, metric string) {
	t.Helper()
	for name, declaration := range d.Metrics {
		all := pmetric.NewMetrics()
		rm := all.ResourceMetrics().AppendEmpty()
		d.largestResource(t, rm.Resource().Attributes())
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName(name)
		m.SetDescription(strings.Repeat("x", 200))
		if declaration.Histogram != nil {
			p := m.SetEmptyHistogram().DataPoints().AppendEmpty()
			p.BucketCounts().FromRaw(make([]uint64, 64))
			p.ExplicitBounds().FromRaw(make([]float64, 63))
			d.put(p.Attributes(), declaration.Attributes)
		} else {
			p := m.SetEmptySum().DataPoints().AppendEmpty()
			p.SetIntValue(1)
			d.put(p.Attributes(), declaration.Attributes)
		}
		if n := new(pmetric.ProtoMarshaler).MetricsSize(all); n > size {
			size, metric = n, name
		}
	}
	return size, metric
}

// largestEvent does the same for log records.
func (d declared) largestEvent(t *testing.T) (size int, event string) {
	t.Helper()
	for name, declaration := range d.Events {
		all := plog.NewLogs()
		rl := all.ResourceLogs().AppendEmpty()
		d.largestResource(t, rl.Resource().Attributes())
		record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.SetEventName(name)
		record.Body().SetStr(strings.Repeat("x", 1000))
		d.put(record.Attributes(), declaration.Attributes)
		if n := new(plog.ProtoMarshaler).LogsSize(all); n > size {
			size, event = n, name
		}
	}
	return size, event
}

// A full batch of the largest points or records, each with a resource of its own, fits a message of every gRPC server.
// That is true of each configuration that is shipped.
func TestDeployLargestMessage(t *testing.T) {
	d := readDeclared(t)
	point, metric := d.largestPoint(t)
	record, event := d.largestEvent(t)
	t.Logf("the largest point is of %s, %d bytes; the largest record is %s, %d bytes", metric, point, event, record)
	if point == 0 || record == 0 {
		t.Fatal("metadata.yaml declares nothing")
	}
	batched := 0
	for _, path := range shippedConfigurations(t) {
		var c struct {
			Processors map[string]struct {
				Size int `json:"send_batch_size"`
				Max  int `json:"send_batch_max_size"`
			}
		}
		read(t, path, &c)
		batch, there := c.Processors["batch"]
		if !there {
			continue
		}
		batched++
		if batch.Max == 0 || batch.Size > batch.Max || batch.Max*max(point, record) > defaultMessage {
			t.Errorf("%s: batches of %d to %d; %d of these points fit a message", path, batch.Size, batch.Max, defaultMessage/max(point, record))
		}
	}
	if batched < 4 {
		t.Errorf("%d configurations batch", batched)
	}
}

// shippedConfigurations returns the paths of all configurations of collectors in deploy/ and testdata/.
func shippedConfigurations(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"deploy/base/*.yaml", "deploy/components/*/*.yaml", "testdata/*.yaml"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			var c struct{ Service, Receivers map[string]any }
			if text := readText(t, path); !strings.Contains(text, "\nkind:") && !strings.HasPrefix(text, "apiVersion:") {
				if read(t, path, &c); len(c.Service)+len(c.Receivers) > 0 {
					all = append(all, path)
				}
			}
		}
	}
	return all
}

// A busy node's collection passes all shipped configurations, from the container netconn through the agent's collector
// and the gateway, into a gRPC server with default settings. It is one message of netconn, ten times as large as the
// server takes. More than max_connections (some 300,000 with the shipped memory limit) a message cannot have, and how many it
// has makes no difference to batches.
func TestDeployBusyNode(t *testing.T) {
	const resources, flows = 20, 500 // limit_per_resource has 500 by default
	sink := newPointSink(t)
	gateway := runGateway(t, sink.address)
	agent := runAgentCollector(t, gateway)
	flood := freeAddress(t)
	launch(t, nil, []string{"NETCONN_OTLP=" + agent.netconn, "K8S_NODE_NAME=node1"}, "file:"+root+"/deploy/base/netconn.yaml",
		"yaml:receivers::otlp::protocols::grpc: {endpoint: '"+flood+"', max_recv_msg_size_mib: 1024}",
		"yaml:service::pipelines::metrics/netconn::receivers: [otlp]", "yaml:service::pipelines::logs/netconn::receivers: [otlp]")

	sent := busyNode(readDeclared(t), resources, flows)
	if size := new(pmetric.ProtoMarshaler).MetricsSize(sent); size < 10*defaultMessage {
		t.Fatalf("%d bytes are no busy node", size)
	}
	want := countPoints(sent)
	client := pmetricotlp.NewGRPCClient(dialOTLP(t, flood))
	until(t, "the message to be taken", func() bool {
		_, err := client.Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(sent))
		return err == nil
	})
	diff := ""
	if !poll(func() bool { diff = cmp.Diff(want, sink.counts()); return diff == "" }) {
		t.Fatalf("points that arrived (-want +got):\n%s", diff)
	}
}

// busyNode returns a collection of as many flows for each of some containers: a point of each metric that is on by
// default.
func busyNode(d declared, resources, flows int) pmetric.Metrics {
	all := pmetric.NewMetrics()
	for r := range resources {
		rm := all.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("container.id", fmt.Sprintf("%064d", r))
		scope := rm.ScopeMetrics().AppendEmpty()
		scope.Scope().SetName("github.com/netconn/netconn/receiver/netconnreceiver")
		for _, name := range slices.Sorted(maps.Keys(d.Metrics)) {
			if !d.Metrics[name].Enabled {
				continue
			}
			m := scope.Metrics().AppendEmpty()
			m.SetName(name)
			sum := m.SetEmptySum()
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			for f := range flows {
				p := sum.DataPoints().AppendEmpty()
				p.SetIntValue(int64(f))
				d.put(p.Attributes(), slices.DeleteFunc(slices.Clone(d.Metrics[name].Attributes), func(a string) bool {
					return d.Attributes[a].Level == "opt_in"
				}))
				p.Attributes().PutStr("netconn.peer.name", fmt.Sprint("peer-", f))
			}
		}
	}
	return all
}

// countPoints counts the points of each container.
func countPoints(all pmetric.Metrics) map[string]int {
	counts := make(map[string]int)
	for _, rm := range all.ResourceMetrics().All() {
		id, there := rm.Resource().Attributes().Get("container.id")
		if !there {
			continue // the collector's own metrics
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				counts[id.AsString()] += m.Sum().DataPoints().Len()
			}
		}
	}
	return counts
}

// pointSink is an OTLP receiver with the default limits that counts the points of each container.
type pointSink struct {
	address string

	mu    sync.Mutex
	total map[string]int
}

func newPointSink(t *testing.T) *pointSink {
	t.Helper()
	s := &pointSink{total: make(map[string]int)}
	s.address = serveOTLP(t, otlp.Handlers{Metrics: s.receive}).Address
	return s
}

func (s *pointSink) receive(md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range countPoints(md) {
		s.total[id] += n
	}
	return nil
}

func (s *pointSink) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.total)
}

// agentCollector is the container collector of an agent.
type agentCollector struct {
	*collector
	netconn, otlp string // addresses: for the container netconn, for applications
}

// runAgentCollector starts the container collector of deploy/base, in a cluster without pods.
func runAgentCollector(t *testing.T, endpoint string, more ...string) agentCollector {
	t.Helper()
	a := agentCollector{netconn: freeAddress(t), otlp: freeAddress(t)}
	health, telemetry, api := freeAddress(t), freeAddress(t), emptyCluster(t)
	a.collector = launch(t, nil, []string{
		"K8S_NODE_NAME=node1", "KUBERNETES_AUTH=none", "KUBERNETES_SERVICE_HOST=" + host(api), "KUBERNETES_SERVICE_PORT=" + port(api),
		"NETCONN_OTLP=" + a.netconn, "OTLP_LISTEN=" + a.otlp, "OTLP_ENDPOINT=" + endpoint,
		"HEALTH_LISTEN=" + health, "TELEMETRY_HOST=" + host(telemetry), "TELEMETRY_PORT=" + port(telemetry),
	}, append([]string{"file:" + root + "/deploy/base/collector.yaml"}, more...)...)
	until(t, "the agent's collector", func() bool { return healthy(health) })
	return a
}

// runGateway starts the gateway, and returns the address at which it takes telemetry.
func runGateway(t *testing.T, backend string, more ...string) (address string) {
	t.Helper()
	address = freeAddress(t)
	health, telemetry := freeAddress(t), freeAddress(t)
	launch(t, nil, []string{
		"OTLP_LISTEN=" + address, "BACKEND_ENDPOINT=" + backend, "HEALTH_LISTEN=" + health,
		"TELEMETRY_HOST=" + host(telemetry), "TELEMETRY_PORT=" + port(telemetry),
	}, append([]string{"file:" + root + "/deploy/components/gateway/collector.yaml", "yaml:exporters::otlp_grpc::tls::insecure: true"}, more...)...)
	until(t, "the gateway", func() bool { return healthy(health) })
	return address
}

// emptyCluster serves the API of a cluster without objects, and returns its address.
func emptyCluster(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") != "" {
			w.(http.Flusher).Flush()
			select {
			case <-ended:
			case <-r.Context().Done():
			}
			return
		}
		fmt.Fprint(w, `{"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}`)
	}))
	server.Listener.Close()
	server.Listener = l
	server.StartTLS()
	t.Cleanup(func() { close(ended); server.Close() })
	return l.Addr().String()
}
