package store

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// add counts what a point of a counter adds.
func (b *batch) add(p point, value int64, series func(*stream) *counter, put func(*bucket, uint32, uint64)) {
	t := b.open(&p)
	if t == nil {
		return
	}
	n, v := series(t).next(p, value, t.opened)
	if b.settle(t, v, n > 0) {
		b.each(func(k *bucket) { put(k, t.slot, n) })
	}
}

func (b *batch) io(p point, value int64) {
	if edge.Attribute(p.attrs, edge.Direction) == "receive" {
		b.add(p, value, func(t *stream) *counter { return &t.rx }, func(k *bucket, slot uint32, n uint64) { k.rx.add(slot, n) })
		return
	}
	b.add(p, value, func(t *stream) *counter { return &t.tx }, func(k *bucket, slot uint32, n uint64) { k.tx.add(slot, n) })
}

func (b *batch) retransmits(p point, value int64) {
	b.add(p, value, func(t *stream) *counter { return &t.retransmits },
		func(k *bucket, slot uint32, n uint64) { k.retransmits.add(slot, n) })
}

func (b *batch) attempts(p point, value int64) { b.ended(p, value, false) }

func (b *batch) closed(p point, value int64) { b.ended(p, value, true) }

func (b *batch) ended(p point, value int64, closed bool) {
	kind := b.store.kind(Kind{closed, edge.Text(edge.Attribute(p.attrs, edge.ErrorType)).String()})
	b.add(p, value, func(t *stream) *counter { return t.outcome(kind) }, func(k *bucket, slot uint32, n uint64) {
		if closed {
			k.closed.add(slot, n)
		} else {
			k.attempts.add(slot, n)
		}
		if b.store.kinds[kind].Error != "" {
			k.fail(slot, kind, n)
		}
	})
}

// active notes how many connections are open: a state, not something that is added up over time.
func (b *batch) active(p point, value int64) {
	p.state = true
	t := b.open(&p)
	if t == nil {
		return
	}
	v := t.active.delta(p.at)
	if p.delta {
		value = max(0, int64(t.open)+value)
	}
	if v == disorder {
		b.store.counts.disorder++
		return
	}
	now := uint64(value)
	if now != t.open {
		b.change(t)
	}
	r := &b.store.reports[t.slot]
	r.open = r.open - min(r.open, t.open) + now
	t.open = now
	b.each(func(k *bucket) { k.active.set(t.slot, sum(r.open, 1)) })
}

func (b *batch) rtt(p point, d pmetric.HistogramDataPoint) {
	b.sample(p, d, func(t *stream) **histogram { return &t.rtt }, func(k *bucket, slot uint32, s samples, ticks uint64) {
		k.rtts.add(slot, s.count)
		lengthen(&k.rttSum, slot, ticks)
		if s.highest > 0 {
			k.raise(slot, b.store.bounds.code(s.highest), &b.store.bounds)
		}
	})
}

func (b *batch) shake(p point, d pmetric.HistogramDataPoint) {
	b.sample(p, d, func(t *stream) **histogram { return &t.shake }, func(k *bucket, slot uint32, s samples, ticks uint64) {
		k.shakes.add(slot, s.count)
		lengthen(&k.shakeSum, slot, ticks)
	})
}

// sample counts what a point of a histogram adds. Samples of idle connections are no change.
func (b *batch) sample(
	p point, d pmetric.HistogramDataPoint, series func(*stream) **histogram, put func(*bucket, uint32, samples, uint64),
) {
	t := b.open(&p)
	if t == nil {
		return
	}
	h := series(t)
	if *h == nil {
		*h = &histogram{ranked: h == &t.rtt}
	}
	s, v := (*h).next(p, d, t.opened)
	if b.settle(t, v, false); v == disorder || s.count == 0 {
		return
	}
	ticks := uint64(math.Round(min(s.sum/tick, math.MaxInt64)))
	b.each(func(k *bucket) { put(k, t.slot, s, ticks) })
}

// begin makes the stream of a point that is the first of its attributes. Without room for one it is not kept, which will do for what
// is added up at the source; for what has to be compared with the value before it is nil.
func (s *Store) begin(key uint64, b *batch, p *point) *stream {
	room := len(s.streams) < 2*s.config.MaxEdges || s.oust(b.now)
	if !room && (!p.delta || p.state) {
		return nil
	}
	t := &stream{resource: b.hash, first: b.now, opened: s.baseline}
	if began := p.start / int64(time.Second); !p.delta && began > 0 {
		t.first = min(t.first, began)
	}
	if room {
		s.streams[key] = t
	}
	t.slot = s.place(b, p, t)
	return t
}
