package flow

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestBoundsAreInclusive(t *testing.T) {
	bounds := []float64{0.001, 0.01}
	one := func(count []uint64, v float64) Histogram {
		return Histogram{Counts: count, Count: 1, Sum: v, Min: v, Max: v}
	}
	rows := map[string]struct {
		samples []time.Duration
		want    Histogram
	}{
		"none":       {},
		"below":      {[]time.Duration{time.Microsecond}, one([]uint64{1, 0, 0}, 1e-6)},
		"on a bound": {[]time.Duration{time.Millisecond}, one([]uint64{1, 0, 0}, 1e-3)},
		"beyond it":  {[]time.Duration{time.Millisecond + 1}, one([]uint64{0, 1, 0}, 0.001000001)},
		"beyond all": {[]time.Duration{time.Hour}, one([]uint64{0, 0, 1}, 3600)},
		"several": {
			[]time.Duration{2 * time.Second, time.Second, 3 * time.Second},
			Histogram{Counts: []uint64{0, 0, 3}, Count: 3, Sum: 6, Min: 1, Max: 3},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			var h Histogram
			for _, d := range row.samples {
				h.observe(bounds, d)
			}
			if diff := cmp.Diff(row.want, h, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultBuckets(t *testing.T) {
	b := DefaultBuckets()
	if len(b) != 12 || b[0] != 50e-6 || b[11] != 10 {
		t.Errorf("want 12 bounds from 50 us to 10 s, got %v", b)
	}
	for i := 1; i < len(b); i++ {
		if b[i] <= b[i-1] {
			t.Errorf("bound %d is not above the one before: %v", i, b)
		}
	}
}

// The least and the greatest sample of a sum are those of either, and a difference has none.
func TestHistogramExtremes(t *testing.T) {
	low, high := histogram(1e-3), histogram(2e-3, 4)
	for _, pair := range [][2]Histogram{{low, high}, {high, low}, {{}, high}, {high, {}}} {
		sum := pair[0]
		sum.Counts = slices.Clone(sum.Counts)
		sum.add(&pair[1])
		want := Histogram{Min: 2e-3, Max: 4}
		if pair[0].Count > 0 && pair[1].Count > 0 {
			want.Min = 1e-3
		}
		if sum.Min != want.Min || sum.Max != want.Max || sum.Count != pair[0].Count+pair[1].Count {
			t.Errorf("%v and %v are %v", pair[0], pair[1], sum)
		}
		if more := sum.since(&Histogram{}); more.Min != 0 || more.Max != 0 || more.Sum != sum.Sum {
			t.Errorf("%v since nothing is %v", sum, more)
		}
	}
}
