package snap

// Status is the state of a source. A source leaves out what it does not have.
type Status struct {
	Opened   float64
	Learning float64 // until when the edges of the first hosts are not new
	Hosts    []Host
	Held     Held
	Dropped  Dropped
	Ahead    uint64 // points with a time in the future, which are taken as of now
	Resets   uint64 // series that began anew
	Remote   Remote
}

// Remote is the state of a store elsewhere.
type Remote struct {
	State  string  // empty: there is none
	Reason string  // why it is not Reached
	At     float64 // when it last answered; 0: not yet
}

// The states of a store elsewhere.
const (
	Starting = "starting"
	Reached  = "ok"
	Slow     = "slow"  // it answers a part, or too late
	Away     = "away"  // it does not answer, or refuses
	Void     = "empty" // it has no metrics of edges
)

// Host is a host that reports.
type Host struct {
	Name, ID, Node string
	Last           float64 // time of its newest point, by its own clock
	Age            float64 // since something was received
	Interval       float64 // between its two newest times
	Stale          bool    // silent for three intervals
	Points         uint64
	Edges          int
}

// Held is what is held in memory, and what had to leave it.
type Held struct {
	Edges, MaxEdges     int // reports; an edge that both ends report takes two
	Ends                int
	Streams, MaxStreams int
	Bytes               int    // in use, with what was computed for answers
	MaxBytes            int    // of what is held; 0: not limited
	Folded              uint64 // reports evicted into the overflow
	Expired             uint64
}

// Dropped counts points that were not counted, by the reason.
type Dropped struct {
	Late       uint64 // older than what is held
	OutOfOrder uint64 // not newer than the point before
	Streams    uint64 // no room to remember the last value
	Values     uint64 // not a number, or below zero
	Points     uint64 // a type that the metric does not have
}

// Any reports whether a point was dropped.
func (d *Dropped) Any() bool { return d.Late+d.OutOfOrder+d.Streams+d.Values+d.Points > 0 }
