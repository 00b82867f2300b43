package store

import (
	"math"
	"math/bits"
)

// A column is one figure of every report in one bucket. A cell that is full means that the figure is in big.
type column[T uint16 | uint32] struct {
	cells []T
	big   map[uint32]uint64
}

func full[T uint16 | uint32]() T { return ^T(0) }

func (c *column[T]) get(slot uint32) uint64 {
	if int(slot) >= len(c.cells) {
		return 0
	}
	if v := c.cells[slot]; v != full[T]() {
		return uint64(v)
	}
	return c.big[slot]
}

// take returns a figure and sets it to 0.
func (c *column[T]) take(slot uint32) uint64 {
	v := c.get(slot)
	c.set(slot, 0)
	return v
}

func (c *column[T]) set(slot uint32, v uint64) {
	if v == 0 && int(slot) >= len(c.cells) {
		return
	}
	c.cells = reach(c.cells, slot)
	if c.cells[slot] == full[T]() {
		delete(c.big, slot)
	}
	if v < uint64(full[T]()) {
		c.cells[slot] = T(v)
		return
	}
	if c.big == nil {
		c.big = make(map[uint32]uint64)
	}
	c.cells[slot] = full[T]()
	c.big[slot] = v
}

func (c *column[T]) add(slot uint32, v uint64) {
	if v != 0 {
		c.set(slot, sum(c.get(slot), v))
	}
}

// each calls f with each figure that is not 0.
func (c *column[T]) each(f func(slot int, v uint64)) {
	for i, v := range c.cells {
		switch v {
		case 0:
		case full[T]():
			f(i, c.big[uint32(i)])
		default:
			f(i, uint64(v))
		}
	}
}

// addTo adds each figure to the sum of its slot. Columns may be longer than the sums.
func (c *column[T]) addTo(sums []uint64) {
	cells := c.cells[:min(len(c.cells), len(sums))]
	for i, v := range cells {
		if v == full[T]() {
			sums[i] += c.big[uint32(i)]
			continue
		}
		sums[i] += uint64(v)
	}
}

func (c *column[T]) clear() {
	clear(c.cells)
	clear(c.big)
}

// chunk is by how many cells a column grows.
const chunk = 1024

// reach makes cells long enough for a slot.
func reach[T any](cells []T, slot uint32) []T {
	if int(slot) < len(cells) {
		return cells
	}
	grown := make([]T, (int(slot)/chunk+1)*chunk)
	copy(grown, cells)
	return grown
}

// sum does not wrap around, whatever the sources send.
func sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// tick is the resolution of times, 100 ns, in seconds.
const tick = 1e-7

// half is a sum of times in ticks, to three digits: five bits of exponent and eleven of mantissa, as in a
// half-precision number without a sign.
type half uint16

func newHalf(ticks uint64) half {
	if ticks < 0x800 {
		return half(ticks)
	}
	shift := bits.Len64(ticks) - 12
	if shift > 0 {
		ticks = sum(ticks, 1<<(shift-1)) // to the nearest
		shift = bits.Len64(ticks) - 12
	}
	if shift > 30 {
		return math.MaxUint16
	}
	return half(shift+1)<<11 | half(ticks>>shift&0x7ff)
}

func (h half) ticks() uint64 {
	exponent, mantissa := h>>11, uint64(h&0x7ff)
	if exponent == 0 {
		return mantissa
	}
	return (mantissa | 0x800) << (exponent - 1)
}

func (h half) seconds() float64 { return float64(h.ticks()) * tick }

// addTicks adds each time to the sum of its slot.
func addTicks(sums []uint64, times []half) {
	for i, v := range times[:min(len(times), len(sums))] {
		sums[i] += v.ticks()
	}
}

// addTime adds to a cell.
func addTime(cells *[]half, slot uint32, ticks uint64) {
	if ticks == 0 {
		return
	}
	*cells = reach(*cells, slot)
	(*cells)[slot] = newHalf(sum((*cells)[slot].ticks(), ticks))
}
