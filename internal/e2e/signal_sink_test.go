//go:build linux

package e2e

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A values are attributes as text.
type values map[string]string

func textOf(m pcommon.Map) values {
	v := make(values)
	for key, value := range m.All() {
		v[key] = value.AsString()
	}
	return v
}

// of returns the values of some attributes, in their order; - for those that are not there.
func (v values) of(attributes ...string) string {
	var all []string
	for _, key := range attributes {
		all = append(all, cmp.Or(v[key], "-"))
	}
	return strings.Join(all, " ")
}

// A number is a point of a sum, with the attributes of its resource.
type number struct {
	resource, point values
	value           int64
	at              pcommon.Timestamp
}

// signals is an OTLP receiver of everything. Of a series it keeps the last point.
type signals struct {
	address string

	mu      sync.Mutex
	numbers map[string]map[string]number // by metric and series
	latest  pcommon.Timestamp
	events  []values // the attributes of netconn's log records and their resources together
	logs    []values // resources of other log records
	traces  []values // resources of spans
}

func newSignals(t *testing.T) *signals {
	t.Helper()
	s := &signals{numbers: make(map[string]map[string]number)}
	s.address = serveOTLP(t, func(server *grpc.Server) {
		pmetricotlp.RegisterGRPCServer(server, &metricSink{signals: s})
		plogotlp.RegisterGRPCServer(server, &logSink{signals: s})
		ptraceotlp.RegisterGRPCServer(server, &traceSink{signals: s})
	})
	return s
}

type metricSink struct {
	pmetricotlp.UnimplementedGRPCServer
	*signals
}

type logSink struct {
	plogotlp.UnimplementedGRPCServer
	*signals
}

type traceSink struct {
	ptraceotlp.UnimplementedGRPCServer
	*signals
}

func (s *metricSink) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range r.Metrics().ResourceMetrics().All() {
		resource := textOf(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Type() == pmetric.MetricTypeSum {
					s.keep(m, resource)
				}
			}
		}
	}
	return pmetricotlp.NewExportResponse(), nil
}

func (s *signals) keep(m pmetric.Metric, resource values) {
	if s.numbers[m.Name()] == nil {
		s.numbers[m.Name()] = make(map[string]number)
	}
	for _, p := range m.Sum().DataPoints().All() {
		n := number{resource, textOf(p.Attributes()), p.IntValue(), p.Timestamp()}
		s.numbers[m.Name()][seriesOf(n.resource)+"|"+seriesOf(n.point)] = n
		s.latest = max(s.latest, n.at)
	}
}

func seriesOf(v values) string {
	var all []string
	for key, value := range v {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func (s *logSink) Export(_ context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rl := range r.Logs().ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				v := textOf(rl.Resource().Attributes())
				if !strings.HasPrefix(record.EventName(), "netconn.") {
					s.logs = append(s.logs, v)
					continue
				}
				for key, value := range textOf(record.Attributes()) {
					v[key] = value
				}
				s.events = append(s.events, v)
			}
		}
	}
	return plogotlp.NewExportResponse(), nil
}

func (s *traceSink) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range r.Traces().ResourceSpans().All() {
		s.traces = append(s.traces, textOf(rs.Resource().Attributes()))
	}
	return ptraceotlp.NewExportResponse(), nil
}

// now returns the series of a metric that the last collection has. A series that is not in it is another one by now: its resource was
// told before the processor knew the pod.
func (s *signals) now(metric string) []number {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []number
	for _, n := range s.numbers[metric] {
		if n.at == s.latest {
			all = append(all, n)
		}
	}
	return all
}

// await waits for the first collection: whatever happens after it is told.
func (s *signals) await(t *testing.T) {
	t.Helper()
	until(t, "a collection", func() bool { return len(s.now("netconn.io")) > 0 })
}

// sum adds up the series of a metric by what a function says that they are; empty: nothing that counts.
func (s *signals) sum(metric string, of func(number) string) map[string]int64 {
	sums := make(map[string]int64)
	for _, n := range s.now(metric) {
		if k := of(n); k != "" && n.value != 0 {
			sums[k] += n.value
		}
	}
	return sums
}

// settle waits until what is told is what is wanted, in three collections in a row: what is too much never gets less.
func (s *signals) settle(t *testing.T, want map[string]int64, told func() map[string]int64) {
	t.Helper()
	diff, same := "", 0
	var seen pcommon.Timestamp
	if !poll(func() bool {
		s.mu.Lock()
		latest := s.latest
		s.mu.Unlock()
		if diff = gocmp.Diff(want, told()); diff != "" {
			same = 0
		} else if latest > seen {
			seen = latest
			same++
		}
		return same == 3
	}) {
		t.Fatalf("(-want +told):\n%s", diff)
	}
}

// sendSpan sends a span of an instrumented application to an agent; sendLog a log record.
func sendSpan(t *testing.T, agent string, resource map[string]any) {
	t.Helper()
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	if err := rs.Resource().Attributes().FromRaw(resource); err != nil {
		t.Fatal(err)
	}
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("GET /reviews/0")
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{1})
	_, err := ptraceotlp.NewGRPCClient(dialOTLP(t, agent)).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces))
	if err != nil {
		t.Fatal(err)
	}
}

func sendLog(t *testing.T, agent string, resource map[string]any) {
	t.Helper()
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	if err := rl.Resource().Attributes().FromRaw(resource); err != nil {
		t.Fatal(err)
	}
	rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("slow")
	_, err := plogotlp.NewGRPCClient(dialOTLP(t, agent)).Export(t.Context(), plogotlp.NewExportRequestFromLogs(logs))
	if err != nil {
		t.Fatal(err)
	}
}

func dialOTLP(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
