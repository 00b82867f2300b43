// Package store keeps what netconn's metrics say of the last hour, by edge, in a bounded amount of memory.
//
// In come pdata metrics, of any number of collectors, cumulative or delta, in any order of collectors but each series in
// order of its time. Out goes a [Snapshot]: the edges of a window with their totals, each counted once, whoever reports it.
//
// # What is kept
//
// A report is what one end says of an edge: two [edge.End] and an [edge.Link]. Its figures are in buckets, 30 of 10 s and 60
// of a minute, each a set of columns with one cell a report. A figure belongs to the bucket of its point's time, however long the
// collection was, so a point is in exactly one bucket of either length and totals are those that were sent. A cell is 1, 2 or 4
// bytes; a count that does not fit is in a map beside its column, and sums of times have three digits. That is 25 bytes a
// bucket and report, 2.3 kB in all.
//
// A stream remembers the last values of one source for one set of attributes, so that what is new can be told: a cumulative
// series whose value falls, or whose start moves on, has begun anew and counts from zero. The first value of a series that
// began before the store did is a baseline and counts nothing. A point that is not newer than the one before is dropped.
// Several streams may be of one report. Which source it is, is told by the attributes that the receiver itself sets, so that a stream goes
// on when a processor adds to a resource or changes what it has added: the stream moves to the report of the new attributes, and what
// it has counted stays where it was.
//
// # Limits
//
// At MaxEdges reports, those that have not changed for a minute leave, the oldest first, a few at a time; where there is none, the
// newcomer does not get in. Either way what they have counted, and will count, is in a report that stands for all of them
// ("other"), so totals hold. When both ends report an edge, and the one that counts leaves, the other one leaves with it,
// uncounted. A stream whose report left comes back with its next change, if there is room again. At twice MaxEdges streams,
// those that have been silent for five minutes are forgotten, a few at a time; from then on what began before they were last heard of
// begins with a baseline, as it may be one of them. Where none is silent, points of new ones are dropped and counted, but for deltas,
// which need no memory. Resources beyond twice MaxEdges are read anew each time.
//
// A report or a stream that nobody has sent for an hour is forgotten.
//
// A Store is safe for concurrent use. It has no goroutine: it tidies up when it is used.
package store
