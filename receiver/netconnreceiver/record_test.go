package netconnreceiver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// TestRecordFolds tells for which metrics flows are added up: only listen.drops by default, as it has no peer.
func TestRecordFolds(t *testing.T) {
	tests := map[string]struct {
		change func(*metadata.MetricsConfig)
		want   []string
	}{
		"default": {func(*metadata.MetricsConfig) {}, []string{"netconn.listen.drops"}},
		"the transport is the same for all flows": {
			func(m *metadata.MetricsConfig) { m.NetconnIo.EnabledAttributes = m.NetconnIo.EnabledAttributes[:0:0] },
			[]string{"netconn.io", "netconn.listen.drops"},
		},
		"one metric has an attribute more": {
			func(m *metadata.MetricsConfig) {
				m.NetconnClosed.EnabledAttributes = append(m.NetconnClosed.EnabledAttributes, "server.address")
			},
			[]string{
				"netconn.io", "netconn.attempts", "netconn.active", "netconn.tcp.rtt", "netconn.tcp.retransmits",
				"netconn.tcp.handshake.duration", "netconn.listen.drops",
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
			c := createDefaultConfig().(*Config)
			test.change(&c.Metrics)
			r := newRecord(c, "test", time.Unix(0, 0))
			var got []string
			for _, m := range r.metrics {
				if r.folds[m.view()] != nil {
					got = append(got, m.name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRecordSharesFolds because two that remember the same flows would cost twice.
func TestRecordSharesFolds(t *testing.T) {
	c := createDefaultConfig().(*Config)
	c.Metrics.NetconnAttempts.EnabledAttributes = []metadata.NetconnAttemptsMetricAttributeKey{"netconn.role", "error.type"}
	c.Metrics.NetconnClosed.EnabledAttributes = []metadata.NetconnClosedMetricAttributeKey{"netconn.role"}
	r := newRecord(c, "test", time.Unix(0, 0))
	if len(r.folds) != 2 { // that of listen.drops, and this one
		t.Errorf("got %d folds, want 2", len(r.folds))
	}
}

// BenchmarkWrite is one collection of 100 containers with 100 flows each.
func BenchmarkWrite(b *testing.B) {
	var resources []flow.Resource
	for i := range 100 {
		o := conn.Owner{ContainerID: fmt.Sprintf("%064x", i), Executable: "app"}
		flows := slices.Repeat([]*flow.Flow{{}}, 100)
		for j := range flows {
			f := knownFlow()
			f.Key.Owner, f.Key.ServerPort, f.Start, f.Listens = o, uint16(j+1), time.Unix(0, 0), false
			flows[j] = f
		}
		resources = append(resources, flow.Resource{Owner: o, Flows: flows})
	}
	r := newRecord(createDefaultConfig().(*Config), "test", time.Unix(0, 0))
	r.resources.host = host{id: "4d3c", name: "node-1"}
	b.ReportAllocs()
	for b.Loop() {
		if got := r.write(resources, time.Unix(10, 0)).ResourceMetrics().Len(); got != len(resources) {
			b.Fatal(got)
		}
	}
}
