package store

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/series"
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
	lookups  bool         // the present metric is of DNS
	point    series.Point // the present one

	at           int64 // of the point before, Unix nanoseconds
	fine, coarse *bucket
}

// adder returns the method that takes in a metric of the name, or nil if the metric is not one of ours.
func (b *batch) adder(name string) func(pmetric.Metric) {
	b.lookups = false
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
	b.lookups = true
	switch name {
	case names.LookupRequests:
		return b.sums(b.requests)
	case names.LookupTimeouts:
		return b.sums(b.timeouts)
	case names.LookupDuration:
		return b.histograms(b.lookup)
	}
	return nil
}

func (b *batch) sums(add func(p series.Point, value int64)) func(pmetric.Metric) {
	return func(m pmetric.Metric) { b.refuse(series.Sums(m, m.Name() == names.Active, add)) }
}

func (b *batch) histograms(add func(series.Point, pmetric.HistogramDataPoint)) func(pmetric.Metric) {
	return func(m pmetric.Metric) { b.refuse(series.Histograms(m, add)) }
}

func (b *batch) refuse(r series.Refused) {
	b.store.counts.dropped.Points += r.Points
	b.store.counts.dropped.Values += r.Values
}

// open finds the stream and the buckets of a point; nil if it cannot be counted.
func (b *batch) open(p *series.Point) *stream {
	s := b.store
	if limit := (b.now + coarseStep) * int64(time.Second); p.At > limit || p.At <= 0 {
		s.counts.ahead++
		p.At = b.now * int64(time.Second)
	}
	if p.At != b.at {
		b.at = p.At
		b.fine, b.coarse = s.buckets(p.At/int64(time.Second), b.now)
	}
	if b.coarse == nil {
		s.counts.dropped.Late++
		return nil
	}
	b.point = *p
	key := series.Flow(b.resource.id, s.hash.Attributes(p.Attributes))
	if b.lookups {
		key = ^key // connections may have the same attributes
	}
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
	b.resource.host.received(p.At, b.now)
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
func (b *batch) apply(t *stream, e series.Effect, something bool) bool {
	switch e {
	case series.OutOfOrder:
		b.store.counts.dropped.OutOfOrder++
		return false
	case series.Baseline:
		return false
	case series.Reset:
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
