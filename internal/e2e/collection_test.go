//go:build linux

package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A collection is what came in one export: values that compare, in place of pdata.
type collection struct{ resources []resource }

type resource struct {
	attributes map[string]any
	scopes     []scope
	metrics    map[string]metric
	series     map[string]series // by name; see named
}

type scope struct{ Name, Version string }

// A metric is what all series of one name have in common.
type metric struct {
	Unit, Type, Temporality string
	Monotonic               bool
}

type series struct {
	start, at time.Time
	count     int64      // of a sum; of one in seconds, in milliseconds
	histogram *histogram // or nil
}

type histogram struct {
	count         uint64
	sum, min, max float64
	bounds        []float64
	buckets       []uint64
}

// named returns the name of a series: that of its metric, and its attributes as key=value.
func named(metric string, attributes ...string) string {
	return metric + "{" + strings.Join(slices.Sorted(slices.Values(attributes)), ", ") + "}"
}

// of returns the name of a metric's series in a flow, with what the metric has beside the flow's attributes.
func of(flow []string, metric string, more ...string) string {
	return named(metric, slices.Concat(flow, more)...)
}

// key is what a test knows a resource by: its container, or its executable on the host.
func (r resource) key() string {
	if id, ok := r.attributes["container.id"]; ok {
		return id.(string)
	}
	return fmt.Sprint(r.attributes["process.executable.name"])
}

// find returns a resource of the collection, or an empty one.
func (c collection) find(key string) resource {
	if i := slices.IndexFunc(c.resources, func(r resource) bool { return r.key() == key }); i >= 0 {
		return c.resources[i]
	}
	return resource{}
}

// countsOf returns what the collection has for the resources that are wanted, and for no others.
func (c collection) countsOf(want counts) counts {
	got := make(counts)
	for key := range want {
		got[key] = c.find(key).counts()
	}
	return got
}

// kernelTiming are the sums that depend on the kernel's timers, not on what a test did.
var kernelTiming = []string{"netconn.tcp.retransmits", "netconn.tcp.limited", "netconn.tcp.timeouts"}

// counts returns the values of all sums that a test determines.
func (r resource) counts() map[string]int64 {
	counts := make(map[string]int64)
	for name, s := range r.series {
		if s.histogram == nil && !slices.Contains(kernelTiming, metricOf(name)) {
			counts[name] = s.count
		}
	}
	return counts
}

// readCollection takes one export apart. What no reader of OTLP could make sense of is an error: a resource, a metric
// or a series that is there twice, a metric of another kind.
func readCollection(md pmetric.Metrics) (collection, error) {
	var c collection
	seen := make(map[string]bool)
	for _, rm := range md.ResourceMetrics().All() {
		r := resource{
			attributes: rm.Resource().Attributes().AsRaw(), metrics: make(map[string]metric), series: make(map[string]series),
		}
		key := fmt.Sprint(r.attributes) // maps are printed in the order of their keys
		if seen[key] {
			return c, fmt.Errorf("read resource %s: it is there twice", key)
		}
		seen[key] = true
		if err := r.readAll(rm.ScopeMetrics()); err != nil {
			return c, fmt.Errorf("read %s: %w", key, err)
		}
		c.resources = append(c.resources, r)
	}
	return c, nil
}

func (r *resource) readAll(scopes pmetric.ScopeMetricsSlice) error {
	for _, sm := range scopes.All() {
		r.scopes = append(r.scopes, scope{sm.Scope().Name(), sm.Scope().Version()})
		for _, m := range sm.Metrics().All() {
			if err := r.read(m); err != nil {
				return fmt.Errorf("%s: %w", m.Name(), err)
			}
		}
	}
	return nil
}

func (r *resource) read(m pmetric.Metric) error {
	if _, twice := r.metrics[m.Name()]; twice {
		return fmt.Errorf("the metric is there twice")
	}
	switch m.Type() {
	case pmetric.MetricTypeSum:
		r.metrics[m.Name()] = metric{
			Unit: m.Unit(), Type: "sum", Temporality: m.Sum().AggregationTemporality().String(), Monotonic: m.Sum().IsMonotonic(),
		}
		return r.readSum(m)
	case pmetric.MetricTypeHistogram:
		r.metrics[m.Name()] = metric{
			Unit: m.Unit(), Type: "histogram", Temporality: m.Histogram().AggregationTemporality().String(),
		}
		return r.readHistogram(m)
	}
	return fmt.Errorf("the metric is a %s", m.Type())
}

func (r *resource) readSum(m pmetric.Metric) error {
	for _, p := range m.Sum().DataPoints().All() {
		count := p.IntValue()
		if m.Unit() == "s" {
			count = int64(math.Round(p.DoubleValue() * 1000))
		} else if p.ValueType() != pmetric.NumberDataPointValueTypeInt {
			return fmt.Errorf("a value is %s", p.ValueType())
		}
		err := r.put(m.Name(), p.Attributes(), series{
			start: p.StartTimestamp().AsTime(), at: p.Timestamp().AsTime(), count: count,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *resource) readHistogram(m pmetric.Metric) error {
	for _, p := range m.Histogram().DataPoints().All() {
		err := r.put(m.Name(), p.Attributes(), series{
			start: p.StartTimestamp().AsTime(), at: p.Timestamp().AsTime(),
			histogram: &histogram{
				count: p.Count(), sum: p.Sum(), min: p.Min(), max: p.Max(),
				bounds: p.ExplicitBounds().AsRaw(), buckets: p.BucketCounts().AsRaw(),
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *resource) put(metric string, attributes pcommon.Map, s series) error {
	var all []string
	for key, value := range attributes.All() {
		all = append(all, key+"="+value.AsString())
	}
	name := named(metric, all...)
	if first, twice := r.series[name]; twice && !first.begins(s) {
		return fmt.Errorf("%s is there twice", name)
	}
	r.series[name] = s
	return nil
}

// begins reports whether a point is the zero that a series begins with, before its first value.
func (s series) begins(first series) bool {
	zero := s.count == 0 && (s.histogram == nil || s.histogram.count == 0)
	return zero && s.start.Equal(first.start) && s.start.Before(s.at) && s.at.Before(first.at)
}

func metricOf(name string) string { return name[:strings.IndexByte(name, '{')] }
