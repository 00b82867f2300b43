package flow

import (
	"slices"

	"github.com/netconn/netconn/internal/conn"
)

// Parts is a set of parts of a flow: those that have series of their own, because they are absent until something
// happens.
type Parts uint64

// The parts, beside one for each counter, for each error of each outcome, and for each measure.
const (
	Established Parts = 1 << iota // a connection was established, so that every counter has a series
	Drops                         // ListenDrops
	Unanswered                    // Timeouts
	Discards                      // Discarded
	otherParts
)

// datagramReasons are the errors of UDP, which have a part each. conn.Other stands for all others.
var datagramReasons = [...]conn.Error{conn.Other, conn.Refused, conn.HostUnreachable, conn.NetworkUnreachable}

// Every part has a bit.
const _ = uint(64 - 4 - int(conn.Counters) - int(DatagramErrors)*int(conn.Errors) - len(datagramReasons) -
	int(Measures) - int(conn.Rcodes))

// Counted returns the part of a counter.
func Counted(c conn.Counter) Parts { return otherParts << c }

// Errored returns the part of an outcome with an error.
func Errored(o Outcome, e conn.Error) Parts {
	first := Counted(conn.Counters) << (uint(o) * uint(conn.Errors))
	if o == DatagramErrors {
		return first << max(0, slices.Index(datagramReasons[:], e))
	}
	return first << e
}

// Sampled returns the part of a measure.
func Sampled(m Measure) Parts {
	return Errored(DatagramErrors, conn.Other) << (len(datagramReasons) + int(m))
}

// Answered returns the part of a response code.
func Answered(r conn.Rcode) Parts { return Sampled(Measures) << r }

// Established reports whether a connection of the flow was ever established.
func (f *Flow) Established() bool {
	return f.Active > 0 || f.Outcomes[Attempts][conn.NoError] > 0 || f.Outcomes[Ends] != [conn.Errors]uint64{} ||
		f.Counts[conn.Sent] > 0 || f.Counts[conn.Received] > 0
}

// Parts returns the parts that have a value.
func (f *Flow) Parts() Parts {
	var p Parts
	if f.Established() {
		p |= Established
	}
	for c, n := range f.Counts {
		if n > 0 {
			p |= Counted(conn.Counter(c))
		}
	}
	if f.ListenDrops > 0 {
		p |= Drops
	}
	if f.Timeouts > 0 {
		p |= Unanswered
	}
	if f.Discarded > 0 {
		p |= Discards
	}
	for r, n := range f.Responses {
		if n > 0 {
			p |= Answered(conn.Rcode(r))
		}
	}
	for o := range f.Outcomes {
		for e, n := range f.Outcomes[o] {
			if n > 0 {
				p |= Errored(Outcome(o), conn.Error(e))
			}
		}
	}
	for m := range f.Histograms {
		if f.Histograms[m].Count > 0 {
			p |= Sampled(Measure(m))
		}
	}
	return p
}
