package metrics

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Split moves the points of zero with which series begin from a message into one of their own, which is to be sent
// first. Several points of a series in one message are right by the data model of OTLP, but not every backend takes
// them. The message of zeros is empty if no series begins.
func Split(md pmetric.Metrics) (beginnings pmetric.Metrics) {
	beginnings = pmetric.NewMetrics()
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			zeros := pmetric.NewMetricSlice()
			for _, m := range sm.Metrics().All() {
				splitMetric(m, zeros)
			}
			if zeros.Len() == 0 {
				continue
			}
			b := beginnings.ResourceMetrics().AppendEmpty()
			rm.Resource().CopyTo(b.Resource())
			b.SetSchemaUrl(rm.SchemaUrl())
			s := b.ScopeMetrics().AppendEmpty()
			sm.Scope().CopyTo(s.Scope())
			zeros.MoveAndAppendTo(s.Metrics())
		}
	}
	return beginnings
}

// splitMetric moves the points of one metric that are earlier than its last one.
func splitMetric(m pmetric.Metric, zeros pmetric.MetricSlice) {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		moveEarlier(m.Histogram().DataPoints(), func() pmetric.HistogramDataPointSlice {
			h := like(m, zeros).SetEmptyHistogram()
			h.SetAggregationTemporality(m.Histogram().AggregationTemporality())
			return h.DataPoints()
		})
	case pmetric.MetricTypeExponentialHistogram:
		moveEarlier(m.ExponentialHistogram().DataPoints(), func() pmetric.ExponentialHistogramDataPointSlice {
			h := like(m, zeros).SetEmptyExponentialHistogram()
			h.SetAggregationTemporality(m.ExponentialHistogram().AggregationTemporality())
			return h.DataPoints()
		})
	case pmetric.MetricTypeSum:
		moveEarlier(m.Sum().DataPoints(), func() pmetric.NumberDataPointSlice {
			s := like(m, zeros).SetEmptySum()
			s.SetIsMonotonic(m.Sum().IsMonotonic())
			s.SetAggregationTemporality(m.Sum().AggregationTemporality())
			return s.DataPoints()
		})
	}
}

// point is a data point of any kind, and points are all of a metric.
type point[P any] interface {
	Timestamp() pcommon.Timestamp
	MoveTo(P)
}

type points[P any] interface {
	Len() int
	At(int) P
	AppendEmpty() P
	RemoveIf(func(P) bool)
}

// moveEarlier moves the points that are earlier than the last one. It makes the metric that takes them (target) if
// there are any.
func moveEarlier[P point[P], S points[P]](from S, target func() S) {
	last := from.At(from.Len() - 1).Timestamp()
	earlier := func(p P) bool { return p.Timestamp() < last }
	found := false
	for i := 0; i < from.Len() && !found; i++ {
		found = earlier(from.At(i))
	}
	if !found {
		return
	}
	to := target()
	from.RemoveIf(func(p P) bool {
		if !earlier(p) {
			return false
		}
		p.MoveTo(to.AppendEmpty())
		return true
	})
}

// like appends a metric with the name of another.
func like(m pmetric.Metric, to pmetric.MetricSlice) pmetric.Metric {
	n := to.AppendEmpty()
	n.SetName(m.Name())
	n.SetUnit(m.Unit())
	n.SetDescription(m.Description())
	return n
}
