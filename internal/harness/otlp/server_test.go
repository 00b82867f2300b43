package otlp_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
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
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/netconn/netconn/internal/harness/otlp"
)

func listen(t *testing.T, h otlp.Handlers, options ...grpc.ServerOption) (*otlp.Server, *grpc.ClientConn) {
	t.Helper()
	s, err := otlp.Listen("127.0.0.1:0", h, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return s, c
}

// sum is an export of one sum with one point.
func sum(name string, value int64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("container.id", "c1")
	rm.Resource().Attributes().PutInt("process.pid", 7)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	p := m.SetEmptySum().DataPoints().AppendEmpty()
	p.Attributes().PutStr("netconn.role", "client")
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Unix(1, 0)))
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(2, 0)))
	p.SetIntValue(value)
	return md
}

func export(t *testing.T, c *grpc.ClientConn, md pmetric.Metrics) error {
	t.Helper()
	_, err := pmetricotlp.NewGRPCClient(c).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(md))
	return err
}

// Each signal comes to its handler.
func TestSignals(t *testing.T) {
	var got []string
	s, c := listen(t, otlp.Handlers{
		Metrics: func(md pmetric.Metrics) error {
			got = append(got, fmt.Sprint("metrics ", md.DataPointCount()))
			return nil
		},
		Logs:   func(ld plog.Logs) error { got = append(got, fmt.Sprint("logs ", ld.LogRecordCount())); return nil },
		Traces: func(td ptrace.Traces) error { got = append(got, fmt.Sprint("traces ", td.SpanCount())); return nil },
	})
	if err := export(t, c, sum("a", 1)); err != nil {
		t.Error(err)
	}
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	if _, err := plogotlp.NewGRPCClient(c).Export(t.Context(), plogotlp.NewExportRequestFromLogs(ld)); err != nil {
		t.Error(err)
	}
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	if _, err := ptraceotlp.NewGRPCClient(c).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(td)); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"metrics 1", "logs 1", "traces 1"}, got); diff != "" {
		t.Errorf("exports (-want +got):\n%s", diff)
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

// An export that a handler refuses is refused, and the first reason is kept. A signal without a handler is refused too.
func TestRefuses(t *testing.T) {
	n := 0
	s, c := listen(t, otlp.Handlers{Metrics: func(pmetric.Metrics) error {
		n++
		return []error{nil, errors.New("first"), errors.New("second")}[n-1]
	}})
	for i, want := range []string{"", "InvalidArgument desc = first", "InvalidArgument desc = second"} {
		err := export(t, c, sum("a", 1))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("export %d: %v, want %q", i, err, want)
		}
	}
	if s.Err() == nil || s.Err().Error() != "first" {
		t.Errorf("kept: %v", s.Err())
	}
	_, err := plogotlp.NewGRPCClient(c).Export(t.Context(), plogotlp.NewExportRequest())
	if err == nil || !strings.Contains(err.Error(), "Unimplemented") {
		t.Errorf("logs without a handler: %v", err)
	}
}

// Handlers are never called at the same time.
func TestOneExportAtATime(t *testing.T) {
	var inside, most atomic.Int32
	_, c := listen(t, otlp.Handlers{Metrics: func(pmetric.Metrics) error {
		most.Store(max(most.Load(), inside.Add(1)))
		time.Sleep(time.Millisecond)
		inside.Add(-1)
		return nil
	}})
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := pmetricotlp.NewGRPCClient(c).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(sum("a", 1)))
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d handlers at a time", most.Load())
	}
}

// A message that is larger than receivers accept by default is refused, unless an option allows it.
func TestMessageSize(t *testing.T) {
	md := sum(strings.Repeat("a", 5<<20), 1)
	take := otlp.Handlers{Metrics: func(pmetric.Metrics) error { return nil }}
	_, c := listen(t, take)
	if err := export(t, c, md); err == nil || !strings.Contains(err.Error(), "larger than max") {
		t.Errorf("5 MiB by default: %v", err)
	}
	_, c = listen(t, take, grpc.MaxRecvMsgSize(6<<20))
	if err := export(t, c, md); err != nil {
		t.Errorf("5 MiB with an option: %v", err)
	}
}

// The points of the sums come as values, however many there are; what is no number of things is refused.
func TestListenPoints(t *testing.T) {
	var got []otlp.Point
	s, err := otlp.ListenPoints(func(points []otlp.Point) { got = append(got, points...) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fraction := sum("b", 0)
	fraction.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).SetDoubleValue(0.5)
	large := strings.Repeat("a", 5<<20)
	if err := errors.Join(export(t, c, sum("a", 1)), export(t, c, sum(large, 2))); err != nil {
		t.Error(err)
	}
	if err := export(t, c, fraction); err == nil {
		t.Error("a fraction was accepted")
	}
	if len(got) != 2 || got[0].Metric != "a" || got[0].Value != 1 || got[1].Metric != large || got[1].Value != 2 {
		t.Errorf("got %d points", len(got))
	}
	if s.Err() == nil || s.Err().Error() != "read b: a value is Double" {
		t.Errorf("kept: %v", s.Err())
	}
}

// A server may be closed before it has begun to serve.
func TestClosedAtOnce(t *testing.T) {
	for range 100 {
		s, err := otlp.Listen("127.0.0.1:0", otlp.Handlers{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListenFails(t *testing.T) {
	if _, err := otlp.Listen("127.0.0.1:nowhere", otlp.Handlers{}); err == nil || !strings.HasPrefix(err.Error(), "listen for OTLP: ") {
		t.Errorf("got %v", err)
	}
}

func TestPoints(t *testing.T) {
	md := sum("netconn.io", 5)
	other := md.ResourceMetrics().At(0).ScopeMetrics().AppendEmpty().Metrics()
	h := other.AppendEmpty()
	h.SetName("netconn.tcp.rtt")
	h.SetEmptyHistogram().DataPoints().AppendEmpty()
	g := other.AppendEmpty()
	g.SetName("netconn.active")
	g.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(3)
	l := other.AppendEmpty()
	l.SetName("netconn.tcp.limited")
	l.SetUnit("s")
	l.SetEmptySum().DataPoints().AppendEmpty().SetDoubleValue(1.2503)
	got, err := otlp.Points(md)
	if err != nil {
		t.Fatal(err)
	}
	resource := map[string]string{"container.id": "c1", "process.pid": "7"}
	want := []otlp.Point{
		{resource, "netconn.io", map[string]string{"netconn.role": "client"}, time.Unix(1, 0).UTC(), time.Unix(2, 0).UTC(), 5},
		{resource, "netconn.active", map[string]string{}, time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC(), 3},
		{resource, "netconn.tcp.limited", map[string]string{}, time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC(), 1250},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).SetDoubleValue(5.5)
	if _, err := otlp.Points(md); err == nil || err.Error() != "read netconn.io: a value is Double" {
		t.Errorf("a fraction: %v", err)
	}
}
