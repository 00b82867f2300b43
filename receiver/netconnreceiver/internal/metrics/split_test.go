package metrics

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

// wholePoints returns all points of a message, with what describes them.
func wholePoints(md pmetric.Metrics) (points []string) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				about := fmt.Sprint(rm.SchemaUrl() != "", sm.Scope().Name(), m.Unit(), m.Description() != "", m.Type())
				for _, p := range pointsOf(m) {
					points = append(points, about+" "+p)
				}
			}
		}
	}
	return points
}

func beginning(t *testing.T, delta bool) pmetric.Metrics {
	t.Helper()
	w := New(Options{
		Metrics: DefaultConfig().Metrics, Resources: resources.New(metadata.DefaultResourceAttributesConfig()), Delta: delta,
		Bounds: flow.SameBounds([]float64{1}), Start: at(0),
	})
	f := &flow.Flow{Key: flow.Key{ServerPort: 80}, Connections: true, Start: at(0)}
	f.Counts[conn.Sent] = 7
	f.Outcomes[flow.Attempts][conn.Refused] = 2
	f.Histograms[flow.RTT] = flow.Histogram{Counts: []uint64{1, 0}, Count: 1, Sum: 0.5, Min: 0.5, Max: 0.5}
	return w.Write([]flow.Resource{{Flows: []*flow.Flow{f}}}, at(10))
}

// No message has two points of one series, and none is lost or changed.
func TestSplit(t *testing.T) {
	whole := wholePoints(beginning(t, false))
	md := beginning(t, false)
	zeros := Split(md)
	var first, then []string
	for _, p := range whole {
		if p[len(p)-2:] == " 0" && p[len(p)-8:] == " 0.001 0" {
			first = append(first, p)
		} else {
			then = append(then, p)
		}
	}
	if len(first) != 3 {
		t.Fatalf("%d series begin in %q", len(first), whole)
	}
	if diff := cmp.Diff(first, wholePoints(zeros)); diff != "" {
		t.Errorf("zeros (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(then, wholePoints(md)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// Deltas have no zeros, and a message without zeros stays as it is.
func TestSplitOfNothing(t *testing.T) {
	md := beginning(t, true)
	want := wholePoints(md)
	if zeros := Split(md); zeros.ResourceMetrics().Len() != 0 {
		t.Errorf("zeros of deltas: %q", wholePoints(zeros))
	}
	if diff := cmp.Diff(want, wholePoints(md)); diff != "" {
		t.Errorf("deltas (-want +got):\n%s", diff)
	}
	if zeros := Split(pmetric.NewMetrics()); zeros.ResourceMetrics().Len() != 0 {
		t.Error("zeros of nothing")
	}
}
