package conn

import "github.com/netconn/netconn/internal/names"

// Counter is one of the figures that the kernel counts on a socket. All of them only grow. For a socket older than
// netconn they start at zero when netconn first saw it.
type Counter uint8

// The counters. Those that the kernel counts in 64 bits come first, those of at most 16 bits last.
const (
	Sent              Counter = iota // payload bytes, without SYN and FIN, retransmitted bytes once
	Received                         // payload bytes, without SYN and FIN
	Busy                             // ms in which data was in flight, and neither of the next two limited the sender
	LimitedByReceiver                // ms in which data waited for the receiver's window
	LimitedByBuffer                  // ms in which the send buffer was smaller than the path could carry
	SegmentsSent                     // with data or without, retransmitted ones each time; datagrams of UDP
	SegmentsReceived                 // with data or without; datagrams of UDP
	Retransmits                      // segments that were sent again
	OutOfOrder                       // packets that arrived before an earlier one
	Reordering                       // reordering events that the sender noticed
	CE                               // segments received with the ECN mark "congestion experienced"
	SegmentsLost                     // segments that the sender considered lost, each time
	Timeouts                         // retransmission timeouts, up to 65,535; 0 before Linux 6.7
	Recoveries                       // series of timeouts in a row, also one that lasts; 0 before Linux 6.7
	Bypassed                         // 1: in a sockmap, so that payload may be missing in Sent and Received
	DatagramDrops                    // datagrams that a full buffer of the socket dropped
	DatagramErrors                   // errors that the kernel left in a UDP socket, such as those of ICMP messages
	Counters                         // how many there are

	WideCounters = Busy     // how many of them have 64 bits; the next have 32 and wrap
	firstShort   = Timeouts // of those that have 16 bits at most, and stop at the highest value
)

var counters = [Counters]struct{ name, unit string }{
	Sent:              {"sent", names.Bytes},
	Received:          {"received", names.Bytes},
	Busy:              {"busy", names.Milliseconds},
	LimitedByReceiver: {"limited_by_receiver", names.Milliseconds},
	LimitedByBuffer:   {"limited_by_buffer", names.Milliseconds},
	SegmentsSent:      {"segments_sent", names.Segments},
	SegmentsReceived:  {"segments_received", names.Segments},
	Retransmits:       {"retransmits", names.Segments},
	OutOfOrder:        {"out_of_order", names.Segments},
	Reordering:        {"reordering", names.EventsUnit},
	CE:                {"ce", names.Segments},
	SegmentsLost:      {"segments_lost", names.Segments},
	Timeouts:          {"timeouts", names.EventsUnit},
	Recoveries:        {"recoveries", names.EventsUnit},
	Bypassed:          {"bypassed", names.Connections},
	DatagramDrops:     {"datagram_drops", names.Datagrams},
	DatagramErrors:    {"datagram_errors", names.ErrorsUnit},
}

// String returns the name of the counter.
func (c Counter) String() string { return counters[c].name }

// Unit returns the unit of the counter, as UCUM writes it.
func (c Counter) Unit() string { return counters[c].unit }

// Counts holds a value for each counter: the totals of one connection, or sums over connections, which do not wrap.
type Counts [Counters]uint64

// Add returns the sums of both.
func (a Counts) Add(b Counts) Counts {
	for c := range a {
		a[c] += b[c]
	}
	return a
}

// Sub returns the sums without those of an earlier state.
func (a Counts) Sub(earlier Counts) Counts {
	for c := range a {
		a[c] -= earlier[c]
	}
	return a
}
