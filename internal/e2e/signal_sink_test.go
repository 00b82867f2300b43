//go:build linux

package e2e

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/netconn/netconn/internal/harness/otlp"
)

// values are attributes as text.
type values map[string]string

// of returns the values of some attributes, in their order; - for those that are not there.
func (v values) of(attributes ...string) string {
	var all []string
	for _, key := range attributes {
		all = append(all, cmp.Or(v[key], "-"))
	}
	return strings.Join(all, " ")
}

// has reports whether all of these are among the values.
func (v values) has(these values) bool {
	for key, value := range these {
		if v[key] != value {
			return false
		}
	}
	return true
}

// A number is a point of a sum, with the attributes of its resource.
type number struct {
	resource, point values
	value           int64
	at              time.Time
}

// signals is an OTLP receiver of everything. Of a series it keeps the last point.
type signals struct {
	address string

	mu      sync.Mutex
	numbers map[string]map[string]number // by metric and series
	latest  time.Time
	events  []values // the attributes of netconn's log records and their resources together
	logs    []values // resources of other log records
	traces  []values // resources of spans
}

func newSignals(t *testing.T) *signals {
	t.Helper()
	s := &signals{numbers: make(map[string]map[string]number)}
	s.address = serveOTLP(t, otlp.Handlers{Metrics: s.receiveMetrics, Logs: s.receiveLogs, Traces: s.receiveTraces}).Address
	return s
}

func (s *signals) receiveMetrics(md pmetric.Metrics) error {
	points, err := otlp.Points(md)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range points {
		if s.numbers[p.Metric] == nil {
			s.numbers[p.Metric] = make(map[string]number)
		}
		n := number{p.Resource, p.Attributes, p.Value, p.Time}
		s.numbers[p.Metric][seriesOf(n.resource)+"|"+seriesOf(n.point)] = n
		if n.at.After(s.latest) {
			s.latest = n.at
		}
	}
	return err
}

func seriesOf(v values) string {
	var all []string
	for key, value := range v {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func (s *signals) receiveLogs(ld plog.Logs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				v := otlp.Text(rl.Resource().Attributes())
				if !strings.HasPrefix(record.EventName(), "netconn.") {
					s.logs = append(s.logs, v)
					continue
				}
				v["event"] = record.EventName()
				for key, value := range otlp.Text(record.Attributes()) {
					v[key] = value
				}
				s.events = append(s.events, v)
			}
		}
	}
	return nil
}

// matching returns the events that have some values.
func (s *signals) matching(want values) (all []values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.has(want) {
			all = append(all, e)
		}
	}
	return all
}

func (s *signals) receiveTraces(td ptrace.Traces) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range td.ResourceSpans().All() {
		s.traces = append(s.traces, otlp.Text(rs.Resource().Attributes()))
	}
	return nil
}

// now returns the series of a metric that the last collection has. A series that is not in it is another one by now:
// its resource was sent before the processor knew the pod.
func (s *signals) now(metric string) []number {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []number
	for _, n := range s.numbers[metric] {
		if n.at.Equal(s.latest) {
			all = append(all, n)
		}
	}
	return all
}

// ever returns the last point of each series that there ever was.
func (s *signals) ever(metric string) []number {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.numbers[metric]))
}

// await waits for the first collection: what happens after it is reported.
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

// settle waits until three collections in a row have what is wanted: totals never fall, so an excess stays.
func (s *signals) settle(t *testing.T, want map[string]int64, reported func() map[string]int64) {
	t.Helper()
	diff, same := "", 0
	var seen time.Time
	if !poll(func() bool {
		s.mu.Lock()
		latest := s.latest
		s.mu.Unlock()
		if diff = gocmp.Diff(want, reported()); diff != "" {
			same = 0
		} else if latest.After(seen) {
			seen = latest
			same++
		}
		return same == 3
	}) {
		t.Fatalf("(-want +reported):\n%s", diff)
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
