package signals

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// limits are what a container may use, as far as it is known, and how often it was restarted.
type limits struct {
	cpu, memory   quota
	restarts      uint64
	restartsKnown bool
}

// A quota is the limit and the request of a resource; 0: not known. kubelet_stats does not send them, but the share of
// them that is used.
type quota struct {
	limit, request           float64
	used, ofLimit, ofRequest reading
}

// A reading is a value at a time, in Unix nanoseconds.
type reading struct {
	value float64
	at    int64
}

// uses returns what a metric is to us by its name: those of the receivers kubelet_stats, k8s_cluster, docker_stats and
// host_metrics (process), and of the semantic conventions.
var uses = map[string]func(*batch, sample){
	"container.cpu.usage":          (*batch).addCPU,
	"container.cpu.time":           (*batch).addCPUTime,
	"container.cpu.usage.total":    (*batch).addCPUNanoseconds,
	"process.cpu.time":             (*batch).addCPUTime,
	"container.memory.working_set": (*batch).addMemory,
	"container.memory.usage.total": (*batch).addMemory,
	"process.memory.usage":         (*batch).addMemory,

	"k8s.container.cpu_limit":              put(cpuQuota, limitOf),
	"k8s.container.cpu_request":            put(cpuQuota, requestOf),
	"k8s.container.memory_limit":           put(memoryQuota, limitOf),
	"k8s.container.memory_request":         put(memoryQuota, requestOf),
	"k8s.container.cpu.limit":              put(cpuQuota, limitOf),
	"k8s.container.cpu.limit.current":      put(cpuQuota, limitOf),
	"k8s.container.cpu.request":            put(cpuQuota, requestOf),
	"k8s.container.cpu.request.current":    put(cpuQuota, requestOf),
	"k8s.container.memory.limit":           put(memoryQuota, limitOf),
	"k8s.container.memory.limit.current":   put(memoryQuota, limitOf),
	"k8s.container.memory.request":         put(memoryQuota, requestOf),
	"k8s.container.memory.request.current": put(memoryQuota, requestOf),
	"container.cpu.limit":                  put(cpuQuota, limitOf),
	"container.memory.usage.limit":         put(memoryQuota, limitOf),

	// The shares of kubelet_stats are of container.memory.usage, and not of the working set.
	"container.memory.usage":                   share(memoryQuota, usedOf),
	"k8s.container.cpu_limit_utilization":      share(cpuQuota, shareOfLimit),
	"k8s.container.cpu_request_utilization":    share(cpuQuota, shareOfRequest),
	"k8s.container.memory_limit_utilization":   share(memoryQuota, shareOfLimit),
	"k8s.container.memory_request_utilization": share(memoryQuota, shareOfRequest),
	"k8s.container.cpu.limit_utilization":      share(cpuQuota, shareOfLimit),
	"k8s.container.cpu.request_utilization":    share(cpuQuota, shareOfRequest),
	"k8s.container.memory.limit_utilization":   share(memoryQuota, shareOfLimit),
	"k8s.container.memory.request_utilization": share(memoryQuota, shareOfRequest),

	"k8s.container.restarts":      (*batch).addRestarts,
	"k8s.container.restart.count": (*batch).addRestarts,
	"container.restarts":          (*batch).addRestarts,
}

// A sample is one point of a metric that is used.
type sample struct {
	value float64
	at    int64 // Unix nanoseconds
	delta bool
	start int64
	state string // of the CPU
}

// AddMetrics takes in metrics. It keeps no reference to them.
func (s *Store) AddMetrics(metrics pmetric.Metrics) {
	b := s.begin()
	defer b.end()
	for _, rm := range metrics.ResourceMetrics().All() {
		b.source = nil
		entered := false
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				add := uses[m.Name()]
				if add == nil {
					continue
				}
				if !entered {
					b.source, entered = b.enter(rm.Resource().Attributes()), true
				}
				b.addMetric(m, add)
			}
		}
		if entered {
			b.settle()
		}
	}
}

func (b *batch) addMetric(m pmetric.Metric, add func(*batch, sample)) {
	var points pmetric.NumberDataPointSlice
	delta := false
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
		delta = m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	default:
		return
	}
	if b.source == nil {
		b.lost(points.Len())
		return
	}
	for _, p := range points.All() {
		v := value(p)
		at, ok := b.at(p.Timestamp())
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 || p.Flags().NoRecordedValue() {
			continue
		}
		b.counts.Points++
		b.generation++
		add(b, sample{value: v, at: at, delta: delta, start: int64(p.StartTimestamp()), state: stateOf(p.Attributes())})
	}
}

func value(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

// stateOf returns the state of a CPU's time. Only states of the conventions are kept, because a text costs memory.
func stateOf(attrs pcommon.Map) string {
	for _, key := range [...]string{"state", "cpu.mode", "process.cpu.state"} {
		v, ok := attrs.Get(key)
		if !ok {
			continue
		}
		switch state := v.AsString(); state {
		case "user", "system", "wait", "kernel":
			return strings.Clone(state)
		}
	}
	return ""
}

func cpuQuota(l *limits) *quota        { return &l.cpu }
func memoryQuota(l *limits) *quota     { return &l.memory }
func limitOf(q *quota) *float64        { return &q.limit }
func requestOf(q *quota) *float64      { return &q.request }
func usedOf(q *quota) *reading         { return &q.used }
func shareOfLimit(q *quota) *reading   { return &q.ofLimit }
func shareOfRequest(q *quota) *reading { return &q.ofRequest }

// put returns a use that notes a limit or a request.
func put(of func(*limits) *quota, field func(*quota) *float64) func(*batch, sample) {
	return func(b *batch, p sample) { *field(of(&b.source.limits)) = p.value }
}

// share returns a use that notes what a limit or a request is computed from.
func share(of func(*limits) *quota, field func(*quota) *reading) func(*batch, sample) {
	return func(b *batch, p sample) {
		q := of(&b.source.limits)
		*field(q) = reading{p.value, p.at}
		q.resolve()
	}
}

// resolve computes the limit and the request from shares of the same time as the use.
func (q *quota) resolve() {
	for _, c := range [...]struct {
		share reading
		whole *float64
	}{{q.ofLimit, &q.limit}, {q.ofRequest, &q.request}} {
		// The share of an idle container is too small to say how much the whole is.
		if c.share.at == q.used.at && c.share.value >= 1e-4 && q.used.value > 0 {
			*c.whole = math.Round(q.used.value/c.share.value*1000) / 1000
		}
	}
}

func (b *batch) addCPU(p sample) {
	b.source.usageSeen = true
	share(cpuQuota, usedOf)(b, p)
	b.putCPU(p.at, p.value, 1)
}

// putCPU adds CPUs in use to the buckets of a time. Times of several states add up to one sample.
func (b *batch) putCPU(at int64, cpus float64, samples uint32) {
	b.each(b.source, at, func(k *bucket) {
		k.cpu += cpus
		k.cpuSamples += samples
	})
}

func (b *batch) addCPUNanoseconds(p sample) {
	p.value /= 1e9
	b.addCPUTime(p)
}

// addCPUTime computes the usage from a time that increases, where the usage itself is not sent.
func (b *batch) addCPUTime(p sample) {
	src := b.source
	if src.usageSeen {
		return
	}
	samples := uint32(1)
	if p.state != "" && p.state != "user" {
		samples = 0 // the state user counts the sample
	}
	if p.delta {
		if p.at > p.start && p.start > 0 {
			b.putCPU(p.at, p.value/(float64(p.at-p.start)/1e9), samples)
		}
		return
	}
	if src.cpuTime == nil {
		src.cpuTime = make(map[string]reading)
		b.grow(src, 400)
	}
	last, known := src.cpuTime[p.state]
	if known && p.at <= last.at {
		return
	}
	src.cpuTime[p.state] = reading{p.value, p.at}
	if known && p.value >= last.value && p.at-last.at < int64(10*time.Minute) {
		b.putCPU(p.at, (p.value-last.value)/(float64(p.at-last.at)/1e9), samples)
	}
}

func (b *batch) addMemory(p sample) {
	b.each(b.source, p.at, func(k *bucket) { k.memory, k.memoryReported = p.value, true })
}

func (b *batch) addRestarts(p sample) {
	l := &b.source.limits
	l.restarts, l.restartsKnown = uint64(min(p.value, math.MaxUint32)), true
}
