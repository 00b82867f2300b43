package store

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/names"
)

// Add takes in metrics, and ignores those that are not netconn's. It keeps no reference to them.
func (s *Store) Add(metrics pmetric.Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now()
	s.sweep(now.Unix())
	s.memory.buckets = s.bucketBytes()
	b := batch{store: s, now: now.Unix()}
	for _, rm := range metrics.ResourceMetrics().All() {
		b.resource = nil
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if add := b.adder(m.Name()); add != nil {
					b.enter(rm.Resource().Attributes())
					add(m)
				}
			}
		}
	}
	if b.resource != nil || b.points > 0 {
		s.generation++
		clear(s.snapshots)
	}
}

// A batch is one call of Add.
type batch struct {
	store    *Store
	now      int64
	resource *resource
	hash     uint64 // of the resource's attributes
	points   uint64
	point    point // the present one

	at           int64 // of the point before, Unix nanoseconds
	fine, coarse *bucket
}

// A point is what all types of points have in common.
type point struct {
	start, at int64 // Unix nanoseconds
	delta     bool
	state     bool // a present value, not an increase
	attrs     pcommon.Map
}

// adder returns the method that takes in a metric of the name, or nil if the metric is not one of ours.
func (b *batch) adder(name string) func(pmetric.Metric) {
	switch name {
	case names.IO:
		return b.sums(b.io)
	case names.Retransmits:
		return b.sums(b.retransmits)
	case names.Attempts:
		return b.sums(b.attempts)
	case names.Closed:
		return b.sums(b.closed)
	case names.Active:
		return b.sums(b.active)
	case names.RTT:
		return b.histograms(b.rtt)
	case names.HandshakeDuration:
		return b.histograms(b.handshake)
	}
	return nil
}

// sums takes in the points of a sum, or of a gauge if a processor made one of it.
func (b *batch) sums(add func(p point, value int64)) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		var points pmetric.NumberDataPointSlice
		delta, state := false, m.Name() == names.Active
		switch {
		case m.Type() == pmetric.MetricTypeSum:
			points = m.Sum().DataPoints()
			delta = m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		case m.Type() == pmetric.MetricTypeGauge && state:
			points = m.Gauge().DataPoints()
		default:
			b.store.counts.dropped.Points += uint64(pointsOf(m))
			return
		}
		for _, d := range points.All() {
			if d.Flags().NoRecordedValue() {
				continue
			}
			value, ok := whole(d)
			if !ok || value < 0 && (!delta || !state) {
				b.store.counts.dropped.Values++
				continue
			}
			add(point{
				start: int64(d.StartTimestamp()), at: int64(d.Timestamp()), delta: delta, state: state,
				attrs: d.Attributes(),
			}, value)
		}
	}
}

// pointsOf returns the number of points of a metric whose type is not the expected one; at least one.
func pointsOf(m pmetric.Metric) int {
	if m.Type() == pmetric.MetricTypeGauge {
		return m.Gauge().DataPoints().Len()
	}
	return 1
}

// whole returns a value as a whole number.
func whole(d pmetric.NumberDataPoint) (int64, bool) {
	v := d.IntValue()
	if d.ValueType() == pmetric.NumberDataPointValueTypeDouble {
		f := d.DoubleValue()
		if math.IsNaN(f) || math.Abs(f) > math.MaxInt64/2 {
			return 0, false
		}
		v = int64(math.Round(f))
	}
	return v, true
}

func (b *batch) histograms(add func(point, pmetric.HistogramDataPoint)) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		if m.Type() != pmetric.MetricTypeHistogram {
			b.store.counts.dropped.Points++
			return
		}
		delta := m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		for _, d := range m.Histogram().DataPoints().All() {
			if d.Flags().NoRecordedValue() {
				continue
			}
			if math.IsNaN(d.Sum()) || math.IsInf(d.Sum(), 0) || d.Sum() < 0 {
				b.store.counts.dropped.Values++
				continue
			}
			p := point{start: int64(d.StartTimestamp()), at: int64(d.Timestamp()), delta: delta, attrs: d.Attributes()}
			add(p, d)
		}
	}
}

// open finds the stream and the buckets of a point; nil if it cannot be counted.
func (b *batch) open(p *point) *stream {
	s := b.store
	if limit := (b.now + coarseStep) * int64(time.Second); p.at > limit || p.at <= 0 {
		s.counts.ahead++
		p.at = b.now * int64(time.Second)
	}
	if p.at != b.at {
		b.at = p.at
		b.fine, b.coarse = s.buckets(p.at/int64(time.Second), b.now)
	}
	if b.coarse == nil {
		s.counts.dropped.Late++
		return nil
	}
	b.point = *p
	key := s.hash(p.attrs) + b.resource.id*0x9e3779b97f4a7c15
	t := s.streams[key]
	switch {
	case t == nil:
		if t = s.newStream(key, b, p); t == nil {
			s.counts.dropped.Streams++
			return nil
		}
	case t.resource != b.hash:
		b.move(t)
	}
	t.seen = b.now
	s.reports[t.slot].Seen = b.now
	b.resource.host.received(p.at, b.now)
	b.points++
	return t
}

// buckets returns the buckets of a time; nil where it is older than what is held.
func (s *Store) buckets(at, now int64) (fine, coarse *bucket) {
	if at > now-fineSpan {
		fine = s.fine.at(at)
	}
	if at > now-coarseSpan {
		coarse = s.coarse.at(at)
	}
	return fine, coarse
}

// apply notes what a point does to its series, and reports whether it adds something.
func (b *batch) apply(t *stream, e effect, something bool) bool {
	switch e {
	case outOfOrder:
		b.store.counts.dropped.OutOfOrder++
		return false
	case baseline:
		return false
	case reset:
		b.store.counts.resets++
	}
	if something {
		b.change(t)
	}
	return something
}

// change notes that the report of a stream has changed. An evicted report is held again if there is room.
func (b *batch) change(t *stream) {
	b.store.readmit(t, b)
	r := &b.store.reports[t.slot]
	r.Changed = max(r.Changed, b.at/int64(time.Second))
}

// each calls f with the buckets of the present point.
func (b *batch) each(f func(*bucket)) {
	if b.fine != nil {
		f(b.fine)
	}
	f(b.coarse)
}
