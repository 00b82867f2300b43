package flow

import (
	"math"
	"slices"
	"sort"
	"time"
)

// Bounds are the upper bounds of the histogram of each measure, in seconds, ascending. A measure without bounds has one
// bucket, so its mean is known, and no quantile.
type Bounds [Measures][]float64

// DefaultBounds returns the bounds that histograms have by default, each about three times the one before. Every bound
// is a series of every flow, so few measures have many: eight from 100 us to 300 ms for the round-trip time and its
// variation, twelve from 50 us to 10 s for the duration, nine from 300 us to 5 s for a DNS look-up, and none for the
// handshake, which takes a round trip.
func DefaultBounds() Bounds {
	round := []float64{100e-6, 300e-6, 1e-3, 3e-3, 10e-3, 30e-3, 100e-3, 300e-3}
	long := slices.Concat([]float64{50e-6}, round, []float64{1, 3, 10})
	lookup := []float64{300e-6, 1e-3, 3e-3, 10e-3, 30e-3, 100e-3, 300e-3, 1, 5}
	return Bounds{RTT: round, Jitter: round, Duration: long, LookupDuration: lookup}
}

// SameBounds returns these bounds for every measure.
func SameBounds(bounds []float64) (all Bounds) {
	for m := range all {
		all[m] = bounds
	}
	return all
}

// Scale is that of exponential histograms: the upper bound of a bucket is 2^(1/4) times that of the bucket before. So a
// quantile is off by at most 9 %.
const Scale = 2

// Lowest is the index of the bucket above the first one of ExponentialBounds, as OTLP counts them: from 2^-30 s, less
// than a nanosecond.
const Lowest = -30 << Scale

// ExponentialBounds returns the bounds of exponential histograms of Scale, the same for all measures. No duration is
// beyond them, and only a duration of zero is in the first bucket.
func ExponentialBounds() Bounds {
	const longest = 34 << Scale // 2^34 s, more than a time.Duration can be
	bounds := make([]float64, 0, longest-Lowest+1)
	for i := Lowest; i <= longest; i++ {
		bounds = append(bounds, math.Exp2(float64(i)/(1<<Scale)))
	}
	return SameBounds(bounds)
}

// few is how many bounds a histogram has at most for Counts to have all of its buckets.
const few = 16

// Histogram is an explicit-bounds histogram of durations in seconds. Counts[i] holds the samples that are
// greater than bound First+i-1 and at most bound First+i; beyond the last bound is one more bucket. With many bounds
// Counts has the buckets from the lowest to the highest one with samples, otherwise all of them. The zero value is
// empty: Counts is nil until there is a sample.
type Histogram struct {
	First    int
	Counts   []uint64
	Count    uint64
	Sum      float64
	Min, Max float64
}

// observe counts one sample.
func (h *Histogram) observe(bounds []float64, d time.Duration) {
	v := d.Seconds()
	i := sort.SearchFloat64s(bounds, v)
	if len(bounds) > few {
		h.cover(i, i+1)
	} else {
		h.cover(0, len(bounds)+1)
	}
	if h.Count == 0 {
		h.Min, h.Max = v, v
	}
	h.Counts[i-h.First]++
	h.Count++
	h.Sum += v
	h.Min, h.Max = min(h.Min, v), max(h.Max, v)
}

// cover makes room in Counts for the buckets from one to before another.
func (h *Histogram) cover(from, to int) {
	end := h.First + len(h.Counts)
	switch {
	case h.Counts == nil:
		h.First, h.Counts = from, make([]uint64, to-from)
	case from < h.First || to > end:
		first := min(from, h.First)
		counts := make([]uint64, max(to, end)-first)
		copy(counts[h.First-first:], h.Counts)
		h.First, h.Counts = first, counts
	}
}

// add adds the samples of a histogram of the same bounds, and shares no memory with it.
func (h *Histogram) add(o *Histogram) {
	switch {
	case o.Count == 0:
		return
	case h.Count == 0:
		*h = *o
		h.Counts = slices.Clone(o.Counts)
		return
	}
	h.cover(o.First, o.First+len(o.Counts))
	for i, n := range o.Counts {
		h.Counts[o.First-h.First+i] += n
	}
	h.Count += o.Count
	h.Sum += o.Sum
	h.Min, h.Max = min(h.Min, o.Min), max(h.Max, o.Max)
}

// since returns the samples beyond those of an earlier state. The least and the greatest of them are not known.
func (h *Histogram) since(earlier *Histogram) Histogram {
	if h.Count == earlier.Count {
		return Histogram{}
	}
	n := Histogram{
		First: h.First, Counts: slices.Clone(h.Counts), Count: h.Count - earlier.Count, Sum: h.Sum - earlier.Sum,
	}
	for i, count := range earlier.Counts {
		n.Counts[earlier.First-h.First+i] -= count
	}
	return n
}
