package flow

import (
	"math"
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

func TestDefaultBounds(t *testing.T) {
	for m, want := range map[Measure]struct {
		n           int
		first, last float64
	}{RTT: {8, 100e-6, 300e-3}, Jitter: {8, 100e-6, 300e-3}, Handshake: {}, Duration: {12, 50e-6, 10}} {
		b := DefaultBounds()[m]
		if len(b) != want.n || want.n > 0 && (b[0] != want.first || b[len(b)-1] != want.last) {
			t.Errorf("measure %d has the bounds %v, want %v", m, b, want)
		}
		if !slices.IsSorted(b) || len(slices.Compact(slices.Clone(b))) != len(b) {
			t.Errorf("measure %d: the bounds do not rise: %v", m, b)
		}
	}
}

// A measure without bounds has one bucket, and bounds that a user sets are those of all measures.
func TestBoundsOfMeasures(t *testing.T) {
	var h Histogram
	h.observe(nil, time.Second)
	h.observe(nil, time.Microsecond)
	if want := (Histogram{Counts: []uint64{2}, Count: 2, Sum: 1.000001, Min: 1e-6, Max: 1}); !cmp.Equal(want, h) {
		t.Errorf("got %+v, want %+v", h, want)
	}
	for m, b := range SameBounds([]float64{1, 2}) {
		if !slices.Equal(b, []float64{1, 2}) {
			t.Errorf("measure %d has %v", m, b)
		}
	}
	if c := (Config{Bounds: SameBounds([]float64{7})}).withDefaults(); !slices.Equal(c.Bounds[Handshake], []float64{7}) {
		t.Errorf("the bounds of the configuration became %v", c.Bounds)
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

// An exponential histogram has the buckets between its lowest and its highest sample only. A sum has those of both, a
// difference those of the later one, and no duration is out of range.
func TestExponentialHistogram(t *testing.T) {
	bounds := ExponentialBounds()[RTT]
	counted := func(samples ...time.Duration) (h Histogram) {
		for _, d := range samples {
			h.observe(bounds, d)
		}
		return h
	}
	index := func(upper float64) int { return slices.Index(bounds, upper) } // of the bucket below it
	one := index(1)
	if h := counted(time.Second, 250*time.Millisecond, time.Second); h.First != one-8 ||
		!slices.Equal(h.Counts, []uint64{1, 0, 0, 0, 0, 0, 0, 0, 2}) {
		t.Errorf("from bucket %d on: %v, want from %d on", h.First, h.Counts, one-8)
	}
	for d, first := range map[time.Duration]int{0: 0, 1: 1, math.MaxInt64: index(1 << 34), 2 * time.Second: one + 4} {
		if h := counted(d); d < 2 && h.First != first || h.First > first || h.First >= len(bounds) || len(h.Counts) != 1 {
			t.Errorf("%v is in bucket %d of %d, want %d", d, h.First, len(bounds), first)
		}
	}
	low, high := counted(time.Millisecond), counted(time.Second, 2*time.Second)
	for _, pair := range [][2]Histogram{{low, high}, {high, low}} {
		sum := pair[0]
		sum.Counts = slices.Clone(sum.Counts)
		sum.add(&pair[1])
		if diff := cmp.Diff(counted(time.Millisecond, time.Second, 2*time.Second), sum, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("sum (-want +got):\n%s", diff)
		}
		more := sum.since(&pair[0])
		if n := more.Counts[pair[1].First-more.First]; n != 1 || more.Count != pair[1].Count {
			t.Errorf("%+v since %+v is %+v", sum, pair[0], more)
		}
	}
}

// Each bound is 2^(1/4) times the one before, and the index of a bucket is that of OTLP: above 1 s is index 0.
func TestExponentialBounds(t *testing.T) {
	for m, b := range ExponentialBounds() {
		for i, v := range b {
			if want := math.Pow(2, float64(Lowest+i)/4); math.Abs(v/want-1) > 1e-12 {
				t.Fatalf("measure %d: bound %d is %v, want %v", m, i, v, want)
			}
		}
		if b[0] >= 1e-9 || b[len(b)-1] < math.MaxInt64/1e9 || b[-Lowest] != 1 {
			t.Errorf("measure %d: bounds from %v to %v", m, b[0], b[len(b)-1])
		}
	}
}
