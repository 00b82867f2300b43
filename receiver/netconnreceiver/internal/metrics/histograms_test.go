package metrics

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

func exponentialWriter(delta bool) *Writer {
	return New(Options{
		Metrics: DefaultConfig().Metrics, Resources: resources.New(metadata.DefaultResourceAttributesConfig()), Delta: delta,
		Bounds: flow.ExponentialBounds(), Exponential: true, Start: at(0),
	})
}

// described returns what the round-trip times of a message say, a line for each point. A bucket is its upper bound and its
// count.
func described(t *testing.T, md pmetric.Metrics) (points []string) {
	t.Helper()
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Name() != "netconn.tcp.rtt" {
			continue
		}
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			line := fmt.Sprintf("%v %d/%v zero %d", p.Timestamp().AsTime().Sub(time.Unix(0, 0)), p.Count(), p.Sum(), p.ZeroCount())
			base := math.Exp2(math.Exp2(-float64(p.Scale())))
			total := p.ZeroCount()
			for i, n := range p.Positive().BucketCounts().All() {
				if n > 0 {
					line += fmt.Sprintf(", %.4g: %d", math.Pow(base, float64(p.Positive().Offset())+float64(i)+1), n)
				}
				total += n
			}
			if total != p.Count() || p.HasMin() != p.HasMax() {
				t.Errorf("%s: the buckets have %d", line, total)
			}
			if p.HasMin() {
				line += fmt.Sprintf(", %v to %v", p.Min(), p.Max())
			}
			points = append(points, line)
		}
	}
	return points
}

// Samples are in the bucket whose upper bound is the next power of 2^(1/4), and a sample of zero is in none. A series
// begins at zero, like others.
func TestExponentialHistogram(t *testing.T) {
	bounds := flow.ExponentialBounds()[flow.RTT]
	above := func(upper float64) int { // the index of the bucket with this upper bound
		for i, b := range bounds {
			if math.Abs(b/upper-1) < 1e-9 {
				return i
			}
		}
		t.Fatalf("%v is no bound", upper)
		return 0
	}
	first := above(0.5)
	samples := flow.Histogram{First: first, Counts: []uint64{1, 0, 2}, Count: 3, Sum: 1.7, Min: 0.45, Max: 0.65}
	withZero := flow.Histogram{Counts: make([]uint64, first+1), Count: 5, Sum: 0.5, Max: 0.5}
	withZero.Counts[0], withZero.Counts[first] = 4, 1
	rows := map[string]struct {
		delta   bool
		samples flow.Histogram
		want    []string
	}{
		"cumulative": {false, samples, []string{"1ms 0/0 zero 0", "10s 3/1.7 zero 0, 0.5: 1, 0.7071: 2, 0.45 to 0.65"}},
		"delta":      {true, samples, []string{"10s 3/1.7 zero 0, 0.5: 1, 0.7071: 2"}},
		"zeros":      {true, withZero, []string{"10s 5/0.5 zero 4, 0.5: 1"}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			f := &flow.Flow{Key: flow.Key{ServerPort: 80}, Connections: true, Start: at(0)}
			f.Histograms[flow.RTT] = row.samples
			md := exponentialWriter(row.delta).Write([]flow.Resource{{Flows: []*flow.Flow{f}}}, at(10))
			if diff := cmp.Diff(row.want, described(t, md)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The zero of an exponential histogram is sent before its value too.
func TestSplitOfExponentialHistogram(t *testing.T) {
	f := &flow.Flow{Key: flow.Key{ServerPort: 80}, Connections: true, Start: at(0)}
	f.Histograms[flow.RTT] = flow.Histogram{First: 1, Counts: []uint64{1}, Count: 1, Sum: 1e-9, Min: 1e-9, Max: 1e-9}
	md := exponentialWriter(false).Write([]flow.Resource{{Flows: []*flow.Flow{f}}}, at(10))
	zeros := described(t, Split(md))
	if diff := cmp.Diff([]string{"1ms 0/0 zero 0"}, zeros); diff != "" {
		t.Errorf("zeros (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"10s 1/1e-09 zero 0, 1.108e-09: 1, 1e-09 to 1e-09"}, described(t, md)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}
