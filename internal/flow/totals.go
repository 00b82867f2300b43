package flow

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Flow is what was counted since Start. All counters are cumulative, and all but Active only grow.
type Flow struct {
	Key      Key
	Overflow bool      // stands for the flows beyond a limit: Key holds the owner and nothing else
	Start    time.Time // not after the first event that is counted here
	Shown    Parts     // that had a value at an earlier collection

	Connections bool // a connection or a loss was ever counted here; where false, only ListenDrops has a meaning
	Listens     bool // a listener was ever counted here; where false, ListenDrops has no meaning
	Lookups     bool // a DNS look-up was ever counted here; where false, Responses and Timeouts have no meaning
	Discards    bool // a dropped packet was ever counted here; where false, Discarded has no meaning

	Counts      conn.Counts
	Outcomes    OutcomeCounts
	Histograms  [Measures]Histogram
	Active      int64  // open connections
	ListenDrops uint64 // connections that a full queue dropped
	Responses   [conn.Rcodes]uint64
	Timeouts    uint64 // DNS queries without a response
	Discarded   uint64 // packets that the kernel dropped, for the reason Key.Drop
}

// Outcome is a kind of event that is counted by conn.Error.
type Outcome uint8

const (
	Attempts       Outcome = iota // conn.NoError: established
	Ends                          // of established connections; conn.NoError: by agreement
	DatagramErrors                // that the kernel left in UDP sockets
	Outcomes                      // how many there are
)

// OutcomeCounts holds for each outcome the number of events of each error.
type OutcomeCounts [Outcomes][conn.Errors]uint64

// Measure is a duration that is sampled in a histogram, in seconds.
type Measure uint8

const (
	RTT Measure = iota
	Jitter
	Handshake
	Duration
	LookupDuration
	Measures // how many there are
)

// Add adds what another flow has counted. The sum began when the first of its flows did.
func (f *Flow) Add(o *Flow) {
	if o.Start.Before(f.Start) {
		f.Start = o.Start
	}
	f.Shown |= o.Shown
	f.Connections = f.Connections || o.Connections
	f.Listens = f.Listens || o.Listens
	f.Lookups = f.Lookups || o.Lookups
	f.Discards = f.Discards || o.Discards
	f.Counts = f.Counts.Add(o.Counts)
	for k := range o.Outcomes {
		for e := range o.Outcomes[k] {
			f.Outcomes[k][e] += o.Outcomes[k][e]
		}
	}
	for m := range o.Histograms {
		f.Histograms[m].add(&o.Histograms[m])
	}
	f.Active += o.Active
	f.ListenDrops += o.ListenDrops
	for r := range o.Responses {
		f.Responses[r] += o.Responses[r]
	}
	f.Timeouts += o.Timeouts
	f.Discarded += o.Discarded
}

// since returns what a flow has counted beyond an earlier state of it. Start is left at zero.
func (f *Flow) since(earlier *Flow) Flow {
	n := Flow{
		Key:         f.Key,
		Overflow:    f.Overflow,
		Connections: f.Connections,
		Listens:     f.Listens,
		Lookups:     f.Lookups,
		Discards:    f.Discards,
		Counts:      f.Counts.Sub(earlier.Counts),
		ListenDrops: f.ListenDrops - earlier.ListenDrops,
		Timeouts:    f.Timeouts - earlier.Timeouts,
		Discarded:   f.Discarded - earlier.Discarded,
	}
	for r := range f.Responses {
		n.Responses[r] = f.Responses[r] - earlier.Responses[r]
	}
	for k := range f.Outcomes {
		for e := range f.Outcomes[k] {
			n.Outcomes[k][e] = f.Outcomes[k][e] - earlier.Outcomes[k][e]
		}
	}
	for m := range f.Histograms {
		n.Histograms[m] = f.Histograms[m].since(&earlier.Histograms[m])
	}
	return n
}

// counted reports whether anything was counted.
func (f *Flow) counted() bool {
	for m := range f.Histograms {
		if f.Histograms[m].Count > 0 {
			return true
		}
	}
	return f.Counts != conn.Counts{} || f.Outcomes != OutcomeCounts{} || f.ListenDrops > 0 ||
		f.Responses != [conn.Rcodes]uint64{} || f.Timeouts > 0 || f.Discarded > 0
}

// copyFrom makes f a copy of o that shares no memory with it, and uses f's own again.
func (f *Flow) copyFrom(o *Flow) {
	own := f.Histograms
	*f = *o
	for m := range f.Histograms {
		f.Histograms[m].Counts = append(own[m].Counts[:0], o.Histograms[m].Counts...)
	}
}
