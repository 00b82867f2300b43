package ledger

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// Flush returns the totals of all edges, and the zeros with which new totals begin: at the time of the flush before.
// The zeros are to be sent first; they have no points if no total is new. Both are without resource attributes.
func (l *Ledger) Flush() (zeros, totals pmetric.Metrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.config.Now()
	l.expire(now)
	z, t := newMessage(l, now), newMessage(l, now)
	z.zeros = true
	for k, a := range l.accounts {
		common := pcommon.NewMap()
		k.put(common)
		z.edge(a, common) // before what has no zero any more is shown
		t.edge(a, common)
	}
	l.flushed = now
	return z.finish(), t.finish()
}

// put writes the attributes of an edge: the tags of both ends by their names in the map's API.
func (k *key) put(to pcommon.Map) {
	reporter := names.RoleClient
	if k.byServer {
		reporter = names.RoleServer
	}
	to.PutStr(names.Reporter, reporter)
	if !k.known {
		to.PutStr(names.Role.Key(), names.RoleUnknown)
	}
	for t := range names.Tags {
		for prefix, e := range map[string]*edge.End{"client.": &k.client, "server.": &k.server} {
			if e.Has(t) {
				to.PutStr(prefix+t.String(), e.Get(t))
			}
		}
	}
	if k.port != 0 {
		to.PutInt(names.ServerPort.Key(), int64(k.port))
	}
	if k.scope != edge.ScopeUnknown {
		to.PutStr(names.EdgeReach, k.scope.String())
	}
	if v := k.transport.String(); v != "" && v != names.TCP {
		to.PutStr(names.Transport.Key(), v)
	}
}

// A message is metrics in the making: of the totals, or of the zeros with which those that were not shown begin.
type message struct {
	metrics pmetric.Metrics
	bounds  []float64
	now     pcommon.Timestamp
	zeros   bool

	io, retransmits, attempts, closed, active pmetric.NumberDataPointSlice
	rtt                                       pmetric.HistogramDataPointSlice
}

func newMessage(l *Ledger, now time.Time) *message {
	w := &message{metrics: pmetric.NewMetrics(), bounds: l.config.Bounds, now: pcommon.NewTimestampFromTime(now)}
	all := w.metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	w.io = counter(all, names.EdgeIO, names.Bytes)
	w.retransmits = counter(all, names.EdgeRetransmits, names.Segments)
	w.attempts = counter(all, names.EdgeAttempts, names.Connections)
	w.closed = counter(all, names.EdgeClosed, names.Connections)
	active := described(all, names.EdgeActive, names.Connections).SetEmptySum()
	active.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	w.active = active.DataPoints()
	rtt := described(all, names.EdgeRTT, names.Seconds).SetEmptyHistogram()
	rtt.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	w.rtt = rtt.DataPoints()
	return w
}

func described(all pmetric.MetricSlice, name, unit string) pmetric.Metric {
	m := all.AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	return m
}

func counter(all pmetric.MetricSlice, name, unit string) pmetric.NumberDataPointSlice {
	s := described(all, name, unit).SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return s.DataPoints()
}

// edge writes the points of an edge.
func (w *message) edge(a *account, common pcommon.Map) {
	w.total(w.io, &a.sent, common, names.Direction, names.Transmit)
	w.total(w.io, &a.received, common, names.Direction, names.Receive)
	w.total(w.retransmits, &a.retransmits, common, "", "")
	for _, o := range a.attempts {
		w.total(w.attempts, &o.total, common, names.ErrorType, o.error)
	}
	for _, o := range a.closed {
		w.total(w.closed, &o.total, common, names.ErrorType, o.error)
	}
	w.distribution(&a.rtt, common)
	if w.zeros {
		return
	}
	p := w.active.AppendEmpty()
	common.CopyTo(p.Attributes())
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(a.began))
	p.SetTimestamp(w.now)
	p.SetIntValue(a.open)
}

// absent reports whether a total has no point in the message. One that has been written is shown from now on.
func (w *message) absent(t *total) bool {
	if t.value == 0 || w.zeros && t.shown {
		return true
	}
	t.shown = t.shown || !w.zeros
	return false
}

// total writes a point of a counter with one more attribute, unless that is empty.
func (w *message) total(to pmetric.NumberDataPointSlice, t *total, common pcommon.Map, name, value string) {
	if w.absent(t) {
		return
	}
	p := to.AppendEmpty()
	common.CopyTo(p.Attributes())
	if value != "" {
		p.Attributes().PutStr(name, value)
	}
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(t.began))
	p.SetTimestamp(w.at(t))
	p.SetIntValue(int64(t.value))
	if w.zeros {
		p.SetIntValue(0)
	}
}

// at returns of when the point of a total is: a zero is of its beginning.
func (w *message) at(t *total) pcommon.Timestamp {
	if w.zeros {
		return pcommon.NewTimestampFromTime(t.began)
	}
	return w.now
}

func (w *message) distribution(r *distribution, common pcommon.Map) {
	if w.absent(&r.total) {
		return
	}
	p := w.rtt.AppendEmpty()
	common.CopyTo(p.Attributes())
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(r.began))
	p.SetTimestamp(w.at(&r.total))
	p.ExplicitBounds().FromRaw(w.bounds)
	p.BucketCounts().FromRaw(make([]uint64, len(r.buckets)))
	p.SetSum(0)
	if !w.zeros {
		p.BucketCounts().FromRaw(r.buckets)
		p.SetCount(r.value)
		p.SetSum(r.sum)
	}
}

// finish returns the metrics that have points.
func (w *message) finish() pmetric.Metrics {
	all := w.metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	all.RemoveIf(func(m pmetric.Metric) bool {
		if m.Type() == pmetric.MetricTypeHistogram {
			return m.Histogram().DataPoints().Len() == 0
		}
		return m.Sum().DataPoints().Len() == 0
	})
	return w.metrics
}
