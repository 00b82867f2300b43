package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/flowtest"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

// numbered is a flow with a different number in each figure.
func numbered() *flow.Flow {
	f := flowtest.Flow()
	f.Start = at(5)
	for c := range f.Counts {
		f.Counts[c] = 100 + uint64(c)
	}
	f.Active, f.ListenDrops = 200, 300
	f.Outcomes = flow.OutcomeCounts{}
	f.Outcomes[flow.Attempts][conn.NoError], f.Outcomes[flow.Attempts][conn.Refused] = 11, 12
	f.Outcomes[flow.Ends][conn.Reset] = 13
	f.Outcomes[flow.DatagramErrors][conn.Refused] = 14
	for m := range f.Histograms {
		n := uint64(m) + 1
		f.Histograms[m] = flow.Histogram{Counts: []uint64{n, 0}, Count: n, Sum: 4, Min: 1, Max: 3}
	}
	f.Shown = f.Parts() // what begins is looked at elsewhere
	return f
}

// rowNamed returns a metric with its default setting.
func rowNamed(t *testing.T, name string, delta bool) *metric {
	t.Helper()
	for _, r := range table {
		if r.name == name {
			m := configured(r, settings(DefaultConfig().Metrics)[name], delta)
			return &m
		}
	}
	t.Fatalf("there is no metric %s", name)
	return nil
}

// values returns the points that a metric has of a flow, by its own attribute.
func values(m *metric, f *flow.Flow) map[string]int64 {
	to := pmetric.NewNumberDataPointSlice()
	new(Writer).writeNumbers(m, f, at(0), to)
	got := map[string]int64{}
	for _, p := range to.All() {
		own := ""
		if v, ok := p.Attributes().Get(m.row.own()); ok {
			own = v.Str()
		}
		got[own] += p.IntValue()
	}
	return got
}

// TestNumbers has what each metric shows of a flow.
func TestNumbers(t *testing.T) {
	for name, want := range map[string]map[string]int64{
		"netconn.io":               {"transmit": 100, "receive": 101},
		"netconn.zone.io":          {"transmit": 100, "receive": 101},
		"netconn.packets":          {"transmit": 105, "receive": 106},
		"netconn.tcp.retransmits":  {"": 107},
		"netconn.tcp.out_of_order": {"": 108},
		"netconn.tcp.reordering":   {"": 109},
		"netconn.tcp.ecn.ce":       {"": 110},
		"netconn.tcp.lost":         {"": 111},
		"netconn.tcp.timeouts":     {"": 112},
		"netconn.tcp.recoveries":   {"": 113},
		"netconn.attempts":         {"": 11, "refused": 12},
		"netconn.closed":           {"reset": 13},
		"netconn.active":           {"": 200},
		"netconn.listen.drops":     {"": 300},
	} {
		if diff := cmp.Diff(want, values(rowNamed(t, name, false), numbered())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestHistograms has the histogram that each metric shows.
func TestHistograms(t *testing.T) {
	w := newWriter(DefaultConfig().Metrics)
	for name, want := range map[string]uint64{
		"netconn.tcp.rtt": 1, "netconn.tcp.jitter": 2, "netconn.tcp.handshake.duration": 3, "netconn.duration": 4,
	} {
		for _, delta := range []bool{false, true} {
			h := pmetric.NewHistogram()
			for _, f := range []*flow.Flow{numbered(), {}} {
				w.writeHistogram(rowNamed(t, name, delta), f, at(7), h.DataPoints())
			}
			if h.DataPoints().Len() != 1 {
				t.Fatalf("%s: %d points of a flow and one without samples", name, h.DataPoints().Len())
			}
			p := h.DataPoints().At(0)
			if p.Count() != want || p.Sum() != 4 || p.BucketCounts().At(0) != want || !p.Timestamp().AsTime().Equal(at(7)) {
				t.Errorf("%s: %d samples, sum %v at %d", name, p.Count(), p.Sum(), p.Timestamp())
			}
			if p.HasMin() == delta || p.HasMax() == delta || !delta && (p.Min() != 1 || p.Max() != 3) {
				t.Errorf("%s, delta %t: min %v, max %v", name, delta, p.Min(), p.Max())
			}
			if !p.StartTimestamp().AsTime().Equal(at(5)) || p.ExplicitBounds().Len() != len(flow.DefaultBounds()[rowNamed(t, name, delta).measure]) {
				t.Errorf("%s: since %v with %d bounds", name, p.StartTimestamp().AsTime(), p.ExplicitBounds().Len())
			}
		}
	}
}

// Where the own attribute of a metric is disabled, its points are added up.
func TestOwnAttributeDisabled(t *testing.T) {
	for name, want := range map[string]int64{"netconn.io": 201, "netconn.attempts": 23, "netconn.closed": 13} {
		m := rowNamed(t, name, false)
		m.own = ""
		if diff := cmp.Diff(map[string]int64{"": want}, values(m, numbered())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := values(m, &flow.Flow{}); name != "netconn.io" && len(got) > 0 {
			t.Errorf("%s of nothing: %v", name, got)
		}
	}
}

// opened is a flow with a connection that has done nothing yet.
func opened() *flow.Flow {
	f := &flow.Flow{Connections: true}
	f.Outcomes[flow.Attempts][conn.NoError] = 1
	return f
}

// A cumulative counter of zero is a point. A delta of zero is none, but for netconn.active, which is never a delta.
func TestZeros(t *testing.T) {
	for name, want := range map[string][2]int{
		"netconn.io": {2, 0}, "netconn.active": {1, 1}, "netconn.closed": {0, 0},
	} {
		for i, delta := range []bool{false, true} {
			to := pmetric.NewNumberDataPointSlice()
			new(Writer).writeNumbers(rowNamed(t, name, delta), opened(), at(0), to)
			if to.Len() != want[i] {
				t.Errorf("%s, delta %t: %d points of a flow without counts, want %d", name, delta, to.Len(), want[i])
			}
		}
	}
}

// Attempts that all failed have no zeros of what only a connection counts. What they did count has a point.
func TestNoZerosOfFailures(t *testing.T) {
	failed := func() *flow.Flow {
		f := &flow.Flow{Connections: true}
		f.Outcomes[flow.Attempts][conn.TimedOut], f.Counts[conn.Retransmits] = 1, 6
		return f
	}
	shown := failed()
	shown.Shown = shown.Parts()
	once := failed() // another flow of the same series had a connection: a series that was there stays
	once.Shown = flow.Established
	for name, want := range map[string][3]int{
		"netconn.io": {0, 0, 2}, "netconn.active": {0, 0, 1}, "netconn.tcp.retransmits": {2, 1, 1}, "netconn.attempts": {2, 1, 2},
	} {
		for i, f := range []*flow.Flow{failed(), shown, once} {
			to := pmetric.NewNumberDataPointSlice()
			new(Writer).writeNumbers(rowNamed(t, name, false), f, at(0), to)
			if to.Len() != want[i] {
				t.Errorf("%s of flow %d: %d points, want %d", name, i, to.Len(), want[i])
			}
		}
	}
}

// The flow beyond a limit has one attribute, beside the own one of a metric.
func TestOverflow(t *testing.T) {
	f := numbered()
	f.Overflow = true
	to := pmetric.NewNumberDataPointSlice()
	new(Writer).writeNumbers(rowNamed(t, "netconn.closed", false), f, at(0), to)
	want := map[string]any{"otel.metric.overflow": true, "error.type": "reset"}
	if diff := cmp.Diff(want, to.At(0).Attributes().AsRaw()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A flow of a listener has no points in metrics of connections, and the other way round.
func TestListenersApart(t *testing.T) {
	for name, want := range map[string][2]int{"netconn.active": {1, 0}, "netconn.listen.drops": {0, 1}} {
		s, l := pmetric.NewMetric(), pmetric.NewMetric()
		s.SetEmptySum()
		l.SetEmptySum()
		new(Writer).writePoints(rowNamed(t, name, false), opened(), at(0), s)
		new(Writer).writePoints(rowNamed(t, name, false), &flow.Flow{Listens: true}, at(0), l)
		if got := [2]int{s.Sum().DataPoints().Len(), l.Sum().DataPoints().Len()}; got != want {
			t.Errorf("%s: points of a connection and of a listener %v, want %v", name, got, want)
		}
	}
}

// Write leaves out resources that are excluded, and those without a point.
func TestWriteResources(t *testing.T) {
	c := metadata.DefaultResourceAttributesConfig()
	c.ProcessExecutableName.MetricsExclude = []filter.Config{{Strict: "hidden"}}
	w := New(Options{Metrics: DefaultConfig().Metrics, Resources: resources.New(c), Start: at(0), Version: "test"})
	var flows []flow.Resource
	for _, name := range []string{"hidden", "app", "idle"} {
		r := flow.Resource{Owner: conn.Owner{Executable: name}}
		if name != "idle" {
			r.Flows = []*flow.Flow{numbered()}
		}
		flows = append(flows, r)
	}
	md := w.Write(flows, time.Unix(9, 0))
	if md.ResourceMetrics().Len() != 1 {
		t.Fatalf("%d resources, want that of app", md.ResourceMetrics().Len())
	}
	rm := md.ResourceMetrics().At(0)
	if v, _ := rm.Resource().Attributes().Get("process.executable.name"); v.Str() != "app" || rm.SchemaUrl() == "" {
		t.Errorf("got the resource of %q with the schema %q", v.Str(), rm.SchemaUrl())
	}
	sm := rm.ScopeMetrics().At(0)
	if sm.Scope().Name() != metadata.ScopeName || sm.Scope().Version() != "test" {
		t.Errorf("got the scope %s %s", sm.Scope().Name(), sm.Scope().Version())
	}
	p := sm.Metrics().At(0).Sum().DataPoints().At(0)
	if !p.Timestamp().AsTime().Equal(at(9)) || !p.StartTimestamp().AsTime().Equal(at(5)) {
		t.Errorf("a point at %v since %v", p.Timestamp().AsTime(), p.StartTimestamp().AsTime())
	}
}

// Mask keeps what some enabled metric or the resource has.
func TestMask(t *testing.T) {
	c := DefaultConfig().Metrics
	for _, name := range []string{"server.address", "network.peer.address"} {
		c.NetconnDuration.EnabledAttributes = append(
			c.NetconnDuration.EnabledAttributes, metadata.NetconnDurationMetricAttributeKey(name))
		c.NetconnIo.EnabledAttributes = append(c.NetconnIo.EnabledAttributes, "server.address")
	}
	attributes := metadata.DefaultResourceAttributesConfig()
	attributes.ProcessExecutableName.Enabled = false
	w := New(Options{Metrics: c, Resources: resources.New(attributes)})
	got := w.Mask(flowtest.Key())
	if got.Owner != (conn.Owner{}) || got.ServerPort != 443 || !got.Server.IsValid() {
		t.Errorf("an attribute that a metric has is gone, or the executable is not: %+v", got)
	}
	if got.Remote.Addr().IsValid() || got.Client.IsValid() {
		t.Errorf("only a disabled metric has the address of the peer: %+v", got)
	}
}

// Every metric of the configuration has a row, and every row a setting.
func TestSettings(t *testing.T) {
	all := settings(DefaultConfig().Metrics)
	for _, r := range table {
		s, ok := all[r.name]
		if !ok || len(s.keys) == 0 || s.strategy != metadata.AggregationStrategySum {
			t.Errorf("%s: found %t, setting %+v", r.name, ok, s)
		}
		delete(all, r.name)
	}
	for name := range all {
		t.Errorf("%s has no row", name)
	}
}

func TestValidate(t *testing.T) {
	c := DefaultConfig().Metrics
	if err := Validate(c); err != nil {
		t.Errorf("the default: %v", err)
	}
	c.NetconnTCPRtt.AggregationStrategy = metadata.AggregationStrategyAvg
	c.NetconnIo.AggregationStrategy = metadata.AggregationStrategyMax
	err := Validate(c)
	for _, want := range []string{
		"metrics::netconn.tcp.rtt::aggregation_strategy: must be sum", "metrics::netconn.io::",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := Validate(metadata.MetricsConfig{}); err == nil || !strings.Contains(err.Error(), "at least one") {
		t.Errorf("without a metric: %v", err)
	}
}

// TestTimes has the metrics in seconds, of counters in milliseconds.
func TestTimes(t *testing.T) {
	for name, want := range map[string]map[string]float64{
		"netconn.tcp.busy":    {"": 0.102},
		"netconn.tcp.limited": {"receiver": 0.103, "send_buffer": 0.104},
	} {
		m, to := rowNamed(t, name, false), pmetric.NewNumberDataPointSlice()
		new(Writer).writeNumbers(m, numbered(), at(0), to)
		got := map[string]float64{}
		for _, p := range to.All() {
			own := ""
			if v, ok := p.Attributes().Get(m.row.own()); ok {
				own = v.Str()
			}
			got[own] = p.DoubleValue()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A flow that never waited has no series of the waiting; one that begins has a zero first.
func TestRareCountersHaveNoZero(t *testing.T) {
	m := rowNamed(t, "netconn.tcp.limited", false)
	f := &flow.Flow{Start: at(5), Active: 1, Shown: flow.Established}
	to := pmetric.NewNumberDataPointSlice()
	new(Writer).writeNumbers(m, f, at(7), to)
	if to.Len() != 0 {
		t.Errorf("%d points of a flow that never waited", to.Len())
	}
	f.Counts[conn.LimitedByReceiver] = 1500
	new(Writer).writeNumbers(m, f, at(7), to)
	if to.Len() != 2 || to.At(0).DoubleValue() != 0 || to.At(1).DoubleValue() != 1.5 {
		t.Errorf("%d points of a flow that waits for the first time, want 0 and 1.5", to.Len())
	}
}
