package pipeline

import (
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
)

// An entry that is open is not that of a connection which has ended, and the other way round an open connection may
// have one that closes.
func TestAnswersFit(t *testing.T) {
	for name, c := range map[string]struct {
		phase conn.Phase
		state conntrack.State
		fits  bool
	}{
		"open":                      {conn.Open, conntrack.Established, true},
		"open, half closed":         {conn.Open, conntrack.CloseWait, true},
		"closed":                    {conn.Closed, conntrack.TimeWait, true},
		"closed, orphaned":          {conn.Closed, conntrack.CloseWait, true},
		"closed, and the entry not": {conn.Closed, conntrack.Established, false},
		"closed, and a new attempt": {conn.Closed, conntrack.SynSent, false},
		"failed":                    {conn.Failed, conntrack.SynSent, true},
		"failed, and established":   {conn.Failed, conntrack.Established, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fits(c.phase, c.state); got != c.fits {
				t.Errorf("got %v, want %v", got, c.fits)
			}
		})
	}
}
