package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

// played writes the collections of one flow, and returns what each point of the metrics says: metric, own attribute,
// time in seconds since the start, value.
func played(t *testing.T, delta bool, collections ...func(*flow.Flow)) (points []string) {
	t.Helper()
	w := New(Options{
		Metrics: DefaultConfig().Metrics, Resources: resources.New(metadata.DefaultResourceAttributesConfig()), Delta: delta, Bounds: flow.SameBounds([]float64{1}), Start: at(0),
	})
	f := &flow.Flow{Key: flow.Key{ServerPort: 80}, Connections: true, Start: at(0)}
	for i, change := range collections {
		valued := f.Parts()
		change(f)
		if i > 0 {
			f.Shown |= valued
		}
		md := w.Write([]flow.Resource{{Flows: []*flow.Flow{f}}}, at(int64(10*(i+1))))
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			points = append(points, pointsOf(m)...)
		}
	}
	return points
}

func pointsOf(m pmetric.Metric) (points []string) {
	if m.Name() == "netconn.active" || m.Name() == "netconn.tcp.retransmits" {
		return nil
	}
	seconds := func(at time.Time) float64 { return at.Sub(time.Unix(0, 0)).Seconds() }
	if m.Type() == pmetric.MetricTypeHistogram {
		for _, p := range m.Histogram().DataPoints().All() {
			points = append(points, fmt.Sprintf("%s %v %d", m.Name(), seconds(p.Timestamp().AsTime()), p.Count()))
		}
		return points
	}
	for _, p := range m.Sum().DataPoints().All() {
		own := ""
		for _, key := range []string{"error.type", "network.io.direction"} {
			if v, ok := p.Attributes().Get(key); ok {
				own = v.Str() + " "
			}
		}
		points = append(points, fmt.Sprintf("%s %s%v %d", m.Name(), own, seconds(p.Timestamp().AsTime()), p.IntValue()))
	}
	return points
}

func attempt(e conn.Error) func(*flow.Flow) {
	return func(f *flow.Flow) { f.Outcomes[flow.Attempts][e]++ }
}

// A series begins with zero, once: with the flow, or with the first failure of its kind a moment after the collection
// before.
func TestSeriesBeginAtZero(t *testing.T) {
	sent := func(f *flow.Flow) { f.Counts[conn.Sent] += 7 }
	sampled := func(f *flow.Flow) {
		f.Histograms[flow.RTT] = flow.Histogram{Counts: []uint64{1, 0}, Count: 1, Sum: 0.5, Min: 0.5, Max: 0.5}
	}
	want := []string{
		"netconn.io transmit 0.001 0", "netconn.io transmit 10 7", "netconn.io receive 10 0",
		"netconn.io transmit 20 7", "netconn.io receive 20 0",
		"netconn.attempts refused 10.001 0", "netconn.attempts refused 20 1",
		"netconn.io transmit 30 7", "netconn.io receive 30 0", "netconn.attempts refused 30 2",
		"netconn.io transmit 40 7", "netconn.io receive 40 0", "netconn.attempts refused 40 2",
		"netconn.tcp.rtt 30.001 0", "netconn.tcp.rtt 40 1",
	}
	if diff := cmp.Diff(want, played(t, false, sent, attempt(conn.Refused), attempt(conn.Refused), sampled)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Deltas say themselves that they begin at zero.
func TestDeltasHaveNoPointOfZero(t *testing.T) {
	want := []string{"netconn.attempts refused 10 1", "netconn.attempts refused 20 1"}
	if diff := cmp.Diff(want, played(t, true, attempt(conn.Refused), attempt(conn.Refused))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
