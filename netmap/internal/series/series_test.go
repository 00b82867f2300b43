package series

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Times of a series' points: when it began, when the point is of; the store began at 100.
const storeBegan = 100

func TestCounter(t *testing.T) {
	type step struct {
		start, at, value int64
		want             uint64
		effect           Effect
	}
	for name, steps := range map[string][]step{
		"younger than the store":     {{100, 110, 5, 5, Increase}, {100, 120, 8, 3, Increase}, {100, 130, 8, 0, Increase}},
		"older than the store":       {{99, 110, 5, 0, Baseline}, {99, 120, 8, 3, Increase}},
		"without a start":            {{0, 110, 5, 0, Baseline}, {0, 120, 8, 3, Increase}},
		"falls":                      {{100, 110, 5, 5, Increase}, {100, 120, 4, 4, Reset}, {100, 130, 6, 2, Increase}},
		"begins anew, and is higher": {{100, 110, 5, 5, Increase}, {115, 120, 9, 9, Reset}, {115, 130, 10, 1, Increase}},
		"an older start":             {{105, 110, 5, 5, Increase}, {101, 120, 9, 4, Increase}},
		"out of order":               {{100, 110, 5, 5, Increase}, {100, 110, 9, 0, OutOfOrder}, {100, 109, 9, 0, OutOfOrder}, {100, 111, 7, 2, Increase}},
		"a late start after a drop":  {{100, 110, 5, 5, Increase}, {115, 105, 9, 0, OutOfOrder}, {100, 120, 6, 1, Increase}},
	} {
		var c Counter
		for i, s := range steps {
			got, e := c.Next(Point{Start: s.start, At: s.at}, s.value, storeBegan)
			if got != s.want || e != s.effect {
				t.Errorf("%s: point %d adds %d with effect %d, want %d and %d", name, i, got, e, s.want, s.effect)
			}
		}
	}
	var d Counter
	for i, s := range []step{{0, 110, 5, 5, Increase}, {0, 120, 3, 3, Increase}, {0, 120, 3, 3, OutOfOrder}, {0, 130, 1, 1, Increase}} {
		if got, e := d.Next(Point{Start: s.start, At: s.at, Delta: true}, s.value, storeBegan); got != s.want || e != s.effect {
			t.Errorf("delta: point %d adds %d with effect %d, want %d and %d", i, got, e, s.want, s.effect)
		}
	}
}

// distribution is a point of a histogram with the bounds 1, 2, 3.
func distribution(sum float64, counts ...uint64) pmetric.HistogramDataPoint {
	d := pmetric.NewHistogramDataPoint()
	d.ExplicitBounds().FromRaw([]float64{1, 2, 3})
	d.BucketCounts().FromRaw(counts)
	n := uint64(0)
	for _, c := range counts {
		n += c
	}
	d.SetCount(n)
	d.SetSum(sum)
	return d
}

func TestHistogram(t *testing.T) {
	h := Histogram{Ranked: true}
	for i, tt := range []struct {
		start, at int64
		point     pmetric.HistogramDataPoint
		want      Samples
		effect    Effect
	}{
		{100, 110, distribution(1.5, 1, 1, 0, 0), Samples{2, 1.5, 2}, Increase},
		{100, 120, distribution(2, 2, 1, 0, 0), Samples{1, 0.5, 1}, Increase},
		{100, 120, distribution(9, 9, 1, 0, 0), Samples{}, OutOfOrder},
		{100, 130, distribution(2, 2, 1, 0, 0), Samples{0, 0, 0}, Increase},
		{100, 140, distribution(12, 2, 1, 0, 1), Samples{1, 10, 3}, Increase}, // beyond the last bound
		{100, 150, distribution(0.5, 1, 0, 0, 0), Samples{1, 0.5, 1}, Reset},  // fewer than before
		{155, 160, distribution(7, 3, 0, 0, 0), Samples{3, 7, 1}, Reset},
		{155, 170, distribution(6, 4, 0, 0, 0), Samples{1, 0, 1}, Increase}, // a sum never falls
	} {
		got, e := h.Next(Point{Start: tt.start, At: tt.at}, tt.point, storeBegan, nil)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Samples{})); diff != "" || e != tt.effect {
			t.Errorf("point %d, effect %d, want %d (-want +got):\n%s", i, e, tt.effect, diff)
		}
	}
}

func TestHistogramThatIsOlderThanTheStore(t *testing.T) {
	h := Histogram{Ranked: true}
	if got, e := h.Next(Point{Start: 50, At: 110}, distribution(100, 0, 0, 9, 0), storeBegan, nil); e != Baseline || got != (Samples{}) {
		t.Errorf("the first point adds %+v with effect %d", got, e)
	}
	if got, e := h.Next(Point{Start: 50, At: 120}, distribution(101, 1, 0, 9, 0), storeBegan, nil); e != Increase || got != (Samples{1, 1, 1}) {
		t.Errorf("the second point adds %+v with effect %d, want the sample below 1 s", got, e)
	}
}

func TestHistogramOfDeltas(t *testing.T) {
	var h Histogram
	for i, tt := range []struct {
		at     int64
		point  pmetric.HistogramDataPoint
		want   Samples
		effect Effect
	}{
		{110, distribution(4, 1, 1, 0, 0), Samples{2, 4, 2}, Increase},
		{120, distribution(1, 1, 0, 0, 0), Samples{1, 1, 1}, Increase},
		{120, distribution(1, 1, 0, 0, 0), Samples{1, 1, 1}, OutOfOrder},
	} {
		if got, e := h.Next(Point{At: tt.at, Delta: true}, tt.point, storeBegan, nil); got != tt.want || e != tt.effect {
			t.Errorf("point %d adds %+v with effect %d, want %+v and %d", i, got, e, tt.want, tt.effect)
		}
	}
	// A histogram without bounds has samples, but no slowest one.
	d := pmetric.NewHistogramDataPoint()
	d.SetCount(3)
	d.SetSum(6)
	d.BucketCounts().FromRaw([]uint64{3})
	if got, _ := h.Next(Point{At: 130, Delta: true}, d, storeBegan, nil); got != (Samples{3, 6, 0}) {
		t.Errorf("without bounds %+v", got)
	}
}

// A source that changes its buckets does not make the old ones count.
func TestHistogramWithOtherBuckets(t *testing.T) {
	h := Histogram{Ranked: true}
	h.Next(Point{Start: 100, At: 110}, distribution(3, 1, 1, 1, 0), storeBegan, nil)
	d := pmetric.NewHistogramDataPoint()
	d.SetCount(4)
	d.SetSum(4)
	d.ExplicitBounds().FromRaw([]float64{5})
	d.BucketCounts().FromRaw([]uint64{4, 0})
	got, _ := h.Next(Point{Start: 100, At: 120}, d, storeBegan, nil)
	if got.Count != 1 || got.Highest != 5 || len(h.buckets) != 2 {
		t.Errorf("%+v with %d buckets, want one sample up to 5", got, len(h.buckets))
	}
	unranked := Histogram{}
	unranked.Next(Point{Start: 100, At: 110}, distribution(3, 1, 1, 1, 0), storeBegan, nil)
	if len(unranked.buckets) != 0 {
		t.Error("buckets that no query needs stay in memory")
	}
}

// A histogram with more than 64 bounds has no highest bucket, and takes no memory for its buckets.
func TestBoundsOfAHistogramAreCapped(t *testing.T) {
	for buckets, highest := range map[int]float64{2: 0.001, 65: 0.064, 66: 0, 1000: 0} {
		d := pmetric.NewHistogramDataPoint()
		counts, bounds := make([]uint64, buckets), make([]float64, buckets-1)
		for i := range bounds {
			bounds[i] = float64(i+1) / 1000
		}
		counts[buckets-1] = 1
		d.BucketCounts().FromRaw(counts)
		d.ExplicitBounds().FromRaw(bounds)
		d.SetCount(1)
		h := Histogram{Ranked: true}
		s, e := h.Next(Point{Start: 2, At: 3}, d, 1, nil)
		if e != Increase || s.Count != 1 || s.Highest != highest || len(h.buckets) > maxBuckets {
			t.Errorf("%d buckets: %+v (%v), and %d are kept; want the highest at %v", buckets, s, e, len(h.buckets), highest)
		}
	}
}

// A histogram says how many samples each of its buckets has gained: against the point before, or since a restart; of a
// baseline none, and of a delta all.
func TestBucketsThatGrew(t *testing.T) {
	type gains map[float64]uint64
	inf := math.Inf(1)
	var cumulative, delta Histogram
	cumulative.Ranked = true
	next := func(h *Histogram, p Point, d pmetric.HistogramDataPoint) gains {
		got := gains{}
		h.Next(p, d, storeBegan, func(upper float64, n uint64) { got[upper] += n })
		return got
	}
	for i, tt := range []struct {
		h     *Histogram
		p     Point
		point pmetric.HistogramDataPoint
		want  gains
	}{
		{&cumulative, Point{Start: 50, At: 110}, distribution(9, 1, 2, 3, 4), gains{}},
		{&cumulative, Point{Start: 50, At: 120}, distribution(9, 1, 3, 3, 6), gains{2: 1, inf: 2}},
		{&cumulative, Point{Start: 50, At: 120}, distribution(9, 9, 9, 9, 9), gains{}},
		{&cumulative, Point{Start: 130, At: 140}, distribution(9, 9, 0, 1, 0), gains{1: 9, 3: 1}},
		{&delta, Point{At: 110, Delta: true}, distribution(9, 1, 0, 3, 0), gains{1: 1, 3: 3}},
		{&delta, Point{At: 110, Delta: true}, distribution(9, 1, 0, 3, 0), gains{}},
		{&delta, Point{At: 120, Delta: true}, distribution(9, 1, 0, 3, 0), gains{1: 1, 3: 3}},
	} {
		if diff := cmp.Diff(tt.want, next(tt.h, tt.p, tt.point)); diff != "" {
			t.Errorf("point %d (-want +got):\n%s", i, diff)
		}
	}
}
