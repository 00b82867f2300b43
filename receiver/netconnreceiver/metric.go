package netconnreceiver

import (
	"errors"
	"fmt"
	"slices"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// A metric is one of metadata.yaml, as it is configured. It has either count or sample.
type metric struct {
	name, unit, description string
	setting
	gauged  bool // the sum is not monotonic
	listens bool // about listening sockets
	delta   bool // since the collection before
	own     string
	count   func(f *flow.Flow, point func(value int64, own string)) // own: value of the attribute; empty: without it
	sample  func(f *flow.Flow) *flow.Histogram
}

// A setting is what a user can set of a metric.
type setting struct {
	enabled  bool
	strategy string
	set      attributeSet
	keys     []string
}

func set[K ~string](enabled bool, strategy string, keys []K) setting {
	s := setting{enabled: enabled, strategy: strategy, set: setOf(keys)}
	for _, k := range keys {
		s.keys = append(s.keys, string(k))
	}
	return s
}

func (m *metric) view() view { return view{set: m.set, listens: m.listens, delta: m.delta} }

// hasOwn tells whether the attribute that only this metric has is enabled.
func (m *metric) hasOwn() bool { return slices.Contains(m.keys, m.own) }

// metrics is the table of all metrics; a test holds it against metadata.yaml.
func metrics(c metadata.MetricsConfig) []metric {
	const failure, direction = string(semconv.ErrorTypeKey), string(semconv.NetworkIODirectionKey)
	return []metric{
		{
			name: "netconn.io", unit: "By", own: direction, count: ofIO,
			description: "Payload bytes that TCP carried, without SYN, FIN and retransmissions.",
			setting:     set(c.NetconnIo.Enabled, c.NetconnIo.AggregationStrategy, c.NetconnIo.EnabledAttributes),
		},
		{
			name: "netconn.zone.io", unit: "By", own: direction, count: ofIO,
			description: "Payload bytes that TCP carried, by the zones of the two ends.",
			setting:     set(c.NetconnZoneIo.Enabled, c.NetconnZoneIo.AggregationStrategy, c.NetconnZoneIo.EnabledAttributes),
		},
		{
			name: "netconn.attempts", unit: "{connection}", own: failure, count: ofAttempts,
			description: "Connections that were established or failed, counted at that moment, never at the SYN.",
			setting: set(c.NetconnAttempts.Enabled, c.NetconnAttempts.AggregationStrategy,
				c.NetconnAttempts.EnabledAttributes),
		},
		{
			name: "netconn.closed", unit: "{connection}", own: failure, count: ofClosed,
			description: "Established connections that ended.",
			setting:     set(c.NetconnClosed.Enabled, c.NetconnClosed.AggregationStrategy, c.NetconnClosed.EnabledAttributes),
		},
		{
			name: "netconn.active", unit: "{connection}", gauged: true,
			count:       func(f *flow.Flow, point func(int64, string)) { point(f.Active, "") },
			description: "Established connections that have not ended.",
			setting:     set(c.NetconnActive.Enabled, c.NetconnActive.AggregationStrategy, c.NetconnActive.EnabledAttributes),
		},
		{
			name: "netconn.tcp.rtt", unit: "s",
			sample:      func(f *flow.Flow) *flow.Histogram { return &f.Histograms[flow.RTT] },
			description: "Smoothed round-trip time of each connection, sampled at every collection and at its close.",
			setting:     set(c.NetconnTCPRtt.Enabled, c.NetconnTCPRtt.AggregationStrategy, c.NetconnTCPRtt.EnabledAttributes),
		},
		{
			name: "netconn.tcp.retransmits", unit: "{segment}",
			count:       func(f *flow.Flow, point func(int64, string)) { point(int64(f.Counts[conn.Retransmits]), "") },
			description: "Segments that were sent again.",
			setting: set(c.NetconnTCPRetransmits.Enabled, c.NetconnTCPRetransmits.AggregationStrategy,
				c.NetconnTCPRetransmits.EnabledAttributes),
		},
		{
			name: "netconn.tcp.handshake.duration", unit: "s",
			sample:      func(f *flow.Flow) *flow.Histogram { return &f.Histograms[flow.Handshake] },
			description: "Time from the SYN to the established connection, on the side that connected.",
			setting: set(c.NetconnTCPHandshakeDuration.Enabled, c.NetconnTCPHandshakeDuration.AggregationStrategy,
				c.NetconnTCPHandshakeDuration.EnabledAttributes),
		},
		{
			name: "netconn.listen.drops", unit: "{connection}", listens: true,
			count:       func(f *flow.Flow, point func(int64, string)) { point(int64(f.ListenDrops), "") },
			description: "Connections that a listening socket dropped because one of its queues was full.",
			setting: set(c.NetconnListenDrops.Enabled, c.NetconnListenDrops.AggregationStrategy,
				c.NetconnListenDrops.EnabledAttributes),
		},
		{
			name: "netconn.duration", unit: "s",
			sample:      func(f *flow.Flow) *flow.Histogram { return &f.Histograms[flow.Duration] },
			description: "Time from the SYN, or the accept, to the end of each connection.",
			setting: set(c.NetconnDuration.Enabled, c.NetconnDuration.AggregationStrategy,
				c.NetconnDuration.EnabledAttributes),
		},
		{
			name: "netconn.packets", unit: "{packet}", own: direction, count: ofPackets,
			description: "Segments with or without data, retransmitted ones each time.",
			setting:     set(c.NetconnPackets.Enabled, c.NetconnPackets.AggregationStrategy, c.NetconnPackets.EnabledAttributes),
		},
		{
			name: "netconn.tcp.jitter", unit: "s",
			sample:      func(f *flow.Flow) *flow.Histogram { return &f.Histograms[flow.Jitter] },
			description: "Smoothed variation of the round-trip time, sampled like netconn.tcp.rtt.",
			setting: set(c.NetconnTCPJitter.Enabled, c.NetconnTCPJitter.AggregationStrategy,
				c.NetconnTCPJitter.EnabledAttributes),
		},
		{
			name: "netconn.tcp.out_of_order", unit: "{packet}",
			count:       func(f *flow.Flow, point func(int64, string)) { point(int64(f.Counts[conn.OutOfOrder]), "") },
			description: "Packets that arrived before an earlier one.",
			setting: set(c.NetconnTCPOutOfOrder.Enabled, c.NetconnTCPOutOfOrder.AggregationStrategy,
				c.NetconnTCPOutOfOrder.EnabledAttributes),
		},
		{
			name: "netconn.tcp.reordering", unit: "{packet}",
			count:       func(f *flow.Flow, point func(int64, string)) { point(int64(f.Counts[conn.Reordering]), "") },
			description: "Reordering events that the sender noticed.",
			setting: set(c.NetconnTCPReordering.Enabled, c.NetconnTCPReordering.AggregationStrategy,
				c.NetconnTCPReordering.EnabledAttributes),
		},
		{
			name: "netconn.tcp.lost", unit: "{packet}",
			count:       func(f *flow.Flow, point func(int64, string)) { point(int64(f.Counts[conn.SegmentsLost]), "") },
			description: "Segments that the sender took for lost, again each time that they were.",
			setting: set(c.NetconnTCPLost.Enabled, c.NetconnTCPLost.AggregationStrategy,
				c.NetconnTCPLost.EnabledAttributes),
		},
		{
			name: "netconn.tcp.ecn.ce", unit: "{packet}",
			count:       func(f *flow.Flow, point func(int64, string)) { point(int64(f.Counts[conn.CE]), "") },
			description: "Segments received with the mark of congestion (ECN CE).",
			setting: set(c.NetconnTCPEcnCe.Enabled, c.NetconnTCPEcnCe.AggregationStrategy,
				c.NetconnTCPEcnCe.EnabledAttributes),
		},
	}
}

func ofIO(f *flow.Flow, point func(int64, string)) {
	point(int64(f.Counts[conn.Sent]), semconv.NetworkIODirectionTransmit.Value.AsString())
	point(int64(f.Counts[conn.Received]), semconv.NetworkIODirectionReceive.Value.AsString())
}

func ofPackets(f *flow.Flow, point func(int64, string)) {
	point(int64(f.Counts[conn.SegmentsSent]), semconv.NetworkIODirectionTransmit.Value.AsString())
	point(int64(f.Counts[conn.SegmentsReceived]), semconv.NetworkIODirectionReceive.Value.AsString())
}

func ofAttempts(f *flow.Flow, point func(int64, string)) {
	ofOutcomes(f.Outcomes[flow.Attempts], point)
}

func ofClosed(f *flow.Flow, point func(int64, string)) { ofOutcomes(f.Outcomes[flow.Ends], point) }

// Most outcomes never happen to a flow: those have no point, not a zero.
func ofOutcomes(n [conn.Errors]uint64, point func(int64, string)) {
	for e := range conn.Errors {
		if n[e] > 0 {
			point(int64(n[e]), e.String())
		}
	}
}

// defaultMetricsConfig corrects what mdatagen proposes. Of histograms: to add flows up is the only way not to lie. Of netconn.zone.io: an
// attribute that is opt-in elsewhere is what this metric is there for.
func defaultMetricsConfig() metadata.MetricsBuilderConfig {
	c := metadata.NewDefaultMetricsBuilderConfig()
	c.Metrics.NetconnTCPRtt.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnTCPJitter.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnTCPHandshakeDuration.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnDuration.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnZoneIo.EnabledAttributes = []metadata.NetconnZoneIoMetricAttributeKey{
		metadata.NetconnZoneIoMetricAttributeKeyNetworkIoDirection,
		metadata.NetconnZoneIoMetricAttributeKeyNetconnRole,
		metadata.NetconnZoneIoMetricAttributeKeyNetconnLocalZone,
		metadata.NetconnZoneIoMetricAttributeKeyNetconnPeerZone,
		metadata.NetconnZoneIoMetricAttributeKeyNetconnPeerRegion,
	}
	return c
}

func validateMetrics(c metadata.MetricsConfig) error {
	var errs error
	enabled := false
	for _, m := range metrics(c) {
		enabled = enabled || m.enabled
		if m.strategy != metadata.AggregationStrategySum {
			errs = errors.Join(errs, fmt.Errorf("metrics::%s::aggregation_strategy: must be %s, not %q",
				m.name, metadata.AggregationStrategySum, m.strategy))
		}
	}
	if !enabled {
		errs = errors.Join(errs, errors.New("metrics: at least one must be enabled"))
	}
	return errs
}
