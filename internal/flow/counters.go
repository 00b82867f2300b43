package flow

import "github.com/netconn/netconn/internal/conn"

// increment is what connections are credited with: the differences of conn.Counters, wide enough for sums.
type increment struct {
	sent, received                 uint64
	segmentsSent, segmentsReceived uint64
	retransmits, outOfOrder        uint64
	reordering, ce, lost           uint64
}

// increments returns how much now is beyond then, counter by counter, and nothing where it went backwards.
func increments(then, now conn.Counters) increment {
	return increment{
		sent:             since(then.Sent, now.Sent),
		received:         since(then.Received, now.Received),
		segmentsSent:     since32(then.SegmentsSent, now.SegmentsSent),
		segmentsReceived: since32(then.SegmentsReceived, now.SegmentsReceived),
		retransmits:      since32(then.Retransmits, now.Retransmits),
		outOfOrder:       since32(then.OutOfOrder, now.OutOfOrder),
		reordering:       since32(then.Reordering, now.Reordering),
		ce:               since32(then.CE, now.CE),
		lost:             since32(then.Lost, now.Lost),
	}
}

// latest returns the greater of every counter, and the gauges of b, which was reported later.
func latest(a, b conn.Counters) conn.Counters {
	return conn.Counters{
		Sent:             max(a.Sent, b.Sent),
		Received:         max(a.Received, b.Received),
		SegmentsSent:     a.SegmentsSent + uint32(since32(a.SegmentsSent, b.SegmentsSent)),
		SegmentsReceived: a.SegmentsReceived + uint32(since32(a.SegmentsReceived, b.SegmentsReceived)),
		Retransmits:      a.Retransmits + uint32(since32(a.Retransmits, b.Retransmits)),
		OutOfOrder:       a.OutOfOrder + uint32(since32(a.OutOfOrder, b.OutOfOrder)),
		Reordering:       a.Reordering + uint32(since32(a.Reordering, b.Reordering)),
		CE:               a.CE + uint32(since32(a.CE, b.CE)),
		Lost:             a.Lost + uint32(since32(a.Lost, b.Lost)),
		RTT:              b.RTT,
		RTTVariation:     b.RTTVariation,
	}
}

// sameCounts tells whether a and b differ in nothing but the gauges.
func sameCounts(a, b conn.Counters) bool {
	a.RTT, a.RTTVariation = b.RTT, b.RTTVariation
	return a == b
}

func since(then, now uint64) uint64 {
	if now < then {
		return 0
	}
	return now - then
}

// since32 is since for the kernel's 32-bit counters, which wrap: a difference above half of their range means that the
// counter went backwards.
func since32(then, now uint32) uint64 {
	d := now - then
	if d > 1<<31 {
		return 0
	}
	return uint64(d)
}
