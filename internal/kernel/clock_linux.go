package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// A clock turns times of the kernel's monotonic clock into times of day. It is read for each batch of records, so it
// follows steps of the wall clock.
type clock struct {
	wall      time.Time
	monotonic time.Duration
}

// clockError is by how much the two readings of a clock may be apart. The thread may lose its processor between them.
const clockError = 10 * time.Microsecond

// readClock reads both clocks at one moment.
func readClock() (c clock) {
	for range 3 {
		before := monotonic()
		c.wall = time.Now()
		c.monotonic = monotonic()
		if c.monotonic-before <= clockError {
			break
		}
	}
	return c
}

// monotonic is the clock of bpf_ktime_get_ns. A collector in a time namespace of its own has another one.
func monotonic() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // fails for a clock that does not exist only
	return time.Duration(t.Nano())
}

// at returns the time of day of a moment.
func (c clock) at(ns uint64) time.Time { return c.wall.Add(time.Duration(ns) - c.monotonic) }

// tick returns the duration of a jiffy, in which the kernel counts some times. The coarse clocks advance once a jiffy.
func tick() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &t) // fails for a clock that does not exist only
	return time.Duration(t.Nano())
}
