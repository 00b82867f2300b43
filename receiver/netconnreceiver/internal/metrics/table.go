package metrics

import (
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// kind says which part of a flow a metric shows.
type kind uint8

const (
	counter   kind = iota // flow.Flow.Counts: one counter, or two by direction
	outcome               // flow.Flow.Outcomes, by error.type
	histogram             // flow.Flow.Histograms
	active                // flow.Flow.Active, which is not monotonic
	drops                 // flow.Flow.ListenDrops, of listening sockets
)

// row is a metric of metadata.yaml.
type row struct {
	name, unit, description string
	kind                    kind

	counter  conn.Counter // of a counter; of the direction transmit, if there is a second one
	received conn.Counter // of the direction receive; conn.Sent: there are no directions
	outcome  flow.Outcome
	measure  flow.Measure
}

// own returns the attribute that only this metric has, or "".
func (r *row) own() string {
	switch {
	case r.kind == outcome:
		return names.ErrorType
	case r.kind == counter && r.received != conn.Sent:
		return names.Direction
	}
	return ""
}

// table holds all metrics; a test compares it with metadata.yaml.
var table = [...]row{
	{
		name: names.IO, unit: names.Bytes, kind: counter, counter: conn.Sent, received: conn.Received,
		description: "Payload bytes that TCP carried, without SYN, FIN and retransmissions.",
	},
	{
		name: names.ZoneIO, unit: names.Bytes, kind: counter, counter: conn.Sent, received: conn.Received,
		description: "Payload bytes that TCP carried, by the zones of the two ends.",
	},
	{
		name: names.Attempts, unit: names.Connections, kind: outcome, outcome: flow.Attempts,
		description: "Connections that were established or failed, counted at that moment, never at the SYN.",
	},
	{
		name: names.Closed, unit: names.Connections, kind: outcome, outcome: flow.Ends,
		description: "Established connections that ended.",
	},
	{
		name: names.Active, unit: names.Connections, kind: active,
		description: "Established connections that have not ended.",
	},
	{
		name: names.RTT, unit: names.Seconds, kind: histogram, measure: flow.RTT,
		description: "Smoothed round-trip time of each connection, sampled at every collection and at its close.",
	},
	{
		name: names.Retransmits, unit: names.Segments, kind: counter, counter: conn.Retransmits,
		description: "Segments that were sent again.",
	},
	{
		name: names.HandshakeDuration, unit: names.Seconds, kind: histogram, measure: flow.Handshake,
		description: "Time from the SYN to the established connection, on the side that connected.",
	},
	{
		name: names.ListenDrops, unit: names.Connections, kind: drops,
		description: "Connections that a listening socket dropped because one of its queues was full.",
	},
	{
		name: names.Duration, unit: names.Seconds, kind: histogram, measure: flow.Duration,
		description: "Time from the SYN, or the accept, to the end of each connection.",
	},
	{
		name: names.Packets, unit: names.Segments, kind: counter,
		counter: conn.SegmentsSent, received: conn.SegmentsReceived,
		description: "Segments with or without data, retransmitted ones each time.",
	},
	{
		name: names.Jitter, unit: names.Seconds, kind: histogram, measure: flow.Jitter,
		description: "Smoothed variation of the round-trip time, sampled like netconn.tcp.rtt.",
	},
	{
		name: names.OutOfOrder, unit: names.Segments, kind: counter, counter: conn.OutOfOrder,
		description: "Segments that arrived before an earlier one.",
	},
	{
		name: names.Reordering, unit: names.EventsUnit, kind: counter, counter: conn.Reordering,
		description: "Reordering events that the sender noticed.",
	},
	{
		name: names.Lost, unit: names.Segments, kind: counter, counter: conn.SegmentsLost,
		description: "Segments that the sender considered lost; one that is lost twice counts twice.",
	},
	{
		name: names.CE, unit: names.Segments, kind: counter, counter: conn.CE,
		description: "Segments received with the mark of congestion (ECN CE).",
	},
	{
		name: names.Bypassed, unit: names.Connections, kind: counter, counter: conn.Bypassed,
		description: "Connections in a sockmap, which may have carried more payload than netconn.io has.",
	},
}
