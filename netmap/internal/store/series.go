package store

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// An effect is what a point does to its series.
type effect uint8

const (
	increase   effect = iota
	baseline          // nothing: the series began before the store, and this is its first value
	reset             // an increase from zero
	outOfOrder        // dropped: it is not newer than the point before
)

// A clock is how far a series has come. Times are Unix nanoseconds.
type clock struct{ start, at int64 }

// cumulative returns the effect of a point of a cumulative series. start and at are those of the point; fallen: its
// value is less than the one before. A series that began before baselineBefore begins with a baseline.
func (c *clock) cumulative(start, at int64, fallen bool, baselineBefore int64) effect {
	e := increase
	switch {
	case c.at == 0 && (start == 0 || start < baselineBefore):
		e = baseline
	case c.at == 0:
	case at <= c.at:
		return outOfOrder
	case start > c.start || fallen:
		e = reset
	}
	c.start, c.at = start, at
	return e
}

// delta returns the effect of a point of a delta series.
func (c *clock) delta(at int64) effect {
	if at <= c.at {
		return outOfOrder
	}
	c.at = at
	return increase
}

// A counter is one series of sums.
type counter struct {
	clock
	value uint64
}

// next returns what a point adds.
func (c *counter) next(p point, v, baselineBefore int64) (uint64, effect) {
	value := uint64(v)
	if p.delta {
		return value, c.delta(p.at)
	}
	last := c.value
	e := c.cumulative(p.start, p.at, value < last, baselineBefore)
	if e == outOfOrder {
		return 0, e
	}
	c.value = value
	switch e {
	case baseline:
		return 0, e
	case reset:
		return value, e
	}
	return value - last, e
}

// A histogram is one series of histograms.
type histogram struct {
	clock
	count   uint64
	sum     float64
	ranked  bool // remember the buckets, to find the highest one with new samples
	buckets []uint32
}

// samples are what a point of a histogram adds.
type samples struct {
	count   uint64
	sum     float64 // seconds
	highest float64 // upper bound of the highest bucket that has one; 0: unknown
}

func (h *histogram) next(p point, d pmetric.HistogramDataPoint, baselineBefore int64) (samples, effect) {
	if p.delta {
		return samples{d.Count(), d.Sum(), highest(d, nil)}, h.delta(p.at)
	}
	last := samples{count: h.count, sum: h.sum}
	e := h.cumulative(p.start, p.at, d.Count() < h.count, baselineBefore)
	if e == outOfOrder {
		return samples{}, e
	}
	if e == reset {
		last = samples{}
		clear(h.buckets)
	}
	s := samples{d.Count() - last.count, max(0, d.Sum()-last.sum), highest(d, h.buckets)}
	h.count, h.sum = d.Count(), d.Sum()
	if h.ranked && d.BucketCounts().Len() <= maxBuckets {
		h.remember(d.BucketCounts())
	}
	if e == baseline {
		return samples{}, e
	}
	return s, e
}

func (h *histogram) remember(counts pcommon.UInt64Slice) {
	if len(h.buckets) != counts.Len() {
		h.buckets = make([]uint32, counts.Len())
	}
	for i := range h.buckets {
		h.buckets[i] = uint32(counts.At(i)) // enough to see that a count has changed
	}
}

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
