//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// checkHistory checks every series of every resource: one time for all points of a
// collection, a start that stays and is not after it, counts that never fall.
func checkHistory(t *testing.T, all []collection) {
	t.Helper()
	last := make(map[string]series)
	for i, c := range all {
		times := make(map[time.Time]bool)
		now := make(map[string]series)
		for _, r := range c.resources {
			for name, s := range r.series {
				times[s.at] = true
				key := fmt.Sprint(r.attributes, name)
				now[key] = s
				falls := r.metrics[metricOf(name)].Monotonic
				if before, known := last[key]; known {
					checkSuccession(t, key, before, s, falls)
				}
				if s.start.After(s.at) || s.start.IsZero() {
					t.Errorf("%s starts at %v and is of %v", key, s.start, s.at)
				}
			}
		}
		if len(times) > 1 {
			t.Errorf("collection %d has points of %v", i, slices.Collect(maps.Keys(times)))
		}
		last = now
	}
}

func checkSuccession(t *testing.T, key string, before, after series, monotonic bool) {
	t.Helper()
	switch {
	case !after.at.After(before.at):
		t.Errorf("%s: a point of %v follows one of %v", key, after.at, before.at)
	case !after.start.Equal(before.start) && after.start.Before(before.at):
		t.Errorf("%s: the start moved from %v to %v, though there was a point at %v", key, before.start, after.start, before.at)
	case !after.start.Equal(before.start):
		return
	case monotonic && after.count < before.count:
		t.Errorf("%s: %d follows %d", key, after.count, before.count)
	case after.histogram != nil && after.histogram.count < before.histogram.count:
		t.Errorf("%s: %+v follows %+v", key, *after.histogram, *before.histogram)
	}
}

// checkMetrics checks what is reported of each metric, by every resource of every collection.
func checkMetrics(t *testing.T, all []collection) {
	t.Helper()
	want := defaultMetrics()
	for name, unit := range map[string]string{
		"netconn.listen.drops": "{connection}", "netconn.tcp.bypassed": "{connection}",
		"netconn.tcp.limited": "s", "netconn.tcp.timeouts": "{event}",
		"netconn.udp.drops": "{datagram}", "netconn.udp.errors": "{error}", "netconn.drops": "{packet}",
		"netconn.dns.requests": "{request}", "netconn.dns.timeouts": "{request}",
	} {
		want[name] = metric{Unit: unit, Type: "sum", Temporality: "Cumulative", Monotonic: true}
	}
	want["dns.lookup.duration"] = metric{Unit: "s", Type: "histogram", Temporality: "Cumulative"}
	for _, c := range all { // of other programs of the machine too, which may have and use more
		for _, r := range c.resources {
			for name, got := range r.metrics {
				if diff := cmp.Diff(want[name], got); diff != "" {
					t.Fatalf("%s of %v (-want +got):\n%s", name, r.attributes, diff)
				}
			}
			if len(r.scopes) != 1 || r.scopes[0].Name != "github.com/netconn/netconn/receiver/netconnreceiver" || r.scopes[0].Version == "" {
				t.Fatalf("scopes of %v: %+v", r.attributes, r.scopes)
			}
		}
	}
}

func defaultMetrics() map[string]metric {
	counter := func(unit string) metric {
		return metric{Unit: unit, Type: "sum", Temporality: "Cumulative", Monotonic: true}
	}
	seconds := metric{Unit: "s", Type: "histogram", Temporality: "Cumulative"}
	return map[string]metric{
		"netconn.io":                     counter("By"),
		"netconn.attempts":               counter("{connection}"),
		"netconn.closed":                 counter("{connection}"),
		"netconn.active":                 {Unit: "{connection}", Type: "sum", Temporality: "Cumulative"},
		"netconn.tcp.rtt":                seconds,
		"netconn.tcp.retransmits":        counter("{segment}"),
		"netconn.tcp.handshake.duration": seconds,
	}
}
