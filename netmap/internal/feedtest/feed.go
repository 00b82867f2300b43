// Package feedtest makes metrics as the receiver netconn emits them, for tests of the network map and for nothing else.
//
// In come flows, each with its figures at one collection; out go pdata metrics with netconn's names, attributes and
// kinds. It knows them from receiver/netconnreceiver/documentation.md only, as the map does. A pure function of its
// arguments.
package feedtest

import (
	"math"
	"reflect"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Attributes are those of a resource or of a point: texts, and ints.
type Attributes map[string]any

// With returns the attributes with more.
func (a Attributes) With(more Attributes) Attributes {
	both := make(Attributes, len(a)+len(more))
	for _, some := range [...]Attributes{a, more} {
		for k, v := range some {
			both[k] = v
		}
	}
	return both
}

// Flow is one flow at one collection.
type Flow struct {
	Resource Attributes
	Point    Attributes // common to all of its metrics
	Start    time.Time
	At       time.Time

	Tx, Rx, Retransmits int64
	Attempts, Closed    map[string]int64 // by error.type; "" for those that went well
	Active              int64
	RTTs, Shakes        []float64 // samples, seconds

	// A flow of look-ups has only these.
	Lookups     bool
	Responses   map[string]int64 // by response code
	Timeouts    int64
	LookupTimes []float64 // samples, seconds
}

// Bounds are those of the receiver's histograms, in seconds.
var Bounds = []float64{5e-05, 1e-04, 3e-04, 1e-03, 3e-03, 0.01, 0.03, 0.1, 0.3, 1, 3, 10}

// Temporality is that of counters and histograms.
type Temporality = pmetric.AggregationTemporality

// The two of them.
const (
	Cumulative = pmetric.AggregationTemporalityCumulative
	Delta      = pmetric.AggregationTemporalityDelta
)

// Metrics returns the metrics of some flows, one resource for each run of flows of the same Resource.
func Metrics(t Temporality, flows ...Flow) pmetric.Metrics {
	all := pmetric.NewMetrics()
	var w *writer
	for i := range flows {
		f := &flows[i]
		if w == nil || !reflect.DeepEqual(f.Resource, flows[i-1].Resource) {
			rm := all.ResourceMetrics().AppendEmpty()
			f.Resource.put(rm.Resource().Attributes())
			w = newWriter(rm.ScopeMetrics().AppendEmpty().Metrics(), t)
		}
		w.write(f)
	}
	return all
}

func (a Attributes) put(m pcommon.Map) {
	names := make([]string, 0, len(a))
	for k := range a {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		switch v := a[k].(type) {
		case string:
			m.PutStr(k, v)
		case int:
			m.PutInt(k, int64(v))
		case bool:
			m.PutBool(k, v)
		case []string:
			s := m.PutEmptySlice(k)
			for _, text := range v {
				s.AppendEmpty().SetStr(text)
			}
		}
	}
}

// A writer is the metrics of one resource.
type writer struct {
	io, retransmits, attempts, closed, active pmetric.NumberDataPointSlice
	rtt, shake                                pmetric.HistogramDataPointSlice
	requests, timeouts                        pmetric.NumberDataPointSlice
	lookup                                    pmetric.HistogramDataPointSlice
}

func newWriter(m pmetric.MetricSlice, t Temporality) *writer {
	sum := func(name, unit string, monotonic bool, t Temporality) pmetric.NumberDataPointSlice {
		metric := m.AppendEmpty()
		metric.SetName(name)
		metric.SetUnit(unit)
		s := metric.SetEmptySum()
		s.SetIsMonotonic(monotonic)
		s.SetAggregationTemporality(t)
		return s.DataPoints()
	}
	histogram := func(name string) pmetric.HistogramDataPointSlice {
		metric := m.AppendEmpty()
		metric.SetName(name)
		metric.SetUnit("s")
		h := metric.SetEmptyHistogram()
		h.SetAggregationTemporality(t)
		return h.DataPoints()
	}
	return &writer{
		io:          sum("netconn.io", "By", true, t),
		retransmits: sum("netconn.tcp.retransmits", "{segment}", true, t),
		attempts:    sum("netconn.attempts", "{connection}", true, t),
		closed:      sum("netconn.closed", "{connection}", true, t),
		active:      sum("netconn.active", "{connection}", false, Cumulative),
		rtt:         histogram("netconn.tcp.rtt"),
		shake:       histogram("netconn.tcp.handshake.duration"),
		requests:    sum("netconn.dns.requests", "{request}", true, t),
		timeouts:    sum("netconn.dns.timeouts", "{request}", true, t),
		lookup:      histogram("dns.lookup.duration"),
	}
}

func (w *writer) write(f *Flow) {
	point := func(s pmetric.NumberDataPointSlice, v int64, more Attributes) {
		p := s.AppendEmpty()
		f.Point.With(more).put(p.Attributes())
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
		p.SetTimestamp(pcommon.NewTimestampFromTime(f.At))
		p.SetIntValue(v)
	}
	if f.Lookups {
		for code, n := range f.Responses {
			point(w.requests, n, Attributes{"netconn.dns.rcode": code})
		}
		if f.Timeouts > 0 {
			point(w.timeouts, f.Timeouts, nil)
		}
		f.histogram(w.lookup, f.LookupTimes)
		return
	}
	point(w.io, f.Tx, Attributes{"network.io.direction": "transmit"})
	point(w.io, f.Rx, Attributes{"network.io.direction": "receive"})
	point(w.retransmits, f.Retransmits, nil)
	ended := func(s pmetric.NumberDataPointSlice, by map[string]int64) {
		for kind, n := range by {
			more := Attributes{}
			if kind != "" {
				more["error.type"] = kind
			}
			point(s, n, more)
		}
	}
	ended(w.attempts, f.Attempts)
	ended(w.closed, f.Closed)
	point(w.active, f.Active, nil)
	f.histogram(w.rtt, f.RTTs)
	f.histogram(w.shake, f.Shakes)
}

func (f *Flow) histogram(s pmetric.HistogramDataPointSlice, samples []float64) {
	if len(samples) == 0 {
		return
	}
	p := s.AppendEmpty()
	f.Point.put(p.Attributes())
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
	p.SetTimestamp(pcommon.NewTimestampFromTime(f.At))
	p.SetCount(uint64(len(samples)))
	counts := make([]uint64, len(Bounds)+1)
	total := 0.0
	for _, v := range samples {
		i, _ := slices.BinarySearch(Bounds, v)
		counts[i]++
		total += v
	}
	p.SetSum(math.Round(total*1e9) / 1e9)
	p.BucketCounts().FromRaw(counts)
	p.ExplicitBounds().FromRaw(Bounds)
}
