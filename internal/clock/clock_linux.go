// Package clock turns times of the kernel's monotonic clock, which BPF programs note, into times of day.
package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock is one reading of both clocks. With a reading for each batch of records their times of day follow steps of the
// wall clock.
type Clock struct {
	Wall      time.Time
	Monotonic time.Duration
}

// apart is by how much the two readings of a Clock may differ in time. The thread may lose its processor between them.
const apart = 10 * time.Microsecond

// Read reads both clocks at one moment.
func Read() (c Clock) {
	for range 3 {
		before := Monotonic()
		c.Wall = time.Now()
		c.Monotonic = Monotonic()
		if c.Monotonic-before <= apart {
			break
		}
	}
	return c
}

// Monotonic is the clock of bpf_ktime_get_ns. A collector in a time namespace of its own has another one.
func Monotonic() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // fails for a clock that does not exist only
	return time.Duration(t.Nano())
}

// At returns the time of day of a moment, in nanoseconds of the monotonic clock.
func (c Clock) At(ns uint64) time.Time { return c.Wall.Add(time.Duration(ns) - c.Monotonic) }
