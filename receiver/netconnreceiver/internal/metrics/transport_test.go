package metrics

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/flowtest"
)

// only returns the names of metrics that have points of a flow.
func only(f *flow.Flow) []string {
	set := DefaultConfig().Metrics
	set.NetconnPackets.Enabled = true
	w := newWriter(set)
	all := writeOne(w, f, at(10))
	found := map[string]bool{}
	for _, m := range all.All() {
		found[m.Name()] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// A flow of UDP has no series of what only TCP has, and the other way round. An overflow flow may have both.
func TestTransports(t *testing.T) {
	tcp := []string{
		names.Active, names.Attempts, names.Closed, names.IO, names.ListenDrops, names.Packets, names.Bypassed,
		names.HandshakeDuration, names.Retransmits, names.RTT, names.Limited, names.Timeouts,
		names.LookupDuration, names.LookupRequests, names.LookupTimeouts, names.Drops,
	}
	udp := []string{names.Active, names.IO, names.Packets, names.DatagramDrops, names.DatagramErrors}
	exchanged := &flow.Flow{Key: flow.Key{UDP: true}, Active: 1, Connections: true, Counts: conn.Counts{
		conn.Sent: 1, conn.Received: 2, conn.SegmentsSent: 3, conn.DatagramDrops: 4, conn.DatagramErrors: 5,
	}}
	exchanged.Outcomes[flow.DatagramErrors][conn.Refused] = 5
	beyond := flowtest.Flow()
	beyond.Overflow = true
	connected := flowtest.Flow()
	connected.Key.UDP = false
	for name, tt := range map[string]struct {
		f    *flow.Flow
		want []string
	}{
		"TCP": {connected, tcp}, "UDP": {exchanged, udp}, "overflow": {beyond, slices.Concat(tcp, udp[3:])},
	} {
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, only(tt.f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A point of UDP has its transport in any case, or it would be taken for one of TCP. What was not dropped has no zero.
func TestTransportOfDatagrams(t *testing.T) {
	w := newWriter(DefaultConfig().Metrics)
	f := &flow.Flow{Key: flow.Key{UDP: true, ServerPort: 53}, Active: 1, Connections: true}
	all := writeOne(w, f, at(10))
	points := 0
	for _, m := range all.All() {
		if m.Type() != pmetric.MetricTypeSum || m.Name() == names.DatagramDrops || m.Name() == names.DatagramErrors {
			t.Errorf("%s has points of an exchange without traffic", m.Name())
			continue
		}
		for _, p := range m.Sum().DataPoints().All() {
			points++
			if v, _ := p.Attributes().Get(names.Transport.Key()); v.Str() != names.UDP {
				t.Errorf("%s has the transport %q", m.Name(), v.Str())
			}
		}
	}
	if points == 0 {
		t.Error("there is no point")
	}
}
