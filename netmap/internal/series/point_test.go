package series

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// sum returns a sum with a point for each value. A float64 is one as it is; an int is a whole number.
func sum(delta bool, values ...any) pmetric.Metric {
	m := pmetric.NewMetric()
	s := m.SetEmptySum()
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	if delta {
		s.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	}
	fill(s.DataPoints(), values)
	return m
}

func gauge(values ...any) pmetric.Metric {
	m := pmetric.NewMetric()
	fill(m.SetEmptyGauge().DataPoints(), values)
	return m
}

func fill(points pmetric.NumberDataPointSlice, values []any) {
	for i, v := range values {
		p := points.AppendEmpty()
		p.SetStartTimestamp(7)
		p.SetTimestamp(8)
		switch v := v.(type) {
		case int:
			p.SetIntValue(int64(v))
		case float64:
			p.SetDoubleValue(v)
		case nil:
			p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		}
		p.Attributes().PutInt("at", int64(i))
	}
}

func TestSums(t *testing.T) {
	histogram := pmetric.NewMetric()
	histogram.SetEmptyHistogram()
	for name, tt := range map[string]struct {
		metric  pmetric.Metric
		state   bool
		want    []int64
		refused Refused
	}{
		"whole numbers":                  {sum(false, 1, 0, 3), false, []int64{1, 0, 3}, Refused{}},
		"decimal numbers are rounded":    {sum(false, 1.4, 1.5), false, []int64{1, 2}, Refused{}},
		"no value is no point":           {sum(false, 1, nil, 3), false, []int64{1, 3}, Refused{}},
		"not a number":                   {sum(false, math.NaN(), math.Inf(1), 2), false, []int64{2}, Refused{Values: 2}},
		"a counter below zero":           {sum(true, -1, 2), false, []int64{2}, Refused{Values: 1}},
		"a state below zero":             {sum(false, -1, 2), true, []int64{2}, Refused{Values: 1}},
		"a state that falls":             {sum(true, -1, 2), true, []int64{-1, 2}, Refused{}},
		"a state as a gauge":             {gauge(4, 5), true, []int64{4, 5}, Refused{}},
		"a counter as a gauge":           {gauge(4, 5), false, nil, Refused{Points: 2}},
		"something else, however little": {histogram, true, nil, Refused{Points: 1}},
	} {
		var got []int64
		refused := Sums(tt.metric, tt.state, func(p Point, value int64) {
			got = append(got, value)
			delta := tt.metric.Type() == pmetric.MetricTypeSum &&
				tt.metric.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
			if p.Start != 7 || p.At != 8 || p.Delta != delta || p.State != tt.state || p.Attributes.Len() != 1 {
				t.Errorf("%s: the point is %+v", name, p)
			}
		})
		if diff := cmp.Diff(tt.want, got); diff != "" || refused != tt.refused {
			t.Errorf("%s: refused %+v, want %+v; values (-want +got):\n%s", name, refused, tt.refused, diff)
		}
	}
}

func TestHistograms(t *testing.T) {
	m := pmetric.NewMetric()
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for _, seconds := range []float64{0.5, math.NaN(), math.Inf(1), -1, 2} {
		distribution(seconds, 1, 0, 0, 0).CopyTo(h.DataPoints().AppendEmpty())
	}
	distribution(9, 1).CopyTo(h.DataPoints().AppendEmpty())
	h.DataPoints().At(5).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	var sums []float64
	refused := Histograms(m, func(p Point, d pmetric.HistogramDataPoint) {
		sums = append(sums, d.Sum())
		if !p.Delta || p.State {
			t.Errorf("the point is %+v", p)
		}
	})
	if diff := cmp.Diff([]float64{0.5, 2}, sums); diff != "" || refused != (Refused{Values: 3}) {
		t.Errorf("refused %+v; sums (-want +got):\n%s", refused, diff)
	}
	if got := Histograms(sum(false, 1), nil); got != (Refused{Points: 1}) {
		t.Errorf("a sum is no histogram: refused %+v", got)
	}
}
