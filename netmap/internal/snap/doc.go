// Package snap is what the network map knows at one time: a [Snapshot] of the edges with what was counted in a range of
// time, and what the edges counted step by step in that range. A [Source] makes snapshots; netmap/internal/view makes
// the API's answers from them.
//
// Times are Unix seconds, durations are seconds, volumes are payload bytes. A snapshot is not to be changed, so it is
// safe for concurrent use. Its edges are in no particular order, and are named by their index.
package snap
