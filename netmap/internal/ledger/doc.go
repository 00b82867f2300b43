// Package ledger adds netconn's metrics up by edge, at the level of workloads: cumulative counters for a store of any
// size, where the reports of pods would be too many.
//
// In come pdata metrics of any number of agents, cumulative or delta. Out goes, at each [Ledger.Flush], a message with
// the totals of every edge since it was first seen.
//
// # Edges
//
// An edge has a client and a server (see [edge.Link.Parties]), the port, the scope, and what was chosen of the tags of
// its ends. Each end's report makes an edge of its own, with the reporter's role: the two may pass different ledgers,
// and neither knows what the other has. Whoever asks takes the client's, and the server's where there is none.
// Retransmits are those of the reporter, so both count.
//
// Directions are those of the edge: transmitted is what the client sent. If neither end saw the connection open, the
// names decide which end is the client. If both are the same workload then, what one sends is what another receives,
// and counts once.
//
// # Series
//
// A flow is one resource's series for one set of attributes. Its counters are compared with the values before, so an
// agent that starts anew counts from zero. A cumulative flow that is older than the ledger begins with a baseline: the
// ledger before it has counted that. A total begins with a point of zero, so that a backend sees its first increase;
// its start is the flush before.
//
// # Limits
//
// Beyond MaxEdges, new edges are added up in one edge between two ends of type other. Beyond MaxFlows, cumulative
// points of new flows are dropped and counted; deltas need no memory. A flow that was silent for Expiry is forgotten,
// with the connections that it had open, and an edge whose flows are all forgotten ends.
//
// Nothing here fails. A Ledger is safe for concurrent use, and has no goroutine.
package ledger
