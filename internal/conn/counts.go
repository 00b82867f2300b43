package conn

import "github.com/netconn/netconn/internal/names"

// Counter is one of the figures that the kernel counts on a socket. All of them only grow. For a socket older than
// netconn they start at zero when netconn first saw it.
type Counter uint8

// The counters. Those that the kernel counts in 64 bits come first.
const (
	Sent             Counter = iota // payload bytes, without SYN and FIN, retransmitted bytes once
	Received                        // payload bytes, without SYN and FIN
	SegmentsSent                    // with data or without, retransmitted ones each time
	SegmentsReceived                // with data or without
	Retransmits                     // segments that were sent again
	OutOfOrder                      // packets that arrived before an earlier one
	Reordering                      // reordering events that the sender noticed
	CE                              // segments received with the ECN mark "congestion experienced"
	SegmentsLost                    // segments that the sender took for lost, again each time
	Counters                        // how many there are

	WideCounters = SegmentsSent // how many of them have 64 bits; the rest has 32 and wraps
)

var counters = [Counters]struct {
	name, unit string
	bits       uint
}{
	Sent:             {"sent", names.Bytes, 64},
	Received:         {"received", names.Bytes, 64},
	SegmentsSent:     {"segments_sent", names.PacketsUnit, 32},
	SegmentsReceived: {"segments_received", names.PacketsUnit, 32},
	Retransmits:      {"retransmits", names.Segments, 32},
	OutOfOrder:       {"out_of_order", names.PacketsUnit, 32},
	Reordering:       {"reordering", names.PacketsUnit, 32},
	CE:               {"ce", names.PacketsUnit, 32},
	SegmentsLost:     {"segments_lost", names.PacketsUnit, 32},
}

// String returns the name of the counter, as bpf/records.h has it.
func (c Counter) String() string { return counters[c].name }

// Unit returns the unit of the counter, as UCUM writes it.
func (c Counter) Unit() string { return counters[c].unit }

// Counts holds a value for each counter: totals of one connection as the kernel has them, which wrap at the width of
// their counter, or sums over connections, which do not wrap.
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

// Since returns how much the totals of a connection have grown. A counter that went backwards has not grown.
func (a Counts) Since(earlier Counts) Counts {
	for c := range a {
		a[c] = growth(earlier[c], a[c], counters[c].bits)
	}
	return a
}

// Max returns the later of two totals of a connection, counter by counter.
func (a Counts) Max(b Counts) Counts {
	for c := range a {
		a[c] = wrap(a[c]+growth(a[c], b[c], counters[c].bits), counters[c].bits)
	}
	return a
}

// growth returns how much a counter of so many bits has grown. A difference above half of the range means that the
// counter went backwards.
func growth(from, to uint64, bits uint) uint64 {
	d := wrap(to-from, bits)
	if d > 1<<(bits-1) {
		return 0
	}
	return d
}

func wrap(v uint64, bits uint) uint64 { return v << (64 - bits) >> (64 - bits) }
