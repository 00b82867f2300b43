package store

import (
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// exponential makes the round-trip times of a message an exponential histogram of scale 2.
func exponential(md pmetric.Metrics, offset int32, counts ...uint64) pmetric.Metrics {
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Name() != "netconn.tcp.rtt" {
			continue
		}
		was := m.Histogram()
		from, temporality := was.DataPoints().At(0), was.AggregationTemporality()
		start, at, sum := from.StartTimestamp(), from.Timestamp(), from.Sum()
		attributes := from.Attributes().AsRaw()
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(temporality)
		p := h.DataPoints().AppendEmpty()
		p.SetStartTimestamp(start)
		p.SetTimestamp(at)
		p.SetSum(sum)
		_ = p.Attributes().FromRaw(attributes)
		p.SetScale(2)
		p.Positive().SetOffset(offset)
		p.Positive().BucketCounts().FromRaw(counts)
		for _, n := range counts {
			p.SetCount(p.Count() + n)
		}
	}
	return md
}

// An edge has the round-trip times of exponential histograms as it has those of explicit ones: also where the buckets of
// two points of a series begin elsewhere.
func TestExponentialHistogramsOfAnEdge(t *testing.T) {
	for temporality, counts := range map[feedtest.Temporality][2][]uint64{
		feedtest.Delta:      {{2}, {1}},        // of 0.42 to 0.5 s, and of 0.05 to 0.06 s
		feedtest.Cumulative: {{2}, {1, 12: 2}}, // both of them
	} {
		w := newWorld(t, 10)
		for i, c := range counts {
			f := curl(1, 1)
			f.RTTs = []float64{0.5, 0.5, 0.055}[:2+i]
			if temporality == feedtest.Delta {
				f.RTTs = f.RTTs[2*i:]
			}
			w.pass(time.Second)
			f.Start, f.At = w.began, w.now
			w.Add(exponential(feedtest.Metrics(temporality, f), []int32{-5, -17}[i], c...))
		}
		got := w.snapshot(fineSpan).Edges[0]
		if got.RTTs != 3 || math.Abs(got.RTTSum-1.055) > 0.001 || got.RTTMax != 0.5 {
			t.Errorf("%v: %d samples of together %v s and at most %v s, want 3, 1.055 and 0.5", temporality, got.RTTs,
				got.RTTSum, got.RTTMax)
		}
		if got := w.Status().Dropped.Points; got != 0 {
			t.Errorf("%v: %d points dropped", temporality, got)
		}
	}
}
