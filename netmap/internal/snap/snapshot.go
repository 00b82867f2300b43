package snap

import (
	"context"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A Snapshot is all edges with what was counted in a range.
type Snapshot struct {
	Range
	Seconds    float64 // of the range in which the source was there
	Generation uint64
	Kinds      []Kind
	Edges      []Edge
	Shared     []Shared
	History    History
	Remote     bool     // it is of a store elsewhere, at the level of workloads
	Void       bool     // that store has no metrics of edges in the range
	Partial    *Partial // what it lacks; nil: nothing
}

// Partial is what a source could not find out. It is also the error of a history.
type Partial struct {
	Missing []string // figures by their names in the API; new: which edges are new; series: the course over time
	Reason  string
}

func (p *Partial) Error() string { return p.Reason }

// Edge is one edge with what was counted in the range. Edges share their ends: equal ends are one pointer.
type Edge struct {
	Client, Server *edge.End
	Link           edge.Link // Role is that of the report that counts
	Figures
	First, Changed     int64 // when it was first seen, and last changed; 0: unknown
	Learned            bool  // first seen before its host's edges could be new
	Fresh              bool  // it was not there in the day before the range
	ByClient, ByServer bool  // which ends report it
}

// Shared are retransmits of servers that belong to one of several edges. It is not known which.
type Shared struct {
	Edges       []int // indices into the edges of the snapshot
	Retransmits uint64
}

// Step is one step of a history.
type Step struct {
	At int64 // Unix seconds at which it begins
	Figures
	Reported bool // Active is known
}

// A History is what the edges of one snapshot counted step by step.
type History interface {
	// Read adds up the edges of each row, and calls put with the sums of one row and one step, in order of time. It
	// skips steps in which no edge at all counted something. Kinds are those of the snapshot. The result may have what
	// was counted since the snapshot, and may lack edges that the source has evicted since. The error is that of the
	// context or of the source, or a *Partial.
	Read(ctx context.Context, rows [][]int, what What, put func(row int, step Step)) error
}

// What are the figures that a reader of a history needs. Others may be left out.
type What uint8

// The figures.
const (
	Volume What = 1 << iota
	Retransmits
	RTT // and handshakes
	Attempts
	Closed
	Active
	Lookups
	All = Volume | Retransmits | RTT | Attempts | Closed | Active | Lookups
)

// A Source makes snapshots. Safe for concurrent use.
type Source interface {
	// Spans returns the steps in which figures are kept.
	Spans() Spans
	// Range returns the steps of a window that ends at a time, or now if end is 0.
	Range(window, end int64) Range
	// Version changes with every change of what snapshots show.
	Version() Version
	// Snapshot returns the edges of a range. It may leave out those that do not fulfil all wants.
	Snapshot(ctx context.Context, r Range, wants ...Want) (*Snapshot, error)
	// Status returns the state of the source.
	Status() Status
}

// A Want is a condition about a tag of an end, which all edges of an answer fulfil. At least one of Client and Server
// is set; if both are, one of the two ends has to fulfil it. Holds is a pure function, and safe for concurrent use.
type Want struct {
	Client, Server bool
	Tag            names.Tag
	Holds          func(edge.Value) bool
}

// Version identifies what a source knows: when it began, in Unix nanoseconds, and how often it has changed since.
type Version struct {
	Opened     int64
	Generation uint64
}
