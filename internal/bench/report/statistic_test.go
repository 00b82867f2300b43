package report

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummarize(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   Summary
	}{
		"one":          {[]float64{3}, Summary{3, 3, 3}},
		"even":         {[]float64{4, 1}, Summary{2.5, 1, 4}},
		"in any order": {[]float64{5, 1, 4, 2, 3}, Summary{3, 1, 5}},
		"twenty": {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20},
			Summary{10.5, 6, 16}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Summarize(c.values)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSummarizeNothing(t *testing.T) {
	if s := Summarize(nil); !math.IsNaN(s.Median) || !math.IsNaN(s.Low) || !math.IsNaN(s.High) {
		t.Errorf("got %v", s)
	}
}

// The interval has the true median in at least 95 of 100 samples, here of a skewed distribution.
func TestIntervalCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const rounds = 2000
	covered := 0
	for range rounds {
		values := make([]float64, 20)
		for i := range values {
			values[i] = random.ExpFloat64()
		}
		if s := Summarize(values); s.Low <= math.Ln2 && math.Ln2 <= s.High {
			covered++
		}
	}
	if covered < rounds*95/100 || covered == rounds {
		t.Errorf("%d of %d intervals have the median", covered, rounds)
	}
}

func TestSummaryText(t *testing.T) {
	if got := (Summary{1.00049, 0.9, 1.25}).String(); got != "1.000 (0.900 to 1.250)" {
		t.Errorf("got %s", got)
	}
}
