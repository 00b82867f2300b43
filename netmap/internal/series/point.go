package series

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A Point is what all types of points have in common.
type Point struct {
	Start, At  int64 // Unix nanoseconds
	Delta      bool
	State      bool // a present value, not an increase
	Attributes pcommon.Map
}

// Refused counts points that cannot be counted, by the reason.
type Refused struct {
	Points uint64 // a type that the metric does not have
	Values uint64 // not a number, or below zero
}

// Sums calls add for each point of a sum. A state may also be a gauge, if a processor made one of it.
func Sums(m pmetric.Metric, state bool, add func(p Point, value int64)) (r Refused) {
	var points pmetric.NumberDataPointSlice
	delta := false
	switch {
	case m.Type() == pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
		delta = m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	case m.Type() == pmetric.MetricTypeGauge && state:
		points = m.Gauge().DataPoints()
	default:
		return Refused{Points: uint64(pointsOf(m))}
	}
	for _, d := range points.All() {
		if d.Flags().NoRecordedValue() {
			continue
		}
		value, ok := whole(d)
		if !ok || value < 0 && (!delta || !state) {
			r.Values++
			continue
		}
		add(Point{
			Start: int64(d.StartTimestamp()), At: int64(d.Timestamp()), Delta: delta, State: state,
			Attributes: d.Attributes(),
		}, value)
	}
	return r
}

// pointsOf returns the number of points of a metric whose type is not the expected one; at least one.
func pointsOf(m pmetric.Metric) int {
	if m.Type() == pmetric.MetricTypeGauge {
		return m.Gauge().DataPoints().Len()
	}
	return 1
}

// whole returns a value as a whole number.
func whole(d pmetric.NumberDataPoint) (int64, bool) {
	v := d.IntValue()
	if d.ValueType() == pmetric.NumberDataPointValueTypeDouble {
		f := d.DoubleValue()
		if math.IsNaN(f) || math.Abs(f) > math.MaxInt64/2 {
			return 0, false
		}
		v = int64(math.Round(f))
	}
	return v, true
}

// Histograms calls add for each point of a histogram. An exponential one has the buckets of byOctaves.
func Histograms(m pmetric.Metric, add func(Point, pmetric.HistogramDataPoint)) (r Refused) {
	if m.Type() == pmetric.MetricTypeExponentialHistogram {
		m = byOctaves(m)
	}
	if m.Type() != pmetric.MetricTypeHistogram {
		return Refused{Points: 1}
	}
	delta := m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	for _, d := range m.Histogram().DataPoints().All() {
		if d.Flags().NoRecordedValue() {
			continue
		}
		if math.IsNaN(d.Sum()) || math.IsInf(d.Sum(), 0) || d.Sum() < 0 {
			r.Values++
			continue
		}
		add(Point{
			Start: int64(d.StartTimestamp()), At: int64(d.Timestamp()), Delta: delta, Attributes: d.Attributes(),
		}, d)
	}
	return r
}
