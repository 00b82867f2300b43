package metrics

import (
	"slices"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// No bytes is a fact only if no payload passed by TCP. What TCP did carry is shown, and how many connections may have
// carried more; a flow with none of them has no series for that.
func TestBypassedHasNoZero(t *testing.T) {
	w := newWriter(DefaultConfig().Metrics)
	metric := func(name string) *metric {
		i := slices.IndexFunc(w.metrics, func(m metric) bool { return m.name == name })
		return &w.metrics[i]
	}
	for name, tt := range map[string]struct {
		counts                conn.Counts
		io, bypassed, packets bool
	}{
		"an idle connection":       {conn.Counts{}, true, false, true},
		"nothing seen in a bypass": {conn.Counts{conn.Bypassed: 1}, false, false, true},
		"some of several bypassed": {conn.Counts{conn.Bypassed: 2, conn.SegmentsSent: 9}, false, false, true},
	} {
		f := &flow.Flow{Active: 3, Counts: tt.counts}
		if got := metric(names.IO).hasZero(f); got != tt.io {
			t.Errorf("%s: zero bytes are shown: %t", name, got)
		}
		if got := metric(names.Bypassed).hasZero(f); got != tt.bypassed {
			t.Errorf("%s: zero bypassed connections are shown: %t", name, got)
		}
		if got := metric(names.Retransmits).hasZero(f); got != tt.packets {
			t.Errorf("%s: zero retransmits are shown: %t", name, got)
		}
	}
}
