package series

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A Histogram is one series of histograms.
type Histogram struct {
	Clock
	Ranked  bool // remember the buckets, to find those with new samples
	count   uint64
	sum     float64
	buckets []uint32
}

// Samples are what a point of a histogram adds.
type Samples struct {
	Count   uint64
	Sum     float64 // seconds
	Highest float64 // upper bound of the highest bucket that has one; 0: unknown
}

// Next returns what a point adds. A series that began before baselineBefore begins with a baseline. If grown is not nil
// and the histogram is Ranked, it is called with each bucket that has new samples: its upper bound, +Inf for the last,
// and how many.
func (h *Histogram) Next(
	p Point, d pmetric.HistogramDataPoint, baselineBefore int64, grown func(upper float64, n uint64),
) (Samples, Effect) {
	if p.Delta {
		e := h.Delta(p.At)
		if e == Increase {
			grow(d, nil, grown)
		}
		return Samples{d.Count(), d.Sum(), highest(d, nil)}, e
	}
	last := Samples{Count: h.count, Sum: h.sum}
	e := h.cumulative(p.Start, p.At, d.Count() < h.count, baselineBefore)
	if e == OutOfOrder {
		return Samples{}, e
	}
	if e == Reset {
		last = Samples{}
		clear(h.buckets)
	}
	s := Samples{d.Count() - last.Count, max(0, d.Sum()-last.Sum), highest(d, h.buckets)}
	if e != Baseline {
		grow(d, h.buckets, grown)
	}
	h.count, h.sum = d.Count(), d.Sum()
	if h.Ranked && d.BucketCounts().Len() <= maxBuckets {
		h.remember(d.BucketCounts())
	}
	if e == Baseline {
		return Samples{}, e
	}
	return s, e
}

func (h *Histogram) remember(counts pcommon.UInt64Slice) {
	if len(h.buckets) != counts.Len() {
		h.buckets = make([]uint32, counts.Len())
	}
	for i := range h.buckets {
		h.buckets[i] = uint32(counts.At(i)) // enough to see that a count has changed
	}
}

// Kept returns how many buckets are remembered.
func (h *Histogram) Kept() int { return cap(h.buckets) }

// maxBuckets is how many buckets a histogram may have for its highest one to be of interest: 64 bounds, and the bucket
// beyond them.
const maxBuckets = 65

// highest returns the upper bound of the highest bucket that has more samples than before; 0: unknown. The last bucket
// has no upper bound, so its lower bound stands for it.
func highest(d pmetric.HistogramDataPoint, before []uint32) float64 {
	counts, bounds := d.BucketCounts(), d.ExplicitBounds()
	if counts.Len() > maxBuckets {
		return 0
	}
	for i := counts.Len() - 1; i >= 0 && bounds.Len() > 0; i-- {
		last := uint32(0)
		if i < len(before) {
			last = before[i]
		}
		if uint32(counts.At(i)) != last {
			return bounds.At(min(i, bounds.Len()-1))
		}
	}
	return 0
}

// grow calls grown with each bucket that has more samples than before.
func grow(d pmetric.HistogramDataPoint, before []uint32, grown func(upper float64, n uint64)) {
	counts, bounds := d.BucketCounts(), d.ExplicitBounds()
	if grown == nil || counts.Len() > maxBuckets {
		return
	}
	for i, n := range counts.All() {
		if i < len(before) {
			n = uint64(uint32(n) - before[i])
		}
		upper := math.Inf(1)
		if i < bounds.Len() {
			upper = bounds.At(i)
		}
		if n > 0 {
			grown(upper, n)
		}
	}
}
