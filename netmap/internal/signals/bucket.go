package signals

import (
	"math"
	"slices"
)

// A bucket is what a source did in one stretch of time.
type bucket struct {
	served, made   *calls
	logs           *[severities]uint32
	cpu            float64 // sum of the samples, in CPUs
	cpuSamples     uint32
	memory         float64 // last sample, in bytes
	memoryReported bool
}

// Bounds are the upper bounds of latencies, in seconds. Longer ones are in one more class.
var bounds = [...]float64{
	.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30,
}

// calls are spans of one direction.
type calls struct {
	n, errors uint64
	sampled   uint64  // that say that they were sampled
	estimated float64 // how many there were, by what the spans say of their sampling
	seconds   float64 // sum
	slowest   float64
	latency   [len(bounds) + 1]uint64
}

func (c *calls) count(s *span, estimated float64) {
	seconds := float64(s.duration) / 1e9
	c.n++
	if s.failed {
		c.errors++
	}
	c.estimated += estimated
	if estimated > 1 {
		c.sampled++
	}
	c.seconds += seconds
	c.slowest = max(c.slowest, seconds)
	i, _ := slices.BinarySearch(bounds[:], seconds)
	c.latency[i]++
}

func (c *calls) add(other *calls) {
	if other == nil {
		return
	}
	c.n += other.n
	c.errors += other.errors
	c.sampled += other.sampled
	c.estimated += other.estimated
	c.seconds += other.seconds
	c.slowest = max(c.slowest, other.slowest)
	for i, n := range other.latency {
		c.latency[i] += n
	}
}

// quantile returns the upper bound of a quantile of the latencies, in seconds; NaN without calls.
func (c *calls) quantile(q float64) float64 {
	if c.n == 0 {
		return math.NaN()
	}
	rank, n := uint64(math.Ceil(q*float64(c.n))), uint64(0)
	for i, in := range c.latency {
		n += in
		if n >= rank && i < len(bounds) {
			return min(bounds[i], c.slowest)
		}
	}
	return c.slowest
}

// severities are the classes of log records; 0 has those that do not say.
const severities = 7

// severityNames are the names of the classes.
var severityNames = [severities]string{"unspecified", "trace", "debug", "info", "warn", "error", "fatal"}

// severity returns the class of a severity number.
func severity(number int32) int {
	if number < 1 || number > 24 {
		return 0
	}
	return int(number+3) / 4
}

// severityError is the class of errors, the least of which lines are kept.
const severityError = 5
