package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Figure writes a value with three or four significant digits, and its unit. A value without a unit is a ratio.
func Figure(v float64, unit string) string {
	format, size := "%.0f", math.Abs(v)
	switch {
	case unit == "", size != 0 && size < 1:
		format = "%.3f"
	case size < 10:
		format = "%.2f"
	case size < 100:
		format = "%.1f"
	}
	return strings.TrimSpace(fmt.Sprintf(format+" %s", v, unit))
}

// Micros returns a duration in microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Millis returns a duration in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// MiB writes a number of bytes.
func MiB(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }
