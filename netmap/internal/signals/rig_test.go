package signals

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// noon is when the tests happen; it begins a minute.
var noon = time.Unix(1_764_115_200, 0)

// A rig is a store with a clock that the test sets.
type rig struct {
	*Store
	t   testing.TB
	now time.Time
}

func newRig(t testing.TB, bytes int) *rig {
	r := &rig{t: t, now: noon}
	r.Store = New(Config{MaxBytes: bytes, Now: func() time.Time { return r.now }})
	return r
}

type attributes map[string]any

func (a attributes) put(m pcommon.Map) {
	if err := m.FromRaw(a); err != nil {
		panic(err)
	}
}

var reviews = attributes{
	"service.name": "reviews", "container.id": "c-reviews", "k8s.pod.uid": "u-reviews", "k8s.container.name": "reviews",
}

// A call is a span of kind server.
type call struct {
	name         string
	at           time.Time // of its end
	took         time.Duration
	failed       bool
	kind         ptrace.SpanKind // 0: server
	state        string
	attrs        attributes
	trace, index byte
}

func (r *rig) spans(resource attributes, all ...call) {
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	resource.put(rs.Resource().Attributes())
	to := rs.ScopeSpans().AppendEmpty().Spans()
	for _, c := range all {
		s := to.AppendEmpty()
		s.SetName(c.name)
		s.SetKind(c.kind)
		if c.kind == 0 {
			s.SetKind(ptrace.SpanKindServer)
		}
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(c.at.Add(-c.took)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(c.at))
		s.TraceState().FromRaw(c.state)
		s.SetTraceID(pcommon.TraceID{c.trace, c.index})
		if c.failed {
			s.Status().SetCode(ptrace.StatusCodeError)
		}
		c.attrs.put(s.Attributes())
	}
	r.AddTraces(traces)
}

// A record is a log record.
type record struct {
	at       time.Time
	event    string
	severity plog.SeverityNumber
	body     string
	attrs    attributes
}

func (r *rig) records(resource attributes, all ...record) {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	resource.put(rl.Resource().Attributes())
	to := rl.ScopeLogs().AppendEmpty().LogRecords()
	for _, l := range all {
		lr := to.AppendEmpty()
		lr.SetTimestamp(pcommon.NewTimestampFromTime(l.at))
		lr.SetEventName(l.event)
		lr.SetSeverityNumber(l.severity)
		lr.Body().SetStr(l.body)
		l.attrs.put(lr.Attributes())
	}
	r.AddLogs(logs)
}

func (r *rig) gauges(resource attributes, at time.Time, values map[string]float64) {
	metrics := pmetric.NewMetrics()
	rm := metrics.ResourceMetrics().AppendEmpty()
	resource.put(rm.Resource().Attributes())
	to := rm.ScopeMetrics().AppendEmpty().Metrics()
	for name, v := range values {
		m := to.AppendEmpty()
		m.SetName(name)
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(at))
		p.SetDoubleValue(v)
	}
	r.AddMetrics(metrics)
}

func endOf(resource attributes) *edge.End {
	e := edge.ReadLocal(func(key string) (string, bool) {
		v, ok := resource[key].(string)
		return v, ok
	})
	return &e
}

// server answers what is known of the server of an edge from the workload frontend, over five minutes.
func (r *rig) server(of attributes) *Side {
	r.t.Helper()
	client := endOf(attributes{"k8s.deployment.name": "frontend", "k8s.pod.name": "frontend-1"})
	e := snap.Edge{Client: client, Server: endOf(of), Link: edge.Link{Role: edge.Client, Port: 9080}}
	to := r.now.Unix()
	to += fineStep - to%fineStep
	a, err := r.Read(r.t.Context(), []*snap.Edge{&e}, snap.Range{From: to - fineSpan, To: to, Step: fineStep},
		Sides{Server: true}, false)
	if err != nil {
		r.t.Fatal(err)
	}
	if a.Client != nil {
		r.t.Error("the clients were answered too")
	}
	return a.Server
}
