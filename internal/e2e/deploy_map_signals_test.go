//go:build linux

package e2e

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/netconn/netconn/internal/harness/otlp"
)

// What the gateway of deploy/map takes of a pod's traces, logs and kubelet_stats is beside the pod's edge on the map. The
// backend has it too, and also what the map has no use for.
func TestDeployMapSignals(t *testing.T) {
	page, gateway := freeAddress(t), freeAddress(t)
	backend := make(chan string, 100)
	launchMapAndGateway(t, page, gateway, serveOTLP(t, handlersInto(backend)).Address)

	send := newOTLPClient(t, gateway)
	store := zoned{"store-0", "store", "zone-a", "server", []zonedPeer{{"web", "zone-a", 20, 10}}}
	for step := range int64(2) { // the first report of a series is what was there before the map
		send.metrics(zonedMetrics([]zoned{store}, time.Now().Add(-time.Minute), step))
	}
	pod := values{"k8s.pod.uid": "uid-store-0", "k8s.container.name": "app", "container.id": "id-store-0"}
	send.metrics(usageOf(pod, map[string]float64{
		"container.cpu.usage": 0.45, "container.memory.working_set": 64e6, "k8s.pod.network.io": 1,
	}))
	send.traces(failedCall(pod))
	send.logs(errorOf(pod, "no stock"))

	type found struct {
		Calls, Errors int
		Log           string
		CPU, Memory   float64
	}
	want := found{1, 1, "no stock", 0.45, 64e6}
	var got found
	if !poll(func() bool { got = found(readSignals(t, page, "store")); return got == want }) {
		t.Errorf("beside the edge (-want +got):\n%s", cmp.Diff(want, got))
	}
	missing := map[string]bool{"netconn.io": true, "container.cpu.usage": true, "k8s.pod.network.io": true, "no stock": true, "GET /": true}
	for len(missing) > 0 {
		select {
		case name := <-backend:
			delete(missing, name)
		case <-time.After(deadline):
			t.Fatalf("the backend lacks %v", missing)
		}
	}
}

// launchMapAndGateway starts both as deploy/map configures them.
func launchMapAndGateway(t *testing.T, page, gateway, backend string) {
	t.Helper()
	health, otlp := freeAddress(t), freeAddress(t)
	quiet := "yaml:service::telemetry::metrics::level: none"
	launch(t, nil, []string{"NETCONN_MAP=" + page, "OTLP_LISTEN=" + otlp, "HEALTH_LISTEN=" + health},
		"file:"+root+"/deploy/components/map/collector.yaml", quiet)
	until(t, "the map", func() bool { return healthy(health) })
	health = freeAddress(t)
	launch(t, nil, []string{
		"OTLP_LISTEN=" + gateway, "HEALTH_LISTEN=" + health, "MAP_ENDPOINT=" + otlp, "BACKEND_ENDPOINT=" + backend,
	}, "file:"+root+"/deploy/components/gateway/collector.yaml", "file:"+root+"/deploy/components/map/gateway.yaml",
		"yaml:exporters::otlp_grpc::tls::insecure: true", quiet)
	until(t, "the gateway", func() bool { return healthy(health) })
}

// handlersInto pass on the names of metrics and spans, and the bodies of log records.
func handlersInto(names chan<- string) otlp.Handlers {
	return otlp.Handlers{
		Metrics: func(all pmetric.Metrics) error {
			for _, rm := range all.ResourceMetrics().All() {
				for _, sm := range rm.ScopeMetrics().All() {
					for _, m := range sm.Metrics().All() {
						names <- m.Name()
					}
				}
			}
			return nil
		},
		Logs: func(all plog.Logs) error {
			names <- all.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str()
			return nil
		},
		Traces: func(all ptrace.Traces) error {
			names <- all.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Name()
			return nil
		},
	}
}

// readSignals returns what the map has of the servers of a workload.
func readSignals(t *testing.T, page, workload string) (got struct {
	Calls, Errors int
	Log           string
	CPU, Memory   float64
}) {
	t.Helper()
	var all struct {
		Server struct {
			Served    struct{ N, Errors int }
			Errors    []struct{ Body string }
			Resources []struct{ CPU, Memory []*float64 }
		}
	}
	askMap(t, page, "/api/v1/signals?"+url.Values{"filter": {"server.workload=" + workload}}.Encode(), &all)
	got.Calls, got.Errors = all.Server.Served.N, all.Server.Served.Errors
	if len(all.Server.Errors) == 1 {
		got.Log = all.Server.Errors[0].Body
	}
	for _, r := range all.Server.Resources {
		got.CPU, got.Memory = got.CPU+sumOf(r.CPU), got.Memory+sumOf(r.Memory)
	}
	return got
}

func sumOf(steps []*float64) (sum float64) {
	for _, v := range steps {
		if v != nil {
			sum += *v
		}
	}
	return sum
}

// An otlpClient sends to an OTLP receiver over gRPC.
type otlpClient struct {
	t               *testing.T
	metricsClient   pmetricotlp.GRPCClient
	tracesClient    ptraceotlp.GRPCClient
	logRecordClient plogotlp.GRPCClient
}

func newOTLPClient(t *testing.T, address string) otlpClient {
	t.Helper()
	c := dialOTLP(t, address)
	return otlpClient{t, pmetricotlp.NewGRPCClient(c), ptraceotlp.NewGRPCClient(c), plogotlp.NewGRPCClient(c)}
}

func (c otlpClient) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c otlpClient) metrics(all pmetric.Metrics) {
	c.t.Helper()
	_, err := c.metricsClient.Export(c.t.Context(), pmetricotlp.NewExportRequestFromMetrics(all))
	c.check(err)
}

func (c otlpClient) traces(all ptrace.Traces) {
	c.t.Helper()
	_, err := c.tracesClient.Export(c.t.Context(), ptraceotlp.NewExportRequestFromTraces(all))
	c.check(err)
}

func (c otlpClient) logs(all plog.Logs) {
	c.t.Helper()
	_, err := c.logRecordClient.Export(c.t.Context(), plogotlp.NewExportRequestFromLogs(all))
	c.check(err)
}

func (v values) put(m pcommon.Map) {
	for key, value := range v {
		m.PutStr(key, value)
	}
}

// usageOf returns gauges of one time, as kubelet_stats sends them.
func usageOf(resource values, gauges map[string]float64) pmetric.Metrics {
	all := pmetric.NewMetrics()
	rm := all.ResourceMetrics().AppendEmpty()
	resource.put(rm.Resource().Attributes())
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	now := pcommon.NewTimestampFromTime(time.Now())
	for name, value := range gauges {
		m := metrics.AppendEmpty()
		m.SetName(name)
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(now)
		p.SetDoubleValue(value)
	}
	return all
}

func failedCall(resource values) ptrace.Traces {
	all := ptrace.NewTraces()
	rs := all.ResourceSpans().AppendEmpty()
	resource.put(rs.Resource().Attributes())
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetName("GET /")
	s.SetKind(ptrace.SpanKindServer)
	s.SetTraceID(pcommon.TraceID{1})
	s.SetSpanID(pcommon.SpanID{1})
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-time.Second)))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	s.Status().SetCode(ptrace.StatusCodeError)
	return all
}

func errorOf(resource values, text string) plog.Logs {
	all := plog.NewLogs()
	rl := all.ResourceLogs().AppendEmpty()
	resource.put(rl.Resource().Attributes())
	l := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	l.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	l.SetSeverityNumber(plog.SeverityNumberError)
	l.Body().SetStr(text)
	return all
}
