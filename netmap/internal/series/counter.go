package series

// An Effect is what a point does to its series.
type Effect uint8

// The effects.
const (
	Increase   Effect = iota
	Baseline          // nothing: the series began before its reader, and this is its first value
	Reset             // an increase from zero
	OutOfOrder        // dropped: it is not newer than the point before
)

// A Clock is how far a series has come.
type Clock struct{ start, at int64 }

// cumulative returns the effect of a point of a cumulative series. start and at are those of the point; fallen: its
// value is less than the one before. A series that began before baselineBefore begins with a baseline.
func (c *Clock) cumulative(start, at int64, fallen bool, baselineBefore int64) Effect {
	e := Increase
	switch {
	case c.at == 0 && (start == 0 || start < baselineBefore):
		e = Baseline
	case c.at == 0:
	case at <= c.at:
		return OutOfOrder
	case start > c.start || fallen:
		e = Reset
	}
	c.start, c.at = start, at
	return e
}

// Delta returns the effect of a point of a delta series, or of a state: an increase, unless it is out of order.
func (c *Clock) Delta(at int64) Effect {
	if at <= c.at {
		return OutOfOrder
	}
	c.at = at
	return Increase
}

// A Counter is one series of sums.
type Counter struct {
	Clock
	value uint64
}

// Next returns what a point adds. A series that began before baselineBefore begins with a baseline.
func (c *Counter) Next(p Point, v, baselineBefore int64) (uint64, Effect) {
	value := uint64(v)
	if p.Delta {
		return value, c.Delta(p.At)
	}
	last := c.value
	e := c.cumulative(p.Start, p.At, value < last, baselineBefore)
	if e == OutOfOrder {
		return 0, e
	}
	c.value = value
	switch e {
	case Baseline:
		return 0, e
	case Reset:
		return value, e
	}
	return value - last, e
}
