// Package report writes what the benchmarks have measured: tables of Markdown, figures with their units, medians with
// their confidence intervals, and whether a goal is reached. It measures nothing.
package report

import (
	"fmt"
	"math"
	"slices"
)

// Median returns the middle of the values, NaN if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// A Summary is the median of a sample, and its 95 % confidence interval.
type Summary struct{ Median, Low, High float64 }

// Summarize needs no assumption on the distribution: the number of values below the true median is binomial (Conover,
// Practical Nonparametric Statistics, 3.2). Of no values all three are NaN.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(sorted))
	half := 1.96 * math.Sqrt(n) / 2
	first := max(0, int(math.Floor(n/2-half)))
	last := min(len(sorted)-1, int(math.Ceil(n/2+half)))
	return Summary{Median(values), sorted[first], sorted[last]}
}

// String writes the median, and the interval in parentheses.
func (s Summary) String() string { return fmt.Sprintf("%.3f (%.3f to %.3f)", s.Median, s.Low, s.High) }
