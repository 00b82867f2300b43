package series

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// octaves are the powers of 2 that bound the buckets of exponential histograms here: from 2^-30 s to 2^33 s.
const (
	firstOctave = -30
	octaves     = 64
)

// byOctaves returns an exponential histogram with the same explicit bounds for each point, so that the buckets of two
// points of a series compare.
func byOctaves(m pmetric.Metric) pmetric.Metric {
	n := pmetric.NewMetric()
	h := n.SetEmptyHistogram()
	h.SetAggregationTemporality(m.ExponentialHistogram().AggregationTemporality())
	bounds := make([]float64, octaves)
	for i := range bounds {
		bounds[i] = math.Ldexp(1, firstOctave+i)
	}
	for _, from := range m.ExponentialHistogram().DataPoints().All() {
		to := h.DataPoints().AppendEmpty()
		to.SetStartTimestamp(from.StartTimestamp())
		to.SetTimestamp(from.Timestamp())
		to.SetFlags(from.Flags())
		to.SetCount(from.Count())
		to.SetSum(from.Sum())
		from.Attributes().CopyTo(to.Attributes())
		to.ExplicitBounds().FromRaw(bounds)
		to.BucketCounts().FromRaw(octaveCounts(from))
	}
	return n
}

func octaveCounts(p pmetric.ExponentialHistogramDataPoint) []uint64 {
	counts := make([]uint64, octaves+1)
	counts[0] = p.ZeroCount()
	of := p.Positive()
	for i := range of.BucketCounts().Len() {
		counts[octave(int(of.Offset())+i, int(p.Scale()))] += of.BucketCounts().At(i)
	}
	return counts
}

// octave returns the bucket that has the samples of an index: up to base^(index+1), where base is 2^2^-scale. An index
// of a coarse histogram spans several octaves; its upper bound counts.
func octave(index, scale int) int {
	upper := math.Ceil(math.Ldexp(float64(index+1), -scale))
	return int(min(max(upper-firstOctave, 0), octaves))
}
