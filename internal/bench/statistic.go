package main

import (
	"math"
	"slices"
)

// median returns the middle of the values, NaN if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// interval returns the two values between which the median of what was sampled is with 95 % confidence, whatever its distribution: a
// binomial number of samples is below the median (Conover, Practical Nonparametric Statistics, 3.2).
func interval(values []float64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(sorted))
	half := 1.96 * math.Sqrt(n) / 2
	first := max(0, int(math.Floor(n/2-half)))
	last := min(len(sorted)-1, int(math.Ceil(n/2+half)))
	return sorted[first], sorted[last]
}

// A summary is the median of many ratios.
type summary struct{ Median, Low, High float64 }

func summarize(values []float64) summary {
	low, high := interval(values)
	return summary{median(values), low, high}
}
