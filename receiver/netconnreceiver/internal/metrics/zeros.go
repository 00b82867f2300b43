package metrics

import "go.opentelemetry.io/collector/pdata/pmetric"

// Beginnings returns a copy of the points of zero with which series begin, so that they can be sent again. It is empty
// if no series begins.
func Beginnings(md pmetric.Metrics) pmetric.Metrics {
	beginnings := pmetric.NewMetrics()
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			zeros := pmetric.NewMetricSlice()
			for _, m := range sm.Metrics().All() {
				copyZeros(m, zeros)
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

// copyZeros copies the points of one metric that are earlier than its last one.
func copyZeros(m pmetric.Metric, zeros pmetric.MetricSlice) {
	c := like(m, pmetric.NewMetricSlice())
	if m.Type() == pmetric.MetricTypeHistogram {
		points := m.Histogram().DataPoints()
		last := points.At(points.Len() - 1).Timestamp()
		h := c.SetEmptyHistogram()
		h.SetAggregationTemporality(m.Histogram().AggregationTemporality())
		for _, p := range points.All() {
			if p.Timestamp() < last {
				p.CopyTo(h.DataPoints().AppendEmpty())
			}
		}
		if h.DataPoints().Len() > 0 {
			c.CopyTo(zeros.AppendEmpty())
		}
		return
	}
	points := m.Sum().DataPoints()
	last := points.At(points.Len() - 1).Timestamp()
	s := c.SetEmptySum()
	s.SetIsMonotonic(m.Sum().IsMonotonic())
	s.SetAggregationTemporality(m.Sum().AggregationTemporality())
	for _, p := range points.All() {
		if p.Timestamp() < last {
			p.CopyTo(s.DataPoints().AppendEmpty())
		}
	}
	if s.DataPoints().Len() > 0 {
		c.CopyTo(zeros.AppendEmpty())
	}
}

// like appends a metric with the name of another.
func like(m pmetric.Metric, to pmetric.MetricSlice) pmetric.Metric {
	n := to.AppendEmpty()
	n.SetName(m.Name())
	n.SetUnit(m.Unit())
	n.SetDescription(m.Description())
	return n
}
