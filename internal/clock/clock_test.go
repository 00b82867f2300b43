//go:build linux

package clock

import (
	"testing"
	"time"
)

// Records that are written while the ring is read are younger than the reading of the clock.
func TestAt(t *testing.T) {
	c := Clock{Wall: time.Unix(1000, 0), Monotonic: time.Minute}
	for ns, want := range map[time.Duration]time.Time{
		59 * time.Second: time.Unix(999, 0),
		time.Minute:      time.Unix(1000, 0),
		61 * time.Second: time.Unix(1001, 0),
	} {
		if got := c.At(uint64(ns)); !got.Equal(want) {
			t.Errorf("%v after the kernel's start is %v, want %v", ns, got, want)
		}
	}
}

// A moment that the kernel noted is the moment at which it did.
func TestMomentOfTheKernel(t *testing.T) {
	before := time.Now().Add(-tolerance)
	noted := Monotonic()
	after := time.Now().Add(tolerance)
	if got := Read().At(uint64(noted)); got.Before(before) || got.After(after) {
		t.Errorf("the moment is %v, want between %v and %v", got, before, after)
	}
}

// tolerance is for a thread that loses its processor between two readings.
const tolerance = 50 * time.Millisecond

func TestRead(t *testing.T) {
	before := time.Now()
	c := Read()
	if after := time.Now(); c.Wall.Before(before) || c.Wall.After(after) {
		t.Errorf("the wall clock is %v, want between %v and %v", c.Wall, before, after)
	}
	later := Read()
	drift := later.Wall.Sub(c.Wall) - (later.Monotonic - c.Monotonic)
	if drift.Abs() > tolerance {
		t.Errorf("two readings of the clock are %v apart", drift)
	}
}
