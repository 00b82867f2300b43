package snap

import (
	"context"

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
}

// Edge is one edge with what was counted in the range. Edges share their ends: equal ends are one pointer.
type Edge struct {
	Client, Server *edge.End
	Link           edge.Link // Role is that of the report that counts
	Figures
	First, Changed     int64 // when it was first seen, and last changed
	Learned            bool  // first seen before its host's edges could be new
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
	// context or of the source.
	Read(ctx context.Context, rows [][]int, put func(row int, step Step)) error
}

// A Source makes snapshots. Safe for concurrent use.
type Source interface {
	// Spans returns the steps in which figures are kept.
	Spans() Spans
	// Range returns the steps of a window that ends at a time, or now if end is 0.
	Range(window, end int64) Range
	// Version changes with every change of what snapshots show.
	Version() Version
	// Snapshot returns the edges of a range.
	Snapshot(ctx context.Context, r Range) (*Snapshot, error)
	// Status returns the state of the source.
	Status() Status
}

// Version identifies what a source knows: when it began, in Unix nanoseconds, and how often it has changed since.
type Version struct {
	Opened     int64
	Generation uint64
}
