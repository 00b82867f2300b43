// Package metrics writes flows as OTLP metrics.
//
// In: the flows of one collection, by resource and in the order of internal/flow, and its time. Out: pdata
// metrics with the enabled metrics and attributes of the configuration, in the same order. All other points
// have one timestamp, and points of flows beyond a limit have the attribute otel.metric.overflow. Resources and metrics
// without a point are left out. A metric with fewer attributes than another gets the sums of the flows that it
// cannot distinguish; these sums never fall while one of their flows exists. A Writer is not safe for
// concurrent use, and nothing here fails.
//
// A cumulative series begins with a point of zero, a millisecond after its start or after the collection before,
// whichever is later. A backend that compares samples of a series, as PromQL's increase() does, would otherwise
// not count the first value. Split moves these points into a message of their own.
package metrics

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

// Options is what a Writer writes, and how.
type Options struct {
	Metrics     metadata.MetricsConfig
	Resources   *resources.Resources
	Delta       bool        // counters and histograms since the collection before, not since the flow began
	Bounds      flow.Bounds // as internal/flow has them
	Exponential bool        // histograms have the buckets of flow.ExponentialBounds
	Version     string      // of the collector, for the scope
	Start       time.Time   // of the first flows
}

// Writer writes flows as metrics.
type Writer struct {
	options Options
	metrics []metric       // the enabled ones
	groups  []group        // these, by view
	set     attributes.Set // the attributes of any of them: these distinguish flows
	folds   map[view]*fold // for the metrics that have fewer
	changes *flow.Differences
	last    time.Time // the collection before

	described attributes.Described // the flow that was written last
}

// group is the metrics that show one view.
type group struct {
	view    view
	metrics []int // in Writer.metrics
}

// metric is a metric with its setting.
type metric struct {
	row
	setting
	view view
	own  string // the attribute that only this metric has, if it is enabled; else ""
}

// New returns a writer of flows that began at o.Start.
func New(o Options) *Writer {
	w := &Writer{options: o, folds: make(map[view]*fold), changes: flow.NewDifferences(o.Start), last: o.Start}
	all := settings(o.Metrics)
	for _, r := range table {
		if s := all[r.name]; s.enabled {
			w.metrics = append(w.metrics, configured(r, s, o.Delta))
			w.set |= s.set
		}
	}
	for i := range w.metrics {
		w.group(i)
	}
	for _, g := range w.groups {
		if v := g.view; !w.distinguishesAll(v) {
			w.folds[v] = &fold{view: v, expired: make(map[series]*flow.Flow)}
		}
	}
	return w
}

func (w *Writer) group(metric int) {
	v := w.metrics[metric].view
	i := slices.IndexFunc(w.groups, func(g group) bool { return g.view == v })
	if i < 0 {
		i, w.groups = len(w.groups), append(w.groups, group{view: v})
	}
	w.groups[i].metrics = append(w.groups[i].metrics, metric)
}

func configured(r row, s setting, delta bool) metric {
	m := metric{row: r, setting: s, view: view{
		set: s.set, listens: r.kind == drops, lookups: r.looksUp(), drops: r.kind == discarded,
		delta: delta && r.kind != active,
	}}
	if own := r.own(); slices.Contains(s.keys, own) {
		m.own = own
	}
	return m
}

// Mask returns the key of a flow without the attributes that no enabled metric has.
func (w *Writer) Mask(k flow.Key) flow.Key {
	k.Owner = w.options.Resources.Mask(k.Owner)
	return w.set.Mask(k)
}

// distinguishesAll reports whether a view distinguishes all flows that it shows. Every view distinguishes the
// transports of connections.
func (w *Writer) distinguishesAll(v view) bool {
	relevant := attributes.Connection &^ attributes.With(names.Transport)
	switch {
	case v.lookups:
		relevant = attributes.Lookup
	case v.drops:
		relevant = attributes.Drop
	}
	return w.set&relevant&^v.set == 0
}

// Write returns the points of one collection.
func (w *Writer) Write(flows []flow.Resource, now time.Time) pmetric.Metrics {
	flows = w.changes.Cover(flows)
	views := w.views(flows, now)
	w.described.Forget()
	md := pmetric.NewMetrics()
	for i := range flows {
		res := w.options.Resources.Of(flows[i].Owner)
		if !w.options.Resources.HasMetrics(res) {
			continue
		}
		rm := pmetric.NewResourceMetrics()
		sm := w.scope(rm)
		w.writeResource(views, i, now, sm.Metrics())
		if sm.Metrics().Len() > 0 {
			res.MoveTo(rm.Resource())
			rm.MoveTo(md.ResourceMetrics().AppendEmpty())
		}
	}
	w.options.Resources.Written(flows)
	w.last = now
	return md
}

// Accept says that what Write returned last has arrived.
func (w *Writer) Accept() { w.changes.Accept() }

// Refuse says that what Write returned last has not arrived. Counts since the collection before are then a part of the
// next ones. A cumulative count needs nothing, as the next one has it.
func (w *Writer) Refuse() { w.changes.Refuse() }

// views returns what each group shows of the flows.
func (w *Writer) views(flows []flow.Resource, now time.Time) [][]flow.Resource {
	var changes []flow.Resource
	views := make([][]flow.Resource, len(w.groups))
	for i, g := range w.groups {
		shown := flows
		if g.view.delta {
			if changes == nil {
				changes = w.changes.Of(flows, now)
			}
			shown = changes
		}
		if d := w.folds[g.view]; d != nil {
			shown = d.add(shown)
		}
		views[i] = shown
	}
	return views
}

func (w *Writer) scope(rm pmetric.ResourceMetrics) pmetric.ScopeMetrics {
	rm.SetSchemaUrl(semconv.SchemaURL)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Scope().SetVersion(w.options.Version)
	sm.Metrics().EnsureCapacity(len(w.metrics))
	return sm
}

// writeResource appends the metrics of a resource that have a point. The points of one flow in one view follow each
// other, as they share its attributes.
func (w *Writer) writeResource(views [][]flow.Resource, resource int, now time.Time, to pmetric.MetricSlice) {
	metrics := make([]pmetric.Metric, len(w.metrics))
	for i, g := range w.groups {
		flows := views[i][resource].Flows
		for _, k := range g.metrics {
			metrics[k] = w.newMetric(&w.metrics[k], len(flows))
		}
		for _, f := range flows {
			for _, k := range g.metrics {
				w.writePoints(&w.metrics[k], f, now, metrics[k])
			}
		}
	}
	for _, m := range metrics {
		if hasPoints(m) {
			m.MoveTo(to.AppendEmpty())
		}
	}
}

// newMetric returns a metric without points.
func (w *Writer) newMetric(m *metric, flows int) pmetric.Metric {
	pm := pmetric.NewMetric()
	pm.SetName(m.name)
	pm.SetUnit(m.unit)
	pm.SetDescription(m.description)
	switch {
	case m.kind == histogram && w.options.Exponential:
		pm.SetEmptyExponentialHistogram().SetAggregationTemporality(m.temporality())
	case m.kind == histogram:
		pm.SetEmptyHistogram().SetAggregationTemporality(m.temporality())
	default:
		s := pm.SetEmptySum()
		s.SetIsMonotonic(m.kind != active)
		s.SetAggregationTemporality(m.temporality())
		s.DataPoints().EnsureCapacity(flows)
	}
	return pm
}

func hasPoints(m pmetric.Metric) bool {
	switch m.Type() {
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len() > 0
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len() > 0
	}
	return m.Sum().DataPoints().Len() > 0
}

// writePoints appends the points of one flow.
func (w *Writer) writePoints(m *metric, f *flow.Flow, now time.Time, to pmetric.Metric) {
	switch {
	case m.kind == histogram && w.options.Exponential:
		w.writeExponential(m, f, now, to.ExponentialHistogram().DataPoints())
	case m.kind == histogram:
		w.writeHistogram(m, f, now, to.Histogram().DataPoints())
	case m.view.shows(f) && m.of.has(f):
		w.writeNumbers(m, f, now, to.Sum().DataPoints())
	}
}

// writeNumbers appends the points of one flow: several if the metric has an attribute of its own, and their sum
// if that is disabled.
func (w *Writer) writeNumbers(m *metric, f *flow.Flow, now time.Time, to pmetric.NumberDataPointSlice) {
	var room [max(int(conn.Errors), int(conn.Rcodes))]number
	numbers := m.numbers(f, room[:0])
	if m.own == "" && len(numbers) > 1 {
		numbers = total(numbers)
	}
	for _, n := range numbers {
		if n.value == 0 && !m.hasZero(f) {
			continue
		}
		if n.value > 0 && m.begins(f, n.part) {
			w.writeNumber(m, f, number{own: n.own}, w.beginning(f), to)
		}
		w.writeNumber(m, f, n, now, to)
	}
}

func (w *Writer) writeNumber(m *metric, f *flow.Flow, n number, at time.Time, to pmetric.NumberDataPointSlice) {
	p := to.AppendEmpty()
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	if m.unit == names.Seconds {
		p.SetDoubleValue(float64(n.value) / 1000) // the counters of times are in milliseconds
	} else {
		p.SetIntValue(n.value)
	}
	own := m.own
	if n.own == "" {
		own = ""
	}
	w.described.Put(p.Attributes(), m.set, f, own, n.own)
}

// hasZero reports whether a series of the flow has a point of zero. Of attempts that all failed there is nothing to
// count but the attempts. If payload may have passed by TCP, no bytes is not a fact. A rare counter
// has no zeros.
func (m *metric) hasZero(f *flow.Flow) bool {
	switch {
	case m.view.delta, m.rare, m.kind == timeouts, m.kind == counter && m.counters[0].counter == conn.Bypassed:
		return false
	case m.kind == counter && m.counters[0].counter == conn.Sent && f.Counts[conn.Bypassed] > 0:
		return false
	case m.kind == counter || m.kind == active:
		return f.Overflow || f.Shown&flow.Established != 0 || f.Established()
	}
	return true
}

// begins reports whether a series that only grows has its first value: none of its parts was shown before.
func (m *metric) begins(f *flow.Flow, part flow.Parts) bool {
	return m.kind != active && !m.view.delta && f.Shown&part == 0
}

// beginning returns the time of a series' point of zero: within the interval that its first value covers.
func (w *Writer) beginning(f *flow.Flow) time.Time {
	after := w.last
	if f.Start.After(after) {
		after = f.Start
	}
	return after.Add(time.Millisecond)
}

// number is the value of a point, and that of its own attribute; empty: the point does not have it.
type number struct {
	value int64
	own   string
	part  flow.Parts // of the flow, that it shows
}

// numbers appends the numbers of a flow. Most errors never happen to a flow: these have no point, not a zero.
func (m *metric) numbers(f *flow.Flow, to []number) []number {
	switch m.kind {
	case active:
		return append(to, number{value: f.Active})
	case drops:
		return append(to, number{value: int64(f.ListenDrops), part: flow.Drops})
	case timeouts:
		return append(to, number{value: int64(f.Timeouts), part: flow.Unanswered})
	case discarded:
		return append(to, number{value: int64(f.Discarded), own: f.Key.Drop.String(), part: flow.Discards})
	case responses:
		for r, n := range f.Responses {
			if n > 0 {
				code := conn.Rcode(r)
				to = append(to, number{value: int64(n), own: code.String(), part: flow.Answered(code)})
			}
		}
		return to
	case outcome:
		for e, n := range f.Outcomes[m.outcome] {
			if n > 0 {
				to = append(to, number{int64(n), conn.Error(e).String(), flow.Errored(m.outcome, conn.Error(e))})
			}
		}
		return to
	}
	for _, c := range m.counters {
		part := flow.Counted(c.counter)
		if !m.rare {
			part |= flow.Established
		}
		to = append(to, number{int64(f.Counts[c.counter]), c.own, part})
	}
	return to
}

// total returns the sum of numbers as the only one.
func total(numbers []number) []number {
	for _, n := range numbers[1:] {
		numbers[0].value += n.value
		numbers[0].part |= n.part
	}
	return numbers[:1]
}

func (m *metric) temporality() pmetric.AggregationTemporality {
	if m.view.delta {
		return pmetric.AggregationTemporalityDelta
	}
	return pmetric.AggregationTemporalityCumulative
}
