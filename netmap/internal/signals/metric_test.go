package signals

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A point is one point of a sum.
type point struct {
	after, started time.Duration // noon
	value          float64
	state          string
}

// sums sends a sum. It begins at noon plus started.
func (r *rig) sums(resource attributes, name string, temporality pmetric.AggregationTemporality, all ...point) {
	metrics := pmetric.NewMetrics()
	rm := metrics.ResourceMetrics().AppendEmpty()
	resource.put(rm.Resource().Attributes())
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	m.SetEmptySum().SetAggregationTemporality(temporality)
	for _, p := range all {
		to := m.Sum().DataPoints().AppendEmpty()
		to.SetStartTimestamp(pcommon.NewTimestampFromTime(noon.Add(p.started)))
		to.SetTimestamp(pcommon.NewTimestampFromTime(noon.Add(p.after)))
		to.SetDoubleValue(p.value)
		if p.state != "" {
			to.Attributes().PutStr("state", p.state)
		}
	}
	r.AddMetrics(metrics)
}

// cpu returns the known steps of the CPU of reviews, oldest first.
func (r *rig) cpu() (known []float64) {
	r.t.Helper()
	for _, u := range r.server(reviews).Usage {
		for _, v := range u.CPU {
			if !math.IsNaN(v) {
				known = append(known, math.Round(v*1e6)/1e6)
			}
		}
	}
	return known
}

func TestUsage(t *testing.T) {
	r := newRig(t, 0)
	r.gauges(reviews, noon, map[string]float64{
		"container.cpu.usage": .25, "container.memory.working_set": 100 << 20, "k8s.container.cpu_limit_utilization": .5,
		"k8s.container.memory_limit": 200 << 20, "k8s.container.restarts": 3, "unknown": 1,
	})
	u := r.server(reviews).Usage
	if len(u) != 1 || *u[0].CPULimit != .5 || *u[0].MemoryLimit != 200<<20 || *u[0].Restarts != 3 || u[0].CPURequest != nil {
		t.Fatalf("usage %+v", u)
	}
	last := len(u[0].CPU) - 1
	if u[0].CPU[last] != .25 || u[0].Memory[last] != 100<<20 || !math.IsNaN(u[0].CPU[0]) {
		t.Errorf("cpu %v, memory %v", u[0].CPU, u[0].Memory)
	}
	if s := r.Status(); s.Points != 5 {
		t.Errorf("%d points were counted, want 5: one is of an unknown metric", s.Points)
	}
}

// Each receiver has its own names for a limit.
func TestLimitsByTheNamesOfReceivers(t *testing.T) {
	type limits struct{ CPU, CPURequest, Memory, MemoryRequest float64 }
	for name, c := range map[string]struct {
		sent map[string]float64
		want limits
	}{
		"k8s_cluster": {map[string]float64{
			"k8s.container.cpu_limit": 2, "k8s.container.cpu_request": 1, "k8s.container.memory_limit": 4e6,
			"k8s.container.memory_request": 3e6,
		}, limits{2, 1, 4e6, 3e6}},
		"conventions": {map[string]float64{
			"k8s.container.cpu.limit": 2, "k8s.container.cpu.request": 1, "k8s.container.memory.limit": 4e6,
			"k8s.container.memory.request": 3e6,
		}, limits{2, 1, 4e6, 3e6}},
		"resized in place": {map[string]float64{
			"k8s.container.cpu.limit.current": 2, "k8s.container.cpu.request.current": 1,
			"k8s.container.memory.limit.current": 4e6, "k8s.container.memory.request.current": 3e6,
		}, limits{2, 1, 4e6, 3e6}},
		"docker_stats": {map[string]float64{
			"container.cpu.limit": 2, "container.memory.usage.limit": 4e6,
		}, limits{CPU: 2, Memory: 4e6}},
		"kubelet_stats": {map[string]float64{
			"k8s.container.cpu_limit_utilization": .25, "k8s.container.cpu_request_utilization": .5,
			"container.memory.usage": 1e6, "k8s.container.memory_limit_utilization": .25,
			"k8s.container.memory_request_utilization": .5,
		}, limits{2, 1, 4e6, 2e6}},
		"shares by the conventions": {map[string]float64{
			"k8s.container.cpu.limit_utilization": .25, "k8s.container.cpu.request_utilization": .5,
			"container.memory.usage": 1e6, "k8s.container.memory.limit_utilization": .25,
			"k8s.container.memory.request_utilization": .5,
		}, limits{2, 1, 4e6, 2e6}},
		"an idle container": {map[string]float64{"k8s.container.cpu_limit_utilization": 9e-5}, limits{}},
	} {
		r := newRig(t, 0)
		c.sent["container.cpu.usage"], c.sent["container.memory.working_set"] = .5, 7e5
		r.gauges(reviews, noon, c.sent)
		u := r.server(reviews).Usage[0]
		known := func(v *float64) float64 {
			if v == nil {
				return 0
			}
			return *v
		}
		got := limits{known(u.CPULimit), known(u.CPURequest), known(u.MemoryLimit), known(u.MemoryRequest)}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// A limit is computed only from a share and a use of one time. Else a change of the use would look like one of the limit.
func TestShareOfAnotherTime(t *testing.T) {
	r := newRig(t, 0)
	r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": 1, "k8s.container.cpu_limit_utilization": .5})
	r.gauges(reviews, noon.Add(time.Second), map[string]float64{"container.cpu.usage": .1})
	r.gauges(reviews, noon.Add(2*time.Second), map[string]float64{"k8s.container.cpu_limit_utilization": .9})
	if u := r.server(reviews).Usage[0]; *u.CPULimit != 2 {
		t.Errorf("the limit is %v, want 2", *u.CPULimit)
	}
}

// Between two values of a cumulative time lies the use of this time.
func TestUsageFromTime(t *testing.T) {
	const every = 10 * time.Second
	for name, c := range map[string]struct {
		metric string
		points []point
		want   []float64
	}{
		"one container": {"container.cpu.time", []point{{value: 100}, {after: every, value: 105}, {after: 2 * every, value: 107}},
			[]float64{.5, .2}},
		"nanoseconds": {"container.cpu.usage.total", []point{{value: 100e9}, {after: every, value: 105e9}}, []float64{.5}},
		"states of a process": {"process.cpu.time", []point{
			{value: 10, state: "user"}, {value: 5, state: "system"}, {value: 1, state: "wait"},
			{after: every, value: 13, state: "user"}, {after: every, value: 7, state: "system"},
			{after: every, value: 2, state: "wait"},
		}, []float64{.6}},
		"began anew": {"container.cpu.time", []point{{value: 100}, {after: every, value: 1}, {after: 2 * every, value: 2}},
			[]float64{.1}},
		"out of order": {"container.cpu.time", []point{{after: every, value: 100}, {value: 50}, {after: 2 * every, value: 101}},
			[]float64{.1}},
		"a long gap": {"container.cpu.time", []point{{after: -11 * time.Minute, value: 100}, {value: 200}}, nil},
	} {
		r := newRig(t, 0)
		r.now = noon.Add(2 * every)
		r.sums(reviews, c.metric, pmetric.AggregationTemporalityCumulative, c.points...)
		if diff := cmp.Diff(c.want, r.cpu()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestUsageFromDelta(t *testing.T) {
	r := newRig(t, 0)
	r.sums(reviews, "container.cpu.time", pmetric.AggregationTemporalityDelta,
		point{started: -10 * time.Second, value: 4}, point{after: time.Second, started: time.Second, value: 1})
	if diff := cmp.Diff([]float64{.4}, r.cpu()); diff != "" {
		t.Errorf("the second point has no length; -want +got:\n%s", diff)
	}
}

// kubelet_stats sends the usage and the time. The usage is used, so that nothing counts twice.
func TestUsageIsPreferredToTime(t *testing.T) {
	r := newRig(t, 0)
	r.now = noon.Add(20 * time.Second)
	r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": .25})
	r.sums(reviews, "container.cpu.time", pmetric.AggregationTemporalityCumulative,
		point{value: 1}, point{after: 10 * time.Second, value: 10})
	if diff := cmp.Diff([]float64{.25}, r.cpu()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Several samples of a step are its mean for the CPU; the last one is its memory.
func TestSamplesOfOneStep(t *testing.T) {
	r := newRig(t, 0)
	for i, cpu := range []float64{.1, .3} {
		r.gauges(reviews, noon.Add(time.Duration(i)*time.Second), map[string]float64{
			"container.cpu.usage": cpu, "container.memory.working_set": float64(i + 1),
		})
	}
	u := r.server(reviews).Usage[0]
	last := len(u.CPU) - 1
	if math.Abs(u.CPU[last]-.2) > 1e-9 || u.Memory[last] != 2 {
		t.Errorf("cpu %v, memory %v", u.CPU[last], u.Memory[last])
	}
}

func TestPointsThatAreNoFigures(t *testing.T) {
	r := newRig(t, 0)
	for _, v := range []float64{math.NaN(), math.Inf(1), -1} {
		r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": v, "container.memory.working_set": v})
	}
	metrics := pmetric.NewMetrics()
	rm := metrics.ResourceMetrics().AppendEmpty()
	reviews.put(rm.Resource().Attributes())
	all := rm.ScopeMetrics().AppendEmpty().Metrics()
	histogram := all.AppendEmpty()
	histogram.SetName("container.cpu.usage")
	histogram.SetEmptyHistogram().DataPoints().AppendEmpty().SetCount(1)
	gauge := all.AppendEmpty()
	gauge.SetName("container.memory.working_set")
	none := gauge.SetEmptyGauge().DataPoints().AppendEmpty()
	none.SetTimestamp(pcommon.NewTimestampFromTime(noon))
	none.SetFlags(none.Flags().WithNoRecordedValue(true))
	r.AddMetrics(metrics)
	if s := r.server(reviews); r.Status().Points != 0 || len(s.Usage) != 0 {
		t.Errorf("%d points, usage %+v", r.Status().Points, s.Usage)
	}
}

func TestIntegersAreFigures(t *testing.T) {
	r := newRig(t, 0)
	metrics := pmetric.NewMetrics()
	rm := metrics.ResourceMetrics().AppendEmpty()
	reviews.put(rm.Resource().Attributes())
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("container.memory.working_set")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(noon))
	p.SetIntValue(1 << 40)
	r.AddMetrics(metrics)
	u := r.server(reviews).Usage[0]
	if got := u.Memory[len(u.Memory)-1]; got != 1<<40 {
		t.Errorf("memory %v", got)
	}
}

// A text that is no state of the conventions would cost memory for each new one.
func TestStatesAreBounded(t *testing.T) {
	r := newRig(t, 0)
	for i := range 100 {
		r.sums(reviews, "process.cpu.time", pmetric.AggregationTemporalityCumulative,
			point{after: time.Duration(i) * time.Second, value: float64(i), state: fmt.Sprint(i, strings.Repeat("x", 100))})
	}
	for _, src := range r.sources {
		if len(src.cpuTime) != 1 {
			t.Errorf("%d states are kept", len(src.cpuTime))
		}
	}
}

// Metrics of a resource without an identity are counted as lost, and those that are not used are not.
func TestMetricsWithoutAnIdentity(t *testing.T) {
	r := newRig(t, 0)
	r.gauges(attributes{"host.name": "h"}, noon, map[string]float64{"container.cpu.usage": 1, "system.cpu.load": 1})
	if s := r.Status(); s.Unidentified != 1 || s.Points != 0 || s.Held != 0 {
		t.Errorf("%+v", s)
	}
	r.gauges(reviews, noon, map[string]float64{"http.server.request.duration": 1})
	if s := r.Status(); s.Held != 0 {
		t.Errorf("a resource without a metric that is used takes %d bytes", s.Bytes)
	}
}
