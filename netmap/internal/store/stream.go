package store

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A verdict tells what became of a point.
type verdict uint8

const (
	counted  verdict = iota
	baseline         // the first value of what began before the store
	reset            // counted, from zero
	disorder         // dropped: not newer than the point before
)

// A clock tells whether a series goes on. Times are Unix nanoseconds.
type clock struct{ start, at int64 }

// next decides on a point of a cumulative series that began at start, and was counted up to at. fallen: its value is less
// than the one before.
func (c *clock) next(start, at int64, fallen bool, opened int64) verdict {
	v := counted
	switch {
	case c.at == 0 && (start == 0 || start < opened):
		v = baseline
	case c.at == 0:
	case at <= c.at:
		return disorder
	case start > c.start || fallen:
		v = reset
	}
	c.start, c.at = start, at
	return v
}

// delta decides on a point of a delta series.
func (c *clock) delta(at int64) verdict {
	if at <= c.at {
		return disorder
	}
	c.at = at
	return counted
}

// A counter is one series of sums.
type counter struct {
	clock
	value uint64
}

// next returns what a point adds.
func (c *counter) next(p point, v, opened int64) (uint64, verdict) {
	value := uint64(v)
	if p.delta {
		return value, c.delta(p.at)
	}
	last := c.value
	verdict := c.clock.next(p.start, p.at, value < last, opened)
	if verdict == disorder {
		return 0, verdict
	}
	c.value = value
	switch verdict {
	case baseline:
		return 0, verdict
	case reset:
		return value, verdict
	}
	return value - last, verdict
}

// A histogram is one series of histograms.
type histogram struct {
	clock
	count   uint64
	sum     float64
	ranked  bool // the highest bucket is of interest
	buckets []uint32
}

// samples are what a point of a histogram adds.
type samples struct {
	count   uint64
	sum     float64 // seconds
	highest float64 // upper bound of the highest bucket that has one; 0: not known
}

func (h *histogram) next(p point, d pmetric.HistogramDataPoint, opened int64) (samples, verdict) {
	if p.delta {
		return samples{d.Count(), d.Sum(), highest(d, nil)}, h.delta(p.at)
	}
	last := samples{count: h.count, sum: h.sum}
	v := h.clock.next(p.start, p.at, d.Count() < h.count, opened)
	if v == disorder {
		return samples{}, v
	}
	if v == reset {
		last = samples{}
		clear(h.buckets)
	}
	s := samples{d.Count() - last.count, max(0, d.Sum()-last.sum), highest(d, h.buckets)}
	h.count, h.sum = d.Count(), d.Sum()
	if h.ranked {
		h.remember(d.BucketCounts())
	}
	if v == baseline {
		return samples{}, v
	}
	return s, v
}

func (h *histogram) remember(counts pcommon.UInt64Slice) {
	if len(h.buckets) != counts.Len() {
		h.buckets = make([]uint32, counts.Len())
	}
	for i := range h.buckets {
		h.buckets[i] = uint32(counts.At(i)) // compared for being different only
	}
}

// highest returns the upper bound of the highest bucket that has more than before; of the last one, which has no upper bound,
// its lower one.
func highest(d pmetric.HistogramDataPoint, before []uint32) float64 {
	counts, bounds := d.BucketCounts(), d.ExplicitBounds()
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

// A stream is what one source says of one set of attributes.
type stream struct {
	slot     uint32 // of its report, or of the one that stands for those beyond the limit
	resource uint64 // hash of the attributes that its resource had last
	first    int64  // when it was first seen, Unix seconds
	seen     int64  // when it was last received, Unix seconds
	opened   int64  // what began before begins with a baseline, Unix nanoseconds

	tx, rx, retransmits counter
	outcomes            []outcomes
	active              clock
	open                uint64 // connections, at the last point
	rtt, shake          *histogram
}

// outcomes is a series of attempts or of closed connections with one error.type.
type outcomes struct {
	counter
	kind uint8 // index into the store's kinds
}

// outcome finds the series of a kind, or begins it.
func (s *stream) outcome(kind uint8) *counter {
	for i := range s.outcomes {
		if s.outcomes[i].kind == kind {
			return &s.outcomes[i].counter
		}
	}
	s.outcomes = append(s.outcomes, outcomes{kind: kind})
	return &s.outcomes[len(s.outcomes)-1].counter
}
