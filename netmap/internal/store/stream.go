package store

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/series"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A stream is the series of one resource for one set of attributes: of connections, or of look-ups.
type stream struct {
	slot           uint32 // of its report, or the overflow slot if that is not held
	kept           bool   // in Store.streams
	resource       uint64 // hash of the attributes that its resource had last
	first          int64  // when it was first seen, Unix seconds
	seen           int64  // when it was last received, Unix seconds
	baselineBefore int64  // a series that began before begins with a baseline, Unix nanoseconds

	tx, rx, retransmits series.Counter
	outcomes            []outcomes
	active              series.Clock
	open                uint64 // connections, at the last point
	rtt                 *series.Histogram
	duration            *series.Histogram // of handshakes, or of look-ups
}

// outcomes is a series of attempts, closed connections or look-ups that ended in one way.
type outcomes struct {
	series.Counter
	kind uint8 // index into the store's kinds
}

// outcome finds the series of a kind, or begins it.
func (t *stream) outcome(kind uint8) *series.Counter {
	for i := range t.outcomes {
		if t.outcomes[i].kind == kind {
			return &t.outcomes[i].Counter
		}
	}
	t.outcomes = append(t.outcomes, outcomes{kind: kind})
	return &t.outcomes[len(t.outcomes)-1].Counter
}

// newStream makes the stream of a point that is the first with its attributes. If there is no room, the stream is not
// kept; that is enough for an increase. For a value that has to be compared with the one before, it is nil.
func (s *Store) newStream(key uint64, b *batch, p *series.Point) *stream {
	room := len(s.streams) < 2*s.config.MaxEdges && !s.full() || s.evictStreams(b.now)
	if !room && (!p.Delta || p.State) {
		return nil
	}
	t := &stream{resource: b.hash, first: b.now, baselineBefore: s.baselineBefore}
	if began := p.Start / int64(time.Second); !p.Delta && began > 0 {
		t.first = min(t.first, began)
	}
	if room {
		s.streams[key], t.kept = t, true
	}
	t.slot = s.place(b, p, t)
	return t
}

// add counts what a point of a counter adds.
func (b *batch) add(p series.Point, value int64, of func(*stream) *series.Counter, put func(*bucket, uint32, uint64)) {
	t := b.open(&p)
	if t == nil {
		return
	}
	before := t.bytes()
	n, e := of(t).Next(p, value, t.baselineBefore)
	b.store.memory.grow(t, before)
	if b.apply(t, e, n > 0) {
		b.each(func(k *bucket) { put(k, t.slot, n) })
	}
}

func (b *batch) io(p series.Point, value int64) {
	if d, ok := p.Attributes.Get(names.Direction); ok && d.AsString() == names.Receive {
		b.add(p, value, func(t *stream) *series.Counter { return &t.rx },
			func(k *bucket, slot uint32, n uint64) {
				k.rx.add(slot, n)
			})
		return
	}
	b.add(p, value, func(t *stream) *series.Counter { return &t.tx }, func(k *bucket, slot uint32, n uint64) {
		k.tx.add(slot, n)
	})
}

func (b *batch) retransmits(p series.Point, value int64) {
	b.add(p, value, func(t *stream) *series.Counter { return &t.retransmits },
		func(k *bucket, slot uint32, n uint64) { k.retransmits.add(slot, n) })
}

func (b *batch) attempts(p series.Point, value int64) {
	b.ended(p, value, snap.Kind{Of: snap.Attempts, Error: text(p, names.ErrorType)}, func(k *bucket) *column[uint16] {
		return &k.attempts
	})
}

func (b *batch) closed(p series.Point, value int64) {
	b.ended(p, value, snap.Kind{Of: snap.Closed, Error: text(p, names.ErrorType)}, func(k *bucket) *column[uint16] {
		return &k.closed
	})
}

func (b *batch) requests(p series.Point, value int64) {
	kind := snap.Kind{Of: snap.Lookups, Error: text(p, names.RcodeKey)}
	if kind.Error == names.Rcode(0) {
		kind.Error = ""
	}
	b.ended(p, value, kind, (*bucket).looked)
}

func (b *batch) timeouts(p series.Point, value int64) {
	b.ended(p, value, snap.Kind{Of: snap.Lookups, Error: snap.NoResponse}, (*bucket).looked)
}

func (b *bucket) looked() *column[uint16] { return &b.lookups }

// text returns the value of an attribute; empty if the point does not have it.
func text(p series.Point, key string) string {
	v, ok := p.Attributes.Get(key)
	if !ok {
		return ""
	}
	return edge.Text(v.AsString()).String()
}

// ended counts what ended in one way.
func (b *batch) ended(p series.Point, value int64, kind snap.Kind, count func(*bucket) *column[uint16]) {
	index, other := b.store.kind(kind), uint8(0)
	if kind.Error != "" {
		other = b.store.kind(snap.Kind{Of: kind.Of, Error: names.OtherError})
	}
	of := func(t *stream) *series.Counter { return t.outcome(index) }
	b.add(p, value, of, func(k *bucket, slot uint32, n uint64) {
		count(k).add(slot, n)
		if kind.Error != "" {
			k.count(slot, index, other, n, max(chunk, 4*b.store.config.MaxEdges))
		}
	})
}

// active notes how many connections are open: a present value, which is not added up over time.
func (b *batch) active(p series.Point, value int64) {
	t := b.open(&p)
	if t == nil {
		return
	}
	e := t.active.Delta(p.At)
	if p.Delta {
		value = max(0, int64(t.open)+value)
	}
	if e == series.OutOfOrder {
		b.store.counts.dropped.OutOfOrder++
		return
	}
	now := uint64(value)
	if now != t.open {
		b.change(t)
	}
	r := &b.store.states[t.slot]
	r.open = r.open - min(r.open, t.open) + now
	t.open = now
	b.each(func(k *bucket) { k.active.set(t.slot, sum(r.open, 1)) })
}

func (b *batch) rtt(p series.Point, d pmetric.HistogramDataPoint) {
	rtt := func(t *stream) **series.Histogram { return &t.rtt }
	b.sample(p, d, rtt, func(k *bucket, slot uint32, s series.Samples, ticks uint64) {
		k.rtts.add(slot, s.Count)
		addTime(&k.rttSum, slot, ticks)
		if s.Highest > 0 {
			k.raise(slot, b.store.bounds.code(s.Highest), &b.store.bounds)
		}
	})
}

func (b *batch) handshake(p series.Point, d pmetric.HistogramDataPoint) {
	b.sample(p, d, func(t *stream) **series.Histogram { return &t.duration },
		func(k *bucket, slot uint32, s series.Samples, ticks uint64) {
			k.handshakes.add(slot, s.Count)
			addTime(&k.handshakeSum, slot, ticks)
		})
}

func (b *batch) lookup(p series.Point, d pmetric.HistogramDataPoint) {
	b.sample(p, d, func(t *stream) **series.Histogram { return &t.duration },
		func(k *bucket, slot uint32, s series.Samples, ticks uint64) {
			k.lookupTimes.add(slot, s.Count)
			addTime(&k.lookupSum, slot, ticks)
		})
}

// sample counts what a point of a histogram adds. Samples of idle connections are not a change.
func (b *batch) sample(
	p series.Point, d pmetric.HistogramDataPoint, of func(*stream) **series.Histogram,
	put func(*bucket, uint32, series.Samples, uint64),
) {
	t := b.open(&p)
	if t == nil {
		return
	}
	h, before := of(t), t.bytes()
	if *h == nil {
		*h = &series.Histogram{Ranked: h == &t.rtt}
	}
	s, e := (*h).Next(p, d, t.baselineBefore, nil)
	b.store.memory.grow(t, before)
	if b.apply(t, e, false); e == series.OutOfOrder || s.Count == 0 {
		return
	}
	ticks := uint64(math.Round(min(s.Sum/tick, math.MaxInt64)))
	b.each(func(k *bucket) { put(k, t.slot, s, ticks) })
}
