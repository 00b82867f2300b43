package metrics

import (
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// kind says which part of a flow a metric shows.
type kind uint8

const (
	counter   kind = iota // flow.Flow.Counts: one counter, or some by the metric's own attribute
	outcome               // flow.Flow.Outcomes, by error.type
	histogram             // flow.Flow.Histograms
	active                // flow.Flow.Active, which is not monotonic
	drops                 // flow.Flow.ListenDrops, of listening sockets
	responses             // flow.Flow.Responses, by code
	timeouts              // flow.Flow.Timeouts
	discarded             // flow.Flow.Discarded, by flow.Key.Drop
)

// transport says which flows a metric has points of.
type transport uint8

const (
	anyTransport transport = iota
	tcpOnly
	udpOnly
)

// has reports whether a flow can have points of a metric. The overflow of a resource has what TCP and UDP counted.
func (t transport) has(f *flow.Flow) bool {
	switch {
	case f.Overflow, t == anyTransport:
		return true
	case t == udpOnly:
		return f.Key.UDP
	}
	return !f.Key.UDP
}

// row is a metric of metadata.yaml.
type row struct {
	name, unit, description string
	kind                    kind
	of                      transport

	counters []count // of a counter
	by       string  // the attribute that distinguishes the counters
	rare     bool    // a counter has no series before it has counted something
	outcome  flow.Outcome
	measure  flow.Measure
}

// count is a counter with the value of the metric's own attribute.
type count struct {
	counter conn.Counter
	own     string
}

// one returns a counter that has no attribute of its own.
func one(c conn.Counter) []count { return []count{{counter: c}} }

// directions returns two counters by network.io.direction.
func directions(sent, received conn.Counter) []count {
	return []count{{sent, names.Transmit}, {received, names.Receive}}
}

// looksUp reports whether the metric is one of DNS look-ups.
func (r *row) looksUp() bool {
	return r.kind == responses || r.kind == timeouts || r.kind == histogram && r.measure == flow.LookupDuration
}

// own returns the attribute that only this metric has, or "".
func (r *row) own() string {
	switch r.kind {
	case outcome:
		return names.ErrorType
	case responses:
		return names.RcodeKey
	case discarded:
		return names.DropKey
	}
	return r.by
}

// table holds all metrics; a test compares it with metadata.yaml.
var table = [...]row{
	{
		name: names.IO, unit: names.Bytes, kind: counter,
		counters: directions(conn.Sent, conn.Received), by: names.Direction,
		description: "Payload bytes that TCP carried, without SYN, FIN and retransmissions, and those of UDP.",
	},
	{
		name: names.ZoneIO, unit: names.Bytes, kind: counter,
		counters: directions(conn.Sent, conn.Received), by: names.Direction,
		description: "Payload bytes that TCP and UDP carried, by the zones of the two ends.",
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
		description: "Established connections that have not ended, and exchanges of UDP in the last minute.",
	},
	{
		name: names.RTT, unit: names.Seconds, kind: histogram, measure: flow.RTT,
		description: "Smoothed round-trip time of each connection, sampled at every collection and at its close.",
	},
	{
		name: names.Retransmits, unit: names.Segments, kind: counter, of: tcpOnly, counters: one(conn.Retransmits),
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
		name: names.LookupDuration, unit: names.Seconds, kind: histogram, measure: flow.LookupDuration,
		description: "Time from a DNS query to its response.",
	},
	{
		name: names.LookupRequests, unit: names.RequestUnit, kind: responses,
		description: "DNS queries that had a response.",
	},
	{
		name: names.LookupTimeouts, unit: names.RequestUnit, kind: timeouts,
		description: "DNS queries that had no response within five seconds.",
	},
	{
		name: names.Duration, unit: names.Seconds, kind: histogram, measure: flow.Duration,
		description: "Time from the SYN, or the accept, to the end of each connection.",
	},
	{
		name: names.Packets, unit: names.PacketsUnit, kind: counter,
		counters: directions(conn.SegmentsSent, conn.SegmentsReceived), by: names.Direction,
		description: "Segments with or without data, retransmitted ones each time, and datagrams of UDP.",
	},
	{
		name: names.Jitter, unit: names.Seconds, kind: histogram, measure: flow.Jitter,
		description: "Smoothed variation of the round-trip time, sampled like netconn.tcp.rtt.",
	},
	{
		name: names.OutOfOrder, unit: names.Segments, kind: counter, of: tcpOnly, counters: one(conn.OutOfOrder),
		description: "Segments that arrived before an earlier one.",
	},
	{
		name: names.Reordering, unit: names.EventsUnit, kind: counter, of: tcpOnly, counters: one(conn.Reordering),
		description: "Reordering events that the sender noticed.",
	},
	{
		name: names.Lost, unit: names.Segments, kind: counter, of: tcpOnly, counters: one(conn.SegmentsLost),
		description: "Segments that the sender considered lost; one that is lost twice counts twice.",
	},
	{
		name: names.CE, unit: names.Segments, kind: counter, of: tcpOnly, counters: one(conn.CE),
		description: "Segments received with the mark of congestion (ECN CE).",
	},
	{
		name: names.Limited, unit: names.Seconds, kind: counter, of: tcpOnly, rare: true, by: names.LimitedBy,
		counters:    []count{{conn.LimitedByReceiver, names.Receiver}, {conn.LimitedByBuffer, names.SendBuffer}},
		description: "Time in which the sender waited for room, by where.",
	},
	{
		name: names.Busy, unit: names.Seconds, kind: counter, of: tcpOnly, counters: one(conn.Busy),
		description: "Time in which the sender had data that was not acknowledged, and did not wait for room.",
	},
	{
		name: names.Timeouts, unit: names.EventsUnit, kind: counter, of: tcpOnly, rare: true,
		counters:    one(conn.Timeouts),
		description: "Retransmission timeouts.",
	},
	{
		name: names.Recoveries, unit: names.EventsUnit, kind: counter, of: tcpOnly, rare: true,
		counters:    one(conn.Recoveries),
		description: "Series of retransmission timeouts in a row, also those that last.",
	},
	{
		name: names.Bypassed, unit: names.Connections, kind: counter, of: tcpOnly, counters: one(conn.Bypassed),
		description: "Connections in a sockmap, which may have carried more payload than netconn.io has.",
	},
	{
		name: names.Drops, unit: names.PacketsUnit, kind: discarded, rare: true,
		description: "Packets that the kernel dropped, by its reason.",
	},
	{
		name: names.DatagramDrops, unit: names.Datagrams, kind: counter, of: udpOnly, rare: true,
		counters:    one(conn.DatagramDrops),
		description: "Datagrams that arrived and were dropped, because the buffer of their UDP socket was full.",
	},
	{
		name: names.DatagramErrors, unit: names.ErrorsUnit, kind: outcome, of: udpOnly, outcome: flow.DatagramErrors,
		description: "Errors that the network reported to a connected UDP socket.",
	},
}
