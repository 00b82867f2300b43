package store

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// A resource is one that was met.
type resource struct {
	end    edge.End
	source uint64 // hash of what its attributes say of who emits them
	host   *host
	seen   int64
}

// point is what all types of points have.
type point struct {
	start, at int64 // Unix nanoseconds
	delta     bool
	state     bool // what is now, not what is added up over time
	attrs     pcommon.Map
}

// Add takes metrics in; those that are not netconn's are ignored. It keeps nothing of what it is given.
func (s *Store) Add(metrics pmetric.Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now()
	s.tidy(now.Unix())
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
	hash     uint64 // of the resource
	points   uint64
	point    point // the present one

	at           int64 // of the point before, nanoseconds
	fine, coarse *bucket
}

// adder returns what takes in a metric of the name, nil if it is none of ours.
func (b *batch) adder(name string) func(pmetric.Metric) {
	switch name {
	case "netconn.io":
		return b.sums(b.io)
	case "netconn.tcp.retransmits":
		return b.sums(b.retransmits)
	case "netconn.attempts":
		return b.sums(b.attempts)
	case "netconn.closed":
		return b.sums(b.closed)
	case "netconn.active":
		return b.sums(b.active)
	case "netconn.tcp.rtt":
		return b.histograms(b.rtt)
	case "netconn.tcp.handshake.duration":
		return b.histograms(b.shake)
	}
	return nil
}

// enter finds the resource of the metrics that follow.
func (b *batch) enter(attrs pcommon.Map) {
	if b.resource != nil {
		return
	}
	s := b.store
	b.hash = s.hash(attrs)
	r := s.resources[b.hash]
	if r == nil {
		r = &resource{end: edge.Self(attrs), source: s.source(attrs, b.hash)}
		if len(s.resources) < 2*s.config.MaxEdges {
			s.resources[b.hash] = r
		}
	}
	r.host, r.seen = s.hostOf(&r.end, b.now), b.now
	b.resource = r
}

// sums takes in the points of a sum, or of a gauge where a processor made one of it.
func (b *batch) sums(add func(p point, value int64)) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		var points pmetric.NumberDataPointSlice
		delta := false
		switch m.Type() {
		case pmetric.MetricTypeSum:
			points = m.Sum().DataPoints()
			delta = m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		case pmetric.MetricTypeGauge:
			if m.Name() != "netconn.active" {
				b.store.counts.points += uint64(m.Gauge().DataPoints().Len())
				return
			}
			points = m.Gauge().DataPoints()
		default:
			b.store.counts.points++
			return
		}
		for _, d := range points.All() {
			if d.Flags().NoRecordedValue() {
				continue
			}
			value, ok := whole(d)
			if !ok || value < 0 && (!delta || m.Name() != "netconn.active") {
				b.store.counts.values++
				continue
			}
			add(point{start: int64(d.StartTimestamp()), at: int64(d.Timestamp()), delta: delta, attrs: d.Attributes()}, value)
		}
	}
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
			b.store.counts.points++
			return
		}
		delta := m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		for _, d := range m.Histogram().DataPoints().All() {
			if d.Flags().NoRecordedValue() {
				continue
			}
			if math.IsNaN(d.Sum()) || math.IsInf(d.Sum(), 0) || d.Sum() < 0 {
				b.store.counts.values++
				continue
			}
			add(point{start: int64(d.StartTimestamp()), at: int64(d.Timestamp()), delta: delta, attrs: d.Attributes()}, d)
		}
	}
}

// open finds the stream and the buckets of a point; nil if it cannot be counted.
func (b *batch) open(p *point) *stream {
	s := b.store
	if limit := (b.now + CoarseStep) * int64(time.Second); p.at > limit || p.at <= 0 {
		s.counts.ahead++
		p.at = b.now * int64(time.Second)
	}
	if p.at != b.at {
		b.at = p.at
		b.fine, b.coarse = s.buckets(p.at/int64(time.Second), b.now)
	}
	if b.coarse == nil {
		s.counts.late++
		return nil
	}
	b.point = *p
	key := s.hash(p.attrs) + b.resource.source*0x9e3779b97f4a7c15
	t := s.streams[key]
	switch {
	case t == nil:
		if t = s.begin(key, b, p); t == nil {
			s.counts.streams++
			return nil
		}
	case t.resource != b.hash:
		b.move(t)
	}
	t.seen = b.now
	s.reports[t.slot].seen = b.now
	b.resource.host.report(p.at, b.now)
	b.points++
	return t
}

// buckets returns those of a time; nil where it is older than what is held.
func (s *Store) buckets(at, now int64) (fine, coarse *bucket) {
	if at > now-FineSpan {
		fine = s.fine.at(at)
	}
	if at > now-CoarseSpan {
		coarse = s.coarse.at(at)
	}
	return fine, coarse
}

// settle counts what became of a point, and tells whether it adds something.
func (b *batch) settle(t *stream, v verdict, something bool) bool {
	switch v {
	case disorder:
		b.store.counts.disorder++
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

// change notes that the report of a stream has changed. One that had to leave comes back if there is room.
func (b *batch) change(t *stream) {
	b.store.readmit(t, b)
	b.store.reports[t.slot].changed = max(b.store.reports[t.slot].changed, b.at/int64(time.Second))
}

// each calls f with the buckets of the present point.
func (b *batch) each(f func(*bucket)) {
	if b.fine != nil {
		f(b.fine)
	}
	f(b.coarse)
}
