package flow

import (
	"sort"
	"time"
)

// DefaultBuckets returns the twelve upper bounds, in seconds, that histograms have by default: 50 us to 10 s, each about
// three times the one before.
func DefaultBuckets() []float64 {
	return []float64{50e-6, 100e-6, 300e-6, 1e-3, 3e-3, 10e-3, 30e-3, 100e-3, 300e-3, 1, 3, 10}
}

// Histogram is an explicit-bounds histogram of durations in seconds: Counts[i] holds what is greater than the bound
// before and at most bound i, the last of Counts what is greater than all bounds. The zero value is empty: Counts is nil
// until there is a sample.
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
