package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// What a resource has counted while it was withheld is in its first collection, from the start on. The others do not
// wait for it.
func TestWithheldUntilItIsKnown(t *testing.T) {
	unknown := map[conn.Owner]bool{shop: true}
	var ages []time.Duration
	table := newTable(Config{ExpireAfter: time.Second, Withhold: func(o conn.Owner, age time.Duration) bool {
		if o == shop {
			ages = append(ages, age)
		}
		return unknown[o]
	}}, at(0))
	changes := NewDifferences(at(0))
	collect := func(seconds float64) (shown []Resource, bytes uint64) {
		shown = table.Collect(at(seconds), byPort)
		for _, r := range changes.Of(shown, at(seconds)) {
			for _, f := range r.Flows {
				bytes += f.Counts[conn.Sent]
			}
		}
		return shown, bytes
	}
	open(table, at(1), shop, 80, 81)
	open(table, at(1), bank, 90)
	shown, moved := collect(10)
	if got := ports(shown); !cmp.Equal(got, map[conn.Owner][]uint16{bank: {90}}) || moved != 1 {
		t.Errorf("the first collection has %v, %d bytes", got, moved)
	}
	shut(table, at(11), shop, 81)
	shown, moved = collect(20) // the idle flow has not been shown, so it does not expire
	collect(30)
	if got := ports(shown); !cmp.Equal(got, map[conn.Owner][]uint16{bank: {90}}) || moved != 0 {
		t.Errorf("the second collection has %v, %d bytes", got, moved)
	}
	delete(unknown, shop)
	shown, moved = collect(40)
	if got := ports(shown); !cmp.Equal(got, map[conn.Owner][]uint16{bank: {90}, shop: {80, 81}}) || moved != 2 {
		t.Errorf("once it is known: %v, %d bytes", got, moved)
	}
	for _, r := range shown {
		for _, f := range r.Flows {
			if r.Owner == shop && (!f.Start.Equal(at(0)) || f.Shown != 0) {
				t.Errorf("port %d starts at %v, and was shown before: %v", f.Key.ServerPort, f.Start, f.Shown)
			}
		}
	}
	unknown[shop] = true
	if shown, _ = collect(50); len(ports(shown)) != 2 {
		t.Errorf("withheld again: %v", ports(shown))
	}
	if want := []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second, 40 * time.Second}; !cmp.Equal(ages, want) {
		t.Errorf("asked about it at the ages %v, want %v", ages, want)
	}
}
