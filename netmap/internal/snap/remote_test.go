package snap

import (
	"errors"
	"fmt"
	"math/bits"
	"testing"
)

// Each figure is a bit of its own, and all of them are all.
func TestWhatIsABitEach(t *testing.T) {
	each := map[string]What{
		"volume": Volume, "retransmits": Retransmits, "rtt": RTT, "attempts": Attempts, "closed": Closed, "active": Active, "lookups": Lookups,
	}
	var sum What
	for name, one := range each {
		if bits.OnesCount8(uint8(one)) != 1 {
			t.Errorf("%s is %b", name, one)
		}
		if sum&one != 0 {
			t.Errorf("%s is another figure too", name)
		}
		sum |= one
	}
	if sum != All {
		t.Errorf("all are %b, want %b", All, sum)
	}
}

// The error of a history says why, and is found in another error.
func TestPartialIsAnError(t *testing.T) {
	err := fmt.Errorf("read the history: %w", &Partial{Missing: []string{"series"}, Reason: "too slow"})
	var p *Partial
	if !errors.As(err, &p) || p.Reason != "too slow" || len(p.Missing) != 1 {
		t.Errorf("got %+v", p)
	}
	if want := "read the history: too slow"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// A source without a store has no state of one.
func TestStatesOfAStore(t *testing.T) {
	known := make(map[string]bool)
	for _, state := range []string{Starting, Reached, Slow, Away, Void} {
		if state == "" || known[state] {
			t.Errorf("the state %q says nothing", state)
		}
		known[state] = true
	}
	if (Status{}).Remote.State != "" {
		t.Error("a source without a store has a state of one")
	}
}
