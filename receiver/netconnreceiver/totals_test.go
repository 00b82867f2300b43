package netconnreceiver

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// totals are sums over every point of a metric, the overflow's too.
type totals struct {
	Transmitted, Received, Attempts, Closed, Lost, Active int64
}

func totalsOf(md pmetric.Metrics) (sum totals) {
	for _, r := range md.ResourceMetrics().All() {
		for _, s := range r.ScopeMetrics().All() {
			for _, m := range s.Metrics().All() {
				if m.Type() == pmetric.MetricTypeSum {
					sum.add(m)
				}
			}
		}
	}
	return sum
}

func (s *totals) add(m pmetric.Metric) {
	for _, p := range m.Sum().DataPoints().All() {
		direction, _ := p.Attributes().Get("network.io.direction")
		reason, _ := p.Attributes().Get("error.type")
		switch m.Name() {
		case "netconn.io":
			if direction.Str() == "transmit" {
				s.Transmitted += p.IntValue()
			} else {
				s.Received += p.IntValue()
			}
		case "netconn.attempts":
			s.Attempts += p.IntValue()
		case "netconn.closed":
			s.Closed += p.IntValue()
			if reason.Str() == "lost" {
				s.Lost += p.IntValue()
			}
		case "netconn.active":
			s.Active += p.IntValue()
		}
	}
}

func wantTotals(t *testing.T, what string, want, got totals) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
