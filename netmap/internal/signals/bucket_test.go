package signals

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func callsOf(all ...time.Duration) *calls {
	c := &calls{}
	for _, d := range all {
		c.count(&span{duration: int64(d)}, 1)
	}
	return c
}

// A quantile is the bound of the class that it is in, but never more than the slowest call.
func TestQuantiles(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		calls         *calls
		p50, p95, p99 float64
	}{
		"one":                  {callsOf(3 * ms), .003, .003, .003},
		"at a bound":           {callsOf(5*ms, 50*ms), .005, .05, .05},
		"many short, one long": {callsOf(ms, ms, ms, ms, ms, ms, ms, ms, ms, 400*ms), .001, .4, .4},
		"beyond the bounds":    {callsOf(time.Minute, time.Hour), 3600, 3600, 3600},
		"instant":              {callsOf(0, 0), 0, 0, 0},
	} {
		got := [...]float64{c.calls.quantile(.5), c.calls.quantile(.95), c.calls.quantile(.99)}
		if got != [...]float64{c.p50, c.p95, c.p99} {
			t.Errorf("%s: %v, want %v, %v, %v", name, got, c.p50, c.p95, c.p99)
		}
	}
	if q := callsOf().quantile(.5); !math.IsNaN(q) {
		t.Errorf("without calls: %v", q)
	}
}

// The sum of parts is the whole.
func TestCallsAddUp(t *testing.T) {
	failed, sampled := &calls{}, &calls{}
	failed.count(&span{duration: 2e9, failed: true}, 1)
	sampled.count(&span{duration: 1e9}, 4)
	var got calls
	got.add(failed)
	got.add(nil)
	got.add(sampled)
	want := calls{n: 2, errors: 1, sampled: 1, estimated: 5, seconds: 3, slowest: 2}
	want.latency[10], want.latency[11] = 1, 1
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(calls{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestClassesOfSeverities(t *testing.T) {
	for number, want := range map[int32]string{
		-1: "unspecified", 0: "unspecified", 1: "trace", 4: "trace", 5: "debug", 9: "info", 12: "info", 13: "warn",
		17: "error", 20: "error", 21: "fatal", 24: "fatal", 25: "unspecified",
	} {
		if got := severityNames[severity(number)]; got != want {
			t.Errorf("%d: %s, want %s", number, got, want)
		}
	}
	if severityNames[severityError] != "error" {
		t.Error("the class of errors is another one")
	}
}

func TestBytesOfBucket(t *testing.T) {
	k := bucket{served: &calls{}, made: &calls{}, logs: new([severities]uint32)}
	if got, want := k.bytes(), 2*callsBytes+4*severities; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if got := (&bucket{cpu: 1}).bytes(); got != 0 {
		t.Errorf("a bucket of usage has %d bytes more", got)
	}
}
