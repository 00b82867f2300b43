package store

import (
	"cmp"
	"slices"
)

// A bucket is what was counted in one stretch of time.
type bucket struct {
	at int64 // Unix seconds at which it begins; 0: never used

	tx, rx           column[uint32] // bytes, from the reporting end
	retransmits      column[uint16]
	rtts, shakes     column[uint16] // samples
	attempts         column[uint16]
	closed           column[uint16]
	active           column[uint16] // one more than were open at the last report; 0: no report
	rttSum, shakeSum []short        // ticks
	rttMax           []uint8        // code of the highest bound, see bounds
	outcomes         []outcome      // several of one slot and kind add up
}

// An outcome is how often something ended in other than the good way: the slot times 256 and the kind, which is an index into
// the store's kinds, and the number.
type outcome struct{ what, n uint32 }

func (o outcome) slot() uint32 { return o.what >> 8 }

func (o outcome) kind() uint8 { return uint8(o.what) }

// tick is the resolution of times, 100 ns; in seconds.
const tick = 1e-7

func (b *bucket) reset(at int64) {
	b.at = at
	for _, c := range b.wide() {
		c.clear()
	}
	for _, c := range b.narrow() {
		c.clear()
	}
	clear(b.rttSum)
	clear(b.shakeSum)
	clear(b.rttMax)
	b.outcomes = b.outcomes[:0]
}

func (b *bucket) wide() [2]*column[uint32] { return [...]*column[uint32]{&b.tx, &b.rx} }

func (b *bucket) narrow() [6]*column[uint16] {
	return [...]*column[uint16]{&b.retransmits, &b.rtts, &b.shakes, &b.attempts, &b.closed, &b.active}
}

// move adds what slots have to others, and empties them.
func (b *bucket) move(moves map[uint32]uint32, bounds *bounds) {
	if b.at == 0 {
		return
	}
	for from, to := range moves {
		for _, c := range b.wide() {
			c.add(to, c.get(from))
			c.set(from, 0)
		}
		for _, c := range b.narrow() {
			n := c.get(from)
			if c == &b.active && n > 0 && c.get(to) > 0 {
				n-- // both say that there was a report
			}
			c.add(to, n)
			c.set(from, 0)
		}
		for _, c := range [...]*[]short{&b.rttSum, &b.shakeSum} {
			if int(from) < len(*c) {
				lengthen(c, to, (*c)[from].ticks())
				(*c)[from] = 0
			}
		}
		if int(from) < len(b.rttMax) {
			b.raise(to, b.rttMax[from], bounds)
			b.rttMax[from] = 0
		}
	}
	for i := range b.outcomes {
		o := &b.outcomes[i]
		if to, moved := moves[o.slot()]; moved {
			o.what = to<<8 | uint32(o.kind())
		}
	}
}

func (b *bucket) raise(slot uint32, code uint8, bounds *bounds) {
	if code == 0 {
		return
	}
	b.rttMax = reach(b.rttMax, slot)
	if bounds.value(code) > bounds.value(b.rttMax[slot]) {
		b.rttMax[slot] = code
	}
}

// bounds are the upper bounds of histogram buckets that were met, as codes of one byte; 0 is none.
type bounds struct{ values []float64 }

func (b *bounds) value(code uint8) float64 {
	if code == 0 {
		return 0
	}
	return b.values[code-1]
}

// code returns that of a bound. Sources that have more than 255 different ones between them get the next higher one, else the highest.
func (b *bounds) code(bound float64) uint8 {
	if i := slices.Index(b.values, bound); i >= 0 {
		return uint8(i + 1)
	}
	if len(b.values) < 255 {
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

// fail counts an outcome. What is added again and again is brought together before it takes more room.
func (b *bucket) fail(slot uint32, kind uint8, n uint64) {
	if len(b.outcomes) == cap(b.outcomes) && len(b.outcomes) >= chunk {
		b.compact()
	}
	b.outcomes = append(b.outcomes, outcome{slot<<8 | uint32(kind), uint32(min(n, uint64(full[uint32]())))})
}

func (b *bucket) compact() {
	slices.SortFunc(b.outcomes, func(x, y outcome) int { return cmp.Compare(x.what, y.what) })
	kept := b.outcomes[:0]
	for _, o := range b.outcomes {
		last := len(kept) - 1
		if last >= 0 && kept[last].what == o.what {
			kept[last].n = uint32(min(uint64(kept[last].n)+uint64(o.n), uint64(full[uint32]())))
			continue
		}
		kept = append(kept, o)
	}
	b.outcomes = kept
}

// A ring is the buckets of one length, the newest in place of the oldest.
type ring struct {
	step    int64 // seconds
	buckets []bucket
}

func newRing(step int64, n int) *ring { return &ring{step: step, buckets: make([]bucket, n)} }

// floor returns the begin of the bucket that a time is in.
func (r *ring) floor(t int64) int64 { return t - t%r.step }

// at returns the bucket of a time, a new one if nothing was counted in it yet, or nil if it is older than what is held.
func (r *ring) at(t int64) *bucket {
	begin := r.floor(t)
	b := &r.buckets[begin/r.step%int64(len(r.buckets))]
	switch {
	case b.at == begin:
		return b
	case b.at > begin:
		return nil
	}
	b.reset(begin)
	return b
}

// within calls f for each bucket that begins in [from, to), oldest first.
func (r *ring) within(from, to int64, f func(*bucket)) {
	for begin := r.floor(from + r.step - 1); begin < to; begin += r.step {
		if b := &r.buckets[begin/r.step%int64(len(r.buckets))]; b.at == begin {
			f(b)
		}
	}
}

func (r *ring) move(moves map[uint32]uint32, bounds *bounds) {
	for i := range r.buckets {
		r.buckets[i].move(moves, bounds)
	}
}

// bytes is what its columns take.
func (b *bucket) bytes() int {
	n := len(b.rttMax) + 2*len(b.rttSum) + 2*len(b.shakeSum) + 8*cap(b.outcomes)
	for _, c := range b.wide() {
		n += 4*len(c.cells) + 32*len(c.big)
	}
	for _, c := range b.narrow() {
		n += 2*len(c.cells) + 32*len(c.big)
	}
	return n
}
