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
	if m.Type() == pmetric.MetricTypeHistogram {
		points := m.Histogram().DataPoints()
		last := points.At(points.Len() - 1).Timestamp()
		if !anyEarlier(points.Len(), func(i int) pcommon.Timestamp { return points.At(i).Timestamp() }, last) {
			return
		}
		h := like(m, zeros).SetEmptyHistogram()
		h.SetAggregationTemporality(m.Histogram().AggregationTemporality())
		points.RemoveIf(func(p pmetric.HistogramDataPoint) bool {
			earlier := p.Timestamp() < last
			if earlier {
				p.MoveTo(h.DataPoints().AppendEmpty())
			}
			return earlier
		})
		return
	}
	points := m.Sum().DataPoints()
	last := points.At(points.Len() - 1).Timestamp()
	if !anyEarlier(points.Len(), func(i int) pcommon.Timestamp { return points.At(i).Timestamp() }, last) {
		return
	}
	s := like(m, zeros).SetEmptySum()
	s.SetIsMonotonic(m.Sum().IsMonotonic())
	s.SetAggregationTemporality(m.Sum().AggregationTemporality())
	points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
		earlier := p.Timestamp() < last
		if earlier {
			p.MoveTo(s.DataPoints().AppendEmpty())
		}
		return earlier
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

func anyEarlier(n int, at func(int) pcommon.Timestamp, last pcommon.Timestamp) bool {
	for i := range n {
		if at(i) < last {
			return true
		}
	}
	return false
}
