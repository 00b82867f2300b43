package metrics

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// proposed are the names that issue 3682 of open-telemetry/semantic-conventions proposes. A metric is here only if it
// counts the same thing: the proposal counts resets and overflows of the accept queue in another way.
var proposed = map[string]string{
	names.RTT:               "system.network.tcp.rtt",
	names.Attempts:          "system.network.tcp.connections",
	names.Duration:          "system.network.tcp.connection.duration",
	names.HandshakeDuration: "system.network.tcp.handshake.duration",
	names.Retransmits:       "system.network.tcp.retransmits",
}

const (
	handshakeRole  = "network.tcp.handshake.role"
	netUnreachable = "net_unreachable" // conn.NetworkUnreachable
)

// Propose adds the metrics that the semantic conventions are to have, by their proposed names, beside netconn's own.
// The proposal describes one host and has no peers, so a point keeps netconn's attributes too.
func Propose(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			own := sm.Metrics()
			for i := range own.Len() {
				if name := proposed[own.At(i).Name()]; name != "" {
					m := own.AppendEmpty()
					own.At(i).CopyTo(m)
					m.SetName(name)
					renameAttributes(m)
				}
			}
		}
	}
}

func renameAttributes(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			renameKeys(p.Attributes())
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			renameKeys(p.Attributes())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			renameKeys(p.Attributes())
		}
	}
}

// renameKeys keeps different points different: each value has one spelling, and an unknown role has none.
func renameKeys(attributes pcommon.Map) {
	if v, ok := attributes.Get(names.Role.Key()); ok {
		role := v.Str()
		attributes.Remove(names.Role.Key())
		if role != conn.RoleUnknown.String() {
			attributes.PutStr(handshakeRole, role)
		}
	}
	if failure, ok := attributes.Get(names.ErrorType); ok && failure.Str() == conn.NetworkUnreachable.String() {
		failure.SetStr(netUnreachable)
	}
}
