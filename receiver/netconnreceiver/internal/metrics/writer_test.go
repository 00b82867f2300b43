package metrics

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/flowtest"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

// newWriter returns a writer with a host, for the metrics of a configuration.
func newWriter(c metadata.MetricsConfig) *Writer {
	r := resources.New(metadata.DefaultResourceAttributesConfig())
	r.Host = resources.Host{ID: "4d3c", Name: "node-1"}
	return New(Options{Metrics: c, Resources: r, Bounds: flow.DefaultBounds(), Version: "test", Start: at(0)})
}

// writeOne returns the metrics of one flow.
func writeOne(w *Writer, f *flow.Flow, now time.Time) pmetric.MetricSlice {
	all := pmetric.NewMetricSlice()
	views := slices.Repeat([][]flow.Resource{{{Flows: []*flow.Flow{f}}}}, len(w.groups))
	w.writeResource(views, 0, now, all)
	return all
}

// TestWriterFolds lists the metrics for which flows are added up: only listen.drops by default, as it has no peer.
func TestWriterFolds(t *testing.T) {
	tests := map[string]struct {
		change func(*metadata.MetricsConfig)
		want   []string
	}{
		"default": {func(*metadata.MetricsConfig) {}, []string{"netconn.listen.drops"}},
		"a metric without attributes": {
			func(m *metadata.MetricsConfig) { m.NetconnIo.EnabledAttributes = m.NetconnIo.EnabledAttributes[:0:0] },
			[]string{"netconn.io", "netconn.listen.drops"},
		},
		"the transport distinguishes flows in any case": {
			func(m *metadata.MetricsConfig) {
				m.NetconnIo.EnabledAttributes = slices.DeleteFunc(m.NetconnIo.EnabledAttributes,
					func(k metadata.NetconnIoMetricAttributeKey) bool { return string(k) == "network.transport" })
			},
			[]string{"netconn.listen.drops"},
		},
		"one metric has an attribute more": {
			func(m *metadata.MetricsConfig) {
				m.NetconnClosed.EnabledAttributes = append(m.NetconnClosed.EnabledAttributes, "server.address")
			},
			[]string{
				"netconn.io", "netconn.attempts", "netconn.active", "netconn.tcp.rtt", "netconn.tcp.retransmits",
				"netconn.tcp.handshake.duration", "netconn.listen.drops", "dns.lookup.duration", "netconn.dns.requests",
				"netconn.dns.timeouts", "netconn.tcp.limited", "netconn.tcp.timeouts", "netconn.tcp.bypassed",
				"netconn.udp.drops", "netconn.udp.errors",
			},
		},
		"a disabled metric's attributes do not count": {
			func(m *metadata.MetricsConfig) {
				m.NetconnClosed.EnabledAttributes = append(m.NetconnClosed.EnabledAttributes, "server.address")
				m.NetconnClosed.Enabled = false
			},
			[]string{"netconn.listen.drops"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig().Metrics
			test.change(&c)
			w := newWriter(c)
			var got []string
			for _, m := range w.metrics {
				if w.folds[m.view] != nil {
					got = append(got, m.name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWriterSharesFolds checks that metrics with one view share a fold: two of them would remember the same flows.
func TestWriterSharesFolds(t *testing.T) {
	c := DefaultConfig().Metrics
	c.NetconnAttempts.EnabledAttributes = []metadata.NetconnAttemptsMetricAttributeKey{"netconn.role", "error.type"}
	c.NetconnClosed.EnabledAttributes = []metadata.NetconnClosedMetricAttributeKey{"netconn.role"}
	w := newWriter(c)
	if len(w.folds) != 2 { // that of listen.drops, and this one
		t.Errorf("got %d folds, want 2", len(w.folds))
	}
}

// BenchmarkWrite is one collection of 100 containers with 100 flows each.
func BenchmarkWrite(b *testing.B) {
	var owners []flow.Resource
	for i := range 100 {
		o := conn.Owner{ContainerID: fmt.Sprintf("%064x", i), Executable: "app"}
		flows := slices.Repeat([]*flow.Flow{{}}, 100)
		for j := range flows {
			f := flowtest.Flow()
			f.Key.Owner, f.Key.ServerPort, f.Start, f.Listens = o, uint16(j+1), time.Unix(0, 0), false
			flows[j] = f
		}
		owners = append(owners, flow.Resource{Owner: o, Flows: flows})
	}
	w := newWriter(DefaultConfig().Metrics)
	b.ReportAllocs()
	for b.Loop() {
		if got := w.Write(owners, time.Unix(10, 0)).ResourceMetrics().Len(); got != len(owners) {
			b.Fatal(got)
		}
	}
}
