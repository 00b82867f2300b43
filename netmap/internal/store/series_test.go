package store

import (
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
		effect           effect
	}
	for name, steps := range map[string][]step{
		"younger than the store":     {{100, 110, 5, 5, increase}, {100, 120, 8, 3, increase}, {100, 130, 8, 0, increase}},
		"older than the store":       {{99, 110, 5, 0, baseline}, {99, 120, 8, 3, increase}},
		"without a start":            {{0, 110, 5, 0, baseline}, {0, 120, 8, 3, increase}},
		"falls":                      {{100, 110, 5, 5, increase}, {100, 120, 4, 4, reset}, {100, 130, 6, 2, increase}},
		"begins anew, and is higher": {{100, 110, 5, 5, increase}, {115, 120, 9, 9, reset}, {115, 130, 10, 1, increase}},
		"an older start":             {{105, 110, 5, 5, increase}, {101, 120, 9, 4, increase}},
		"out of order":               {{100, 110, 5, 5, increase}, {100, 110, 9, 0, outOfOrder}, {100, 109, 9, 0, outOfOrder}, {100, 111, 7, 2, increase}},
		"a late start after a drop":  {{100, 110, 5, 5, increase}, {115, 105, 9, 0, outOfOrder}, {100, 120, 6, 1, increase}},
	} {
		var c counter
		for i, s := range steps {
			got, e := c.next(point{start: s.start, at: s.at}, s.value, storeBegan)
			if got != s.want || e != s.effect {
				t.Errorf("%s: point %d adds %d with effect %d, want %d and %d", name, i, got, e, s.want, s.effect)
			}
		}
	}
	var d counter
	for i, s := range []step{{0, 110, 5, 5, increase}, {0, 120, 3, 3, increase}, {0, 120, 3, 3, outOfOrder}, {0, 130, 1, 1, increase}} {
		if got, e := d.next(point{start: s.start, at: s.at, delta: true}, s.value, storeBegan); got != s.want || e != s.effect {
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
	h := histogram{ranked: true}
	for i, tt := range []struct {
		start, at int64
		point     pmetric.HistogramDataPoint
		want      samples
		effect    effect
	}{
		{100, 110, distribution(1.5, 1, 1, 0, 0), samples{2, 1.5, 2}, increase},
		{100, 120, distribution(2, 2, 1, 0, 0), samples{1, 0.5, 1}, increase},
		{100, 120, distribution(9, 9, 1, 0, 0), samples{}, outOfOrder},
		{100, 130, distribution(2, 2, 1, 0, 0), samples{0, 0, 0}, increase},
		{100, 140, distribution(12, 2, 1, 0, 1), samples{1, 10, 3}, increase}, // beyond the last bound
		{100, 150, distribution(0.5, 1, 0, 0, 0), samples{1, 0.5, 1}, reset},  // fewer than before
		{155, 160, distribution(7, 3, 0, 0, 0), samples{3, 7, 1}, reset},
		{155, 170, distribution(6, 4, 0, 0, 0), samples{1, 0, 1}, increase}, // a sum never falls
	} {
		got, e := h.next(point{start: tt.start, at: tt.at}, tt.point, storeBegan)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(samples{})); diff != "" || e != tt.effect {
			t.Errorf("point %d, effect %d, want %d (-want +got):\n%s", i, e, tt.effect, diff)
		}
	}
}

func TestHistogramThatIsOlderThanTheStore(t *testing.T) {
	h := histogram{ranked: true}
	if got, e := h.next(point{start: 50, at: 110}, distribution(100, 0, 0, 9, 0), storeBegan); e != baseline || got != (samples{}) {
		t.Errorf("the first point adds %+v with effect %d", got, e)
	}
	if got, e := h.next(point{start: 50, at: 120}, distribution(101, 1, 0, 9, 0), storeBegan); e != increase || got != (samples{1, 1, 1}) {
		t.Errorf("the second point adds %+v with effect %d, want the sample below 1 s", got, e)
	}
}

func TestHistogramOfDeltas(t *testing.T) {
	var h histogram
	for i, tt := range []struct {
		at     int64
		point  pmetric.HistogramDataPoint
		want   samples
		effect effect
	}{
		{110, distribution(4, 1, 1, 0, 0), samples{2, 4, 2}, increase},
		{120, distribution(1, 1, 0, 0, 0), samples{1, 1, 1}, increase},
		{120, distribution(1, 1, 0, 0, 0), samples{1, 1, 1}, outOfOrder},
	} {
		if got, e := h.next(point{at: tt.at, delta: true}, tt.point, storeBegan); got != tt.want || e != tt.effect {
			t.Errorf("point %d adds %+v with effect %d, want %+v and %d", i, got, e, tt.want, tt.effect)
		}
	}
	// A histogram without bounds has samples, but no slowest one.
	d := pmetric.NewHistogramDataPoint()
	d.SetCount(3)
	d.SetSum(6)
	d.BucketCounts().FromRaw([]uint64{3})
	if got, _ := h.next(point{at: 130, delta: true}, d, storeBegan); got != (samples{3, 6, 0}) {
		t.Errorf("without bounds %+v", got)
	}
}

// A source that changes its buckets does not make the old ones count.
func TestHistogramWithOtherBuckets(t *testing.T) {
	h := histogram{ranked: true}
	h.next(point{start: 100, at: 110}, distribution(3, 1, 1, 1, 0), storeBegan)
	d := pmetric.NewHistogramDataPoint()
	d.SetCount(4)
	d.SetSum(4)
	d.ExplicitBounds().FromRaw([]float64{5})
	d.BucketCounts().FromRaw([]uint64{4, 0})
	got, _ := h.next(point{start: 100, at: 120}, d, storeBegan)
	if got.count != 1 || got.highest != 5 || len(h.buckets) != 2 {
		t.Errorf("%+v with %d buckets, want one sample up to 5", got, len(h.buckets))
	}
	unranked := histogram{}
	unranked.next(point{start: 100, at: 110}, distribution(3, 1, 1, 1, 0), storeBegan)
	if len(unranked.buckets) != 0 {
		t.Error("buckets that no query needs stay in memory")
	}
}
