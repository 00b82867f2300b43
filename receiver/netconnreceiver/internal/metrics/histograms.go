package metrics

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/flow"
)

func (w *Writer) writeHistogram(m *metric, f *flow.Flow, now time.Time, to pmetric.HistogramDataPointSlice) {
	samples := &f.Histograms[m.measure]
	if samples.Count == 0 {
		return
	}
	if m.begins(f, flow.Sampled(m.measure)) {
		none := flow.Histogram{Counts: make([]uint64, len(samples.Counts))}
		w.writeSamples(m, f, &none, w.beginning(f), to.AppendEmpty())
	}
	w.writeSamples(m, f, samples, now, to.AppendEmpty())
}

func (w *Writer) writeSamples(m *metric, f *flow.Flow, samples *flow.Histogram, at time.Time,
	p pmetric.HistogramDataPoint) {
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetCount(samples.Count)
	p.SetSum(samples.Sum)
	if !m.view.delta && samples.Count > 0 { // they are not known of a part of the samples
		p.SetMin(samples.Min)
		p.SetMax(samples.Max)
	}
	p.BucketCounts().FromRaw(samples.Counts)
	p.ExplicitBounds().FromRaw(w.options.Bounds[m.measure])
	w.described.Put(p.Attributes(), m.set, f, "", "")
}

func (w *Writer) writeExponential(
	m *metric, f *flow.Flow, now time.Time, to pmetric.ExponentialHistogramDataPointSlice,
) {
	samples := &f.Histograms[m.measure]
	if samples.Count == 0 {
		return
	}
	if m.begins(f, flow.Sampled(m.measure)) {
		w.writeBuckets(m, f, &flow.Histogram{}, w.beginning(f), to.AppendEmpty())
	}
	w.writeBuckets(m, f, samples, now, to.AppendEmpty())
}

func (w *Writer) writeBuckets(m *metric, f *flow.Flow, samples *flow.Histogram, at time.Time,
	p pmetric.ExponentialHistogramDataPoint) {
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetCount(samples.Count)
	p.SetSum(samples.Sum)
	if !m.view.delta && samples.Count > 0 {
		p.SetMin(samples.Min)
		p.SetMax(samples.Max)
	}
	p.SetScale(flow.Scale)
	counts, first := samples.Counts, samples.First
	if first == 0 && len(counts) > 0 { // the only bucket that has a duration of zero
		p.SetZeroCount(counts[0])
		counts, first = counts[1:], 1
	}
	p.Positive().SetOffset(int32(flow.Lowest + first - 1))
	p.Positive().BucketCounts().FromRaw(counts)
	w.described.Put(p.Attributes(), m.set, f, "", "")
}
