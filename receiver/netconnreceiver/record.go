package netconnreceiver

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// overflowKey marks the points of everything that has no series of its own, as the metrics SDK's specification has it.
const overflowKey = "otel.metric.overflow"

// A record writes flows as pdata.
type record struct {
	version   string // of the collector, for the scope
	resources *resources
	metrics   []metric       // the enabled ones
	set       attributeSet   // the attributes of any of them: what a flow is
	folds     map[view]*fold // for the metrics that have fewer
	bounds    []float64
	changes   *flow.Differences // for the metrics that are deltas
}

// newRecord returns a record of flows that began at start.
func newRecord(c *Config, version string, start time.Time) *record {
	r := &record{
		changes:   flow.NewDifferences(start),
		version:   version,
		resources: newResources(c.ResourceAttributes, host{}),
		folds:     make(map[view]*fold),
		bounds:    c.buckets(),
	}
	for _, m := range metrics(c.Metrics) {
		if m.enabled {
			m.delta = c.Temporality == TemporalityDelta && !m.gauged
			r.metrics = append(r.metrics, m)
			r.set |= m.set
		}
	}
	for _, m := range r.metrics {
		if v := m.view(); !r.whole(v) {
			r.folds[v] = &fold{view: v, gone: make(map[series]*flow.Flow)}
		}
	}
	return r
}

// mask returns the key of a flow without what no enabled metric has.
func (r *record) mask(k flow.Key) flow.Key {
	k.Owner = r.resources.mask(k.Owner)
	return r.set.mask(k)
}

// whole tells whether a view tells all flows apart. The transport is the same for all.
func (r *record) whole(v view) bool { return r.set&^v.set&^(1<<transport) == 0 }

// write returns the points of one collection. Resources without a point are left out.
func (r *record) write(flows []flow.Resource, now time.Time) pmetric.Metrics {
	views := r.views(flows, now)
	md := pmetric.NewMetrics()
	for i := range flows {
		res := r.resources.of(flows[i].Owner)
		if !r.resources.metrics.takes(res) {
			continue
		}
		rm := pmetric.NewResourceMetrics()
		sm := r.scope(rm)
		for _, m := range r.metrics {
			r.writeMetric(&m, views[m.view()][i].Flows, pcommon.NewTimestampFromTime(now), sm.Metrics())
		}
		if sm.Metrics().Len() > 0 {
			res.MoveTo(rm.Resource())
			rm.MoveTo(md.ResourceMetrics().AppendEmpty())
		}
	}
	return md
}

// views returns what each metric sees of the flows.
func (r *record) views(flows []flow.Resource, now time.Time) map[view][]flow.Resource {
	var changes []flow.Resource
	views := make(map[view][]flow.Resource)
	for _, m := range r.metrics {
		v := m.view()
		if _, there := views[v]; there {
			continue
		}
		seen := flows
		if v.delta {
			if changes == nil {
				changes = r.changes.Of(flows, now)
			}
			seen = changes
		}
		if d := r.folds[v]; d != nil {
			seen = d.add(seen)
		}
		views[v] = seen
	}
	return views
}

func (r *record) scope(rm pmetric.ResourceMetrics) pmetric.ScopeMetrics {
	rm.SetSchemaUrl(semconv.SchemaURL)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Scope().SetVersion(r.version)
	sm.Metrics().EnsureCapacity(len(r.metrics))
	return sm
}

// writeMetric appends the metric if it has a point.
func (r *record) writeMetric(m *metric, flows []*flow.Flow, now pcommon.Timestamp, to pmetric.MetricSlice) {
	pm := pmetric.NewMetric()
	pm.SetName(m.name)
	pm.SetUnit(m.unit)
	pm.SetDescription(m.description)
	var points int
	if m.sample != nil {
		points = r.writeHistogram(m, flows, now, pm.SetEmptyHistogram())
	} else {
		points = writeSum(m, flows, now, pm.SetEmptySum())
	}
	if points > 0 {
		pm.MoveTo(to.AppendEmpty())
	}
}

func writeSum(m *metric, flows []*flow.Flow, now pcommon.Timestamp, s pmetric.Sum) int {
	s.SetIsMonotonic(!m.gauged)
	s.SetAggregationTemporality(m.temporality())
	s.DataPoints().EnsureCapacity(len(flows))
	for _, f := range flows {
		if m.view().sees(f) {
			writeNumbers(m, f, now, s.DataPoints())
		}
	}
	return s.DataPoints().Len()
}

// writeNumbers appends the points of one flow: several where the metric has an attribute of its own, and one, their
// sum, where that is disabled.
func writeNumbers(m *metric, f *flow.Flow, now pcommon.Timestamp, to pmetric.NumberDataPointSlice) {
	put := func(value int64, own string) {
		if m.delta && value == 0 {
			return
		}
		p := to.AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
		p.SetTimestamp(now)
		p.SetIntValue(value)
		m.putAttributes(p.Attributes(), f)
		if own != "" {
			p.Attributes().PutStr(m.own, own)
		}
	}
	if m.own == "" || m.hasOwn() {
		m.count(f, put)
		return
	}
	sum, there := int64(0), false
	m.count(f, func(value int64, _ string) { sum, there = sum+value, true })
	if there {
		put(sum, "")
	}
}

func (r *record) writeHistogram(m *metric, flows []*flow.Flow, now pcommon.Timestamp, h pmetric.Histogram) int {
	h.SetAggregationTemporality(m.temporality())
	for _, f := range flows {
		samples := m.sample(f)
		if samples.Count == 0 {
			continue
		}
		p := h.DataPoints().AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
		p.SetTimestamp(now)
		p.SetCount(samples.Count)
		p.SetSum(samples.Sum)
		if !m.delta { // of a part of the samples they are not known
			p.SetMin(samples.Min)
			p.SetMax(samples.Max)
		}
		p.BucketCounts().FromRaw(samples.Counts)
		p.ExplicitBounds().FromRaw(r.bounds)
		m.putAttributes(p.Attributes(), f)
	}
	return h.DataPoints().Len()
}

func (m *metric) temporality() pmetric.AggregationTemporality {
	if m.delta {
		return pmetric.AggregationTemporalityDelta
	}
	return pmetric.AggregationTemporalityCumulative
}

func (m *metric) putAttributes(to pcommon.Map, f *flow.Flow) {
	if f.Overflow {
		to.PutBool(overflowKey, true)
		return
	}
	m.set.put(to, f.Key)
}
