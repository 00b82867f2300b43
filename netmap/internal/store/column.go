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

// sum does not wrap around: sources may send what they like.
func sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// A short is a sum of times, in ticks, to three digits: five bits of exponent and eleven of mantissa, as in a half-precision
// number without a sign.
type short uint16

func (s short) ticks() uint64 {
	exponent, mantissa := s>>11, uint64(s&0x7ff)
	if exponent == 0 {
		return mantissa
	}
	return (mantissa | 0x800) << (exponent - 1)
}

func shorten(ticks uint64) short {
	if ticks < 0x800 {
		return short(ticks)
	}
	shift := bits.Len64(ticks) - 12
	if shift > 0 {
		ticks = sum(ticks, 1<<(shift-1)) // to the nearest
		shift = bits.Len64(ticks) - 12
	}
	if shift > 30 {
		return math.MaxUint16
	}
	return short(shift+1)<<11 | short(ticks>>shift&0x7ff)
}

// lengthen adds to a cell.
func lengthen(cells *[]short, slot uint32, ticks uint64) {
	if ticks == 0 {
		return
	}
	*cells = reach(*cells, slot)
	(*cells)[slot] = shorten(sum((*cells)[slot].ticks(), ticks))
}
