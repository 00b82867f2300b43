//go:build linux

package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// size returns bytes with three digits at least: 999 B, 1.21 kB, 12.1 MB, 121 GB. Powers of 1000, as for line speeds.
func size(bytes float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	unit := 0
	for bytes >= 999.5 && unit < len(units)-1 {
		bytes /= 1000
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%.0f B", bytes)
	}
	return fmt.Sprintf("%.*f %s", digits(bytes), bytes, units[unit])
}

// digits after the point that make three in all. 9.995 prints as 10.0 and 99.95 as 100.
func digits(value float64) int {
	switch {
	case value < 9.995:
		return 2
	case value < 99.95:
		return 1
	}
	return 0
}

// rate is empty where nothing flows, so that the eye finds what does.
func rate(bytesPerSecond float64, rated bool) string {
	switch {
	case !rated:
		return "-"
	case bytesPerSecond == 0:
		return ""
	case bytesPerSecond < 1:
		return "<1 B"
	}
	return size(bytesPerSecond)
}

// roundTrip is empty where there was no sample.
func roundTrip(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d us", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.*f ms", digits(d.Seconds()*1000), d.Seconds()*1000)
	}
	return fmt.Sprintf("%.*f s", digits(d.Seconds()), d.Seconds())
}

// count is empty for zero.
func count(n float64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(math.Round(n), 'f', -1, 64)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
