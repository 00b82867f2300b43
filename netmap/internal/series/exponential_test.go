package series

import (
	"math"
	"reflect"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestOctave(t *testing.T) {
	for _, row := range []struct {
		index, scale int
		upper        float64 // of the bucket, in seconds
	}{
		{0, 0, 2}, {-1, 0, 1}, {-1, 2, 1}, {0, 2, 2}, {3, 2, 2}, {4, 2, 4}, {-4, 2, 1}, {-5, 2, 0.5},
		{0, -1, 4}, {-1, -1, 1}, {math.MaxInt32 - 1, 0, math.Inf(1)}, {math.MinInt32, 0, math.Ldexp(1, firstOctave)},
		{5, -40, math.Inf(1)}, {5, 40, 2},
	} {
		want := octaves
		if !math.IsInf(row.upper, 1) {
			want = int(math.Log2(row.upper)) - firstOctave
		}
		if got := octave(row.index, row.scale); got != want {
			t.Errorf("index %d of scale %d is in bucket %d, want %d", row.index, row.scale, got, want)
		}
	}
}

// A point by octaves is the same point: its times, flags, attributes, count and sum. Buckets of one octave are added up, and
// zeros are in the lowest.
func TestByOctaves(t *testing.T) {
	m := pmetric.NewMetric()
	e := m.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	from := e.DataPoints().AppendEmpty()
	from.SetStartTimestamp(1)
	from.SetTimestamp(2)
	from.SetCount(16)
	from.SetSum(8.5)
	from.Attributes().PutStr("netconn.role", "client")
	from.SetScale(2)
	from.SetZeroCount(1)
	from.Positive().SetOffset(-5) // up to 0.5 s
	from.Positive().BucketCounts().FromRaw([]uint64{1, 2, 3, 0, 4, 5})
	e.DataPoints().AppendEmpty().SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))

	type seen struct {
		point    Point
		count    uint64
		sum      float64
		role     string
		octaves  map[float64]uint64 // counts by upper bound
		recorded bool
	}
	var got []seen
	h := byOctaves(m)
	refused := Histograms(h, func(p Point, d pmetric.HistogramDataPoint) {
		role, _ := d.Attributes().Get("netconn.role")
		s := seen{p, d.Count(), d.Sum(), role.Str(), map[float64]uint64{}, !d.Flags().NoRecordedValue()}
		s.point.Attributes = pcommon.Map{}
		for i, n := range d.BucketCounts().All() {
			if n > 0 {
				s.octaves[d.ExplicitBounds().At(i)] += n
			}
		}
		got = append(got, s)
	})
	want := []seen{{
		Point{Start: 1, At: 2, Delta: true}, 16, 8.5, "client",
		map[float64]uint64{math.Ldexp(1, firstOctave): 1, 0.5: 1, 1: 9, 2: 5}, true,
	}}
	if !reflect.DeepEqual(want, got) || refused != (Refused{}) {
		t.Errorf("got %+v (%+v refused), want %+v", got, refused, want)
	}
	if n := h.Histogram().DataPoints().Len(); n != 2 {
		t.Errorf("%d points, want 2: one has no value", n)
	}
	var direct int
	if refused := Histograms(m, func(Point, pmetric.HistogramDataPoint) { direct++ }); direct != 1 || refused != (Refused{}) {
		t.Errorf("%d points of an exponential histogram are read, %+v refused", direct, refused)
	}
}

// The highest bucket with new samples is found although an exponential histogram grows at both ends.
func TestHighestOfOctaves(t *testing.T) {
	h := Histogram{Ranked: true}
	for i, tt := range []struct {
		offset int32
		counts []uint64
		sum    float64
		want   Samples
	}{
		{-5, []uint64{2}, 0.9, Samples{2, 0.9, 0.5}},
		{-5, []uint64{2, 0, 0, 0, 0, 1}, 2, Samples{1, 1.1, 2}},                 // a slower one
		{-9, []uint64{1, 0, 0, 0, 2, 8: 0, 9: 1}, 2.25, Samples{1, 0.25, 0.25}}, // a faster one
		{-9, []uint64{1, 0, 0, 0, 2, 8: 0, 9: 1}, 2.25, Samples{}},              // nothing new
	} {
		m := pmetric.NewMetric()
		p := m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.Timestamp(110 + i))
		p.SetStartTimestamp(100)
		p.SetScale(2)
		p.SetSum(tt.sum)
		p.Positive().SetOffset(tt.offset)
		p.Positive().BucketCounts().FromRaw(tt.counts)
		for _, n := range tt.counts {
			p.SetCount(p.Count() + n)
		}
		Histograms(m, func(at Point, d pmetric.HistogramDataPoint) {
			got, _ := h.Next(at, d, storeBegan, nil)
			if got.Count != tt.want.Count || math.Abs(got.Sum-tt.want.Sum) > 1e-9 || got.Highest != tt.want.Highest {
				t.Errorf("point %d adds %+v, want %+v", i, got, tt.want)
			}
		})
	}
}
