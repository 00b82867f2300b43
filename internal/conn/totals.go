package conn

import "math"

// Totals are the counts of one connection in the widths of the kernel's counters, of which the narrow ones wrap. They
// take half of the memory of Counts.
type Totals struct {
	wide   [WideCounters]uint64
	narrow [firstShort - WideCounters]uint32
	short  [Counters - firstShort]uint16
}

// Totals returns the counts of one connection in the kernel's widths.
func (a *Counts) Totals() (t Totals) {
	copy(t.wide[:], a[:])
	for i := range t.narrow {
		t.narrow[i] = uint32(a[int(WideCounters)+i])
	}
	for i := range t.short {
		t.short[i] = uint16(min(a[int(firstShort)+i], math.MaxUint16))
	}
	return t
}

// Counts returns the same totals in 64 bits.
func (t *Totals) Counts() (a Counts) {
	copy(a[:], t.wide[:])
	for i, n := range t.narrow {
		a[int(WideCounters)+i] = uint64(n)
	}
	for i, n := range t.short {
		a[int(firstShort)+i] = uint64(n)
	}
	return a
}

// Since returns how much the totals have grown. A counter that went backwards has not grown.
func (t *Totals) Since(earlier *Totals) (grown Counts) {
	for i, n := range t.wide {
		grown[i] = max(n, earlier.wide[i]) - earlier.wide[i]
	}
	for i, n := range t.narrow {
		grown[int(WideCounters)+i] = uint64(growth(earlier.narrow[i], n))
	}
	for i, n := range t.short {
		grown[int(firstShort)+i] = uint64(max(n, earlier.short[i]) - earlier.short[i])
	}
	return grown
}

// Raise raises each counter of a to that of earlier totals, if it is lower.
func (a *Counts) Raise(earlier *Totals) {
	for i, n := range earlier.wide {
		a[i] = max(a[i], n)
	}
	for i, n := range earlier.narrow {
		c := int(WideCounters) + i
		a[c] = uint64(n + growth(n, uint32(a[c])))
	}
	for i, n := range earlier.short {
		c := int(firstShort) + i
		a[c] = max(a[c], uint64(n))
	}
}

// growth returns how much a counter that wraps has grown. A difference above half of its range means that it went
// backwards.
func growth(from, to uint32) uint32 {
	d := to - from
	if d > 1<<31 {
		return 0
	}
	return d
}
