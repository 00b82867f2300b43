package store

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// A bucket is what was counted in one stretch of time.
type bucket struct {
	at int64 // Unix seconds at which it begins; 0: never used

	tx, rx               column[uint32] // bytes, as the end that reports has them
	retransmits          column[uint16]
	rtts, handshakes     column[uint16] // samples
	attempts             column[uint16]
	closed               column[uint16]
	active               column[uint16] // one more than were open at the last point; 0: no point
	lookups              column[uint16] // of DNS, those without a response too
	lookupTimes          column[uint16] // samples
	rttSum, handshakeSum []half         // ticks
	lookupSum            []half         // ticks
	rttMax               []uint8        // code of the highest bound, see bounds
	outcomes             []outcome      // several of one slot and kind add up
}

// An outcome is how often attempts or connections of a slot ended in one way that is not good. The kind is an index
// into the store's kinds.
type outcome struct{ slotAndKind, n uint32 }

func newOutcome(slot uint32, kind uint8, n uint64) outcome {
	return outcome{slot<<8 | uint32(kind), uint32(min(n, math.MaxUint32))}
}

func (o outcome) slot() uint32 { return o.slotAndKind >> 8 }

func (o outcome) kind() uint8 { return uint8(o.slotAndKind) }

func (b *bucket) reset(at int64) {
	b.at = at
	for _, c := range b.wide() {
		c.clear()
	}
	for _, c := range b.narrow() {
		c.clear()
	}
	for _, sums := range b.sums() {
		clear(*sums)
	}
	clear(b.rttMax)
	b.outcomes = b.outcomes[:0]
}

func (b *bucket) wide() [2]*column[uint32] { return [...]*column[uint32]{&b.tx, &b.rx} }

func (b *bucket) narrow() [8]*column[uint16] {
	return [...]*column[uint16]{
		&b.retransmits, &b.rtts, &b.handshakes, &b.attempts, &b.closed, &b.active, &b.lookups, &b.lookupTimes,
	}
}

// sums are the sums of times.
func (b *bucket) sums() [3]*[]half { return [...]*[]half{&b.rttSum, &b.handshakeSum, &b.lookupSum} }

// move adds the figures of slots to those of others, and empties them.
func (b *bucket) move(moves map[uint32]uint32, bounds *bounds) {
	if b.at == 0 {
		return
	}
	for from, to := range moves {
		for _, c := range b.wide() {
			c.add(to, c.take(from))
		}
		for _, c := range b.narrow() {
			n := c.take(from)
			if c == &b.active && n > 0 && c.get(to) > 0 {
				n-- // both are one more than were open
			}
			c.add(to, n)
		}
		for _, c := range b.sums() {
			if int(from) < len(*c) {
				addTime(c, to, (*c)[from].ticks())
				(*c)[from] = 0
			}
		}
		if int(from) < len(b.rttMax) {
			b.raise(to, b.rttMax[from], bounds)
			b.rttMax[from] = 0
		}
	}
	for i, o := range b.outcomes {
		if to, moved := moves[o.slot()]; moved {
			b.outcomes[i] = newOutcome(to, o.kind(), uint64(o.n))
		}
	}
}

// raise notes a bound, if it is the highest of the slot.
func (b *bucket) raise(slot uint32, code uint8, bounds *bounds) {
	if code == 0 {
		return
	}
	b.rttMax = reach(b.rttMax, slot)
	if bounds.value(code) > bounds.value(b.rttMax[slot]) {
		b.rttMax[slot] = code
	}
}

// bounds are the upper bounds of histogram buckets that were received, as codes of one byte; 0 is none.
type bounds struct{ values []float64 }

func (b *bounds) value(code uint8) float64 {
	if code == 0 {
		return 0
	}
	return b.values[code-1]
}

// code returns the code of a bound. If there are 255 others already, it is that of the next higher one, or of the
// highest.
func (b *bounds) code(bound float64) uint8 {
	if i := slices.Index(b.values, bound); i >= 0 {
		return uint8(i + 1)
	}
	if len(b.values) < math.MaxUint8 {
		b.values = append(b.values, bound)
		return uint8(len(b.values))
	}
	best := 0
	for i, v := range b.values {
		if w := b.values[best]; (v >= bound && (w < bound || v < w)) || (w < bound && v > w) {
			best = i
		}
	}
	return uint8(best + 1)
}

// count counts an outcome. It merges equal ones before they take more memory. At the limit it counts each one as the
// kind other.
func (b *bucket) count(slot uint32, kind, other uint8, n uint64, limit int) {
	if len(b.outcomes) == cap(b.outcomes) && len(b.outcomes) >= chunk {
		b.compact()
	}
	if len(b.outcomes) >= limit {
		kind = other
	}
	b.outcomes = append(b.outcomes, newOutcome(slot, kind, n))
}

func (b *bucket) compact() {
	slices.SortFunc(b.outcomes, func(x, y outcome) int { return cmp.Compare(x.slotAndKind, y.slotAndKind) })
	kept := b.outcomes[:0]
	for _, o := range b.outcomes {
		last := len(kept) - 1
		if last >= 0 && kept[last].slotAndKind == o.slotAndKind {
			kept[last] = newOutcome(o.slot(), o.kind(), uint64(kept[last].n)+uint64(o.n))
			continue
		}
		kept = append(kept, o)
	}
	b.outcomes = kept
}

// A ring is the buckets of one length. The newest takes the place of the oldest.
type ring struct {
	step    int64 // seconds
	buckets []bucket
}

func newRing(step int64, n int) *ring { return &ring{step: step, buckets: make([]bucket, n)} }

// bucket returns the place of the bucket that begins at a time.
func (r *ring) bucket(begin int64) *bucket { return &r.buckets[begin/r.step%int64(len(r.buckets))] }

// at returns the bucket of a time, a new one if nothing was counted in it yet, or nil if it is older than what is held.
func (r *ring) at(t int64) *bucket {
	begin := t - t%r.step
	b := r.bucket(begin)
	switch {
	case b.at == begin:
		return b
	case b.at > begin:
		return nil
	}
	b.reset(begin)
	return b
}

// within returns the buckets that begin in [from, to), oldest first.
func (r *ring) within(from, to int64) iter.Seq[*bucket] {
	return func(yield func(*bucket) bool) {
		from += r.step - 1
		for begin := from - from%r.step; begin < to; begin += r.step {
			if b := r.bucket(begin); b.at == begin && !yield(b) {
				return
			}
		}
	}
}

func (r *ring) move(moves map[uint32]uint32, bounds *bounds) {
	for i := range r.buckets {
		r.buckets[i].move(moves, bounds)
	}
}

// bytes returns the memory of the columns.
func (b *bucket) bytes() int {
	n := len(b.rttMax) + 8*cap(b.outcomes)
	for _, sums := range b.sums() {
		n += 2 * len(*sums)
	}
	for _, c := range b.wide() {
		n += 4*len(c.cells) + 48*len(c.big)
	}
	for _, c := range b.narrow() {
		n += 2*len(c.cells) + 48*len(c.big)
	}
	return n
}
