// Package store keeps the last hour of netconn's metrics, by edge, in a bounded amount of memory. It is a
// [snap.Source].
//
// In come pdata metrics, from any number of collectors, cumulative or delta. Collectors may come in any order, but the
// points of one series come in order of their time. Out go snapshots: the edges of a window with their totals, each
// counted once, whether one end reports it or both.
//
// # What is kept
//
// A report is what one end says about an edge: two [edge.End] and an [edge.Link]. It has a slot, and its figures are in
// buckets, 30 of 10 s and 60 of a minute. A bucket is a set of columns with one cell a slot. A point is counted in the
// buckets of its time, however long the collection took, so that totals are those that were sent. A cell is 1, 2 or 4
// bytes; a count that does not fit is in a map beside its column, and sums of times have three digits. That is 25 bytes
// a bucket and report, 2.3 kB for each report.
//
// A stream remembers the last values of one resource for one set of attributes, so that increases can be computed. A
// cumulative series whose value falls, or whose start moves on, has begun anew and counts from zero. The first value of
// a series that began before the store did is a baseline and counts nothing. A point that is not newer than the one
// before is dropped. Several streams may belong to one report. The attributes that the receiver itself sets identify
// the resource, so that a stream goes on when a processor adds attributes to a resource or changes those that it added.
// The stream then moves to the report of the new attributes; its earlier figures stay where they are.
//
// # Limits
//
// At MaxEdges reports, the store evicts those that have not changed for a minute, the oldest first, a few at a time. If
// there is none, the new report is not kept. In both cases the overflow report of its role counts its figures, so that
// totals hold. If both ends report an edge and the report that counts is evicted, the other one is evicted too, and its
// figures are discarded. The stream of an evicted report gets a report again with its next change, if there is room.
//
// At twice MaxEdges streams, the store evicts those that were silent for five minutes, a few at a time. From then on, a
// series that began before they were last received begins with a baseline, as it may be one of them. If no stream is
// silent, points of new streams are dropped and counted, except deltas, which need no memory. Resources beyond twice
// MaxEdges are read anew each time.
//
// A report or a stream that was not received for an hour expires.
//
// A Store is safe for concurrent use. It has no goroutine: calls do its periodic work.
package store
