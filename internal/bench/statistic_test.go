package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummarize(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   summary
	}{
		"one":                {[]float64{3}, summary{3, 3, 3}},
		"even":               {[]float64{4, 1}, summary{2.5, 1, 4}},
		"order is no matter": {[]float64{5, 1, 4, 2, 3}, summary{3, 1, 5}},
		"twenty": {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20},
			summary{10.5, 6, 16}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, summarize(c.values)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSummarizeNothing(t *testing.T) {
	if s := summarize(nil); !math.IsNaN(s.Median) || !math.IsNaN(s.Low) || !math.IsNaN(s.High) {
		t.Errorf("got %v", s)
	}
}

// The interval keeps what it promises: it has the true median in at least 95 of 100 samples, here of a lopsided distribution.
func TestIntervalCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const rounds = 2000
	covered := 0
	for range rounds {
		values := make([]float64, 20)
		for i := range values {
			values[i] = random.ExpFloat64()
		}
		if low, high := interval(values); low <= math.Ln2 && math.Ln2 <= high {
			covered++
		}
	}
	if covered < rounds*95/100 {
		t.Errorf("%d of %d intervals have the median", covered, rounds)
	}
}
