package flow

import (
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

// Histogram is an explicit-bounds histogram of durations in seconds. Counts[i] holds the samples that are
// greater than the bound before and at most bound i; the last of Counts holds those greater than all bounds.
// The zero value is empty: Counts is nil until there is a sample.
type Histogram struct {
	Counts   []uint64
	Count    uint64
	Sum      float64
	Min, Max float64
}

// observe counts one sample.
func (h *Histogram) observe(bounds []float64, d time.Duration) {
	v := d.Seconds()
	if h.Counts == nil {
		h.Counts = make([]uint64, len(bounds)+1)
		h.Min, h.Max = v, v
	}
	h.Counts[sort.SearchFloat64s(bounds, v)]++
	h.Count++
	h.Sum += v
	h.Min, h.Max = min(h.Min, v), max(h.Max, v)
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
	for i := range h.Counts {
		h.Counts[i] += o.Counts[i]
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
	n := Histogram{Counts: slices.Clone(h.Counts), Count: h.Count - earlier.Count, Sum: h.Sum - earlier.Sum}
	for i := range earlier.Counts {
		n.Counts[i] -= earlier.Counts[i]
	}
	return n
}
