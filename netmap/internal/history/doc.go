// Package history makes snapshots of the edge metrics that a Prometheus-compatible store holds: Prometheus, Thanos,
// Mimir, VictoriaMetrics. It is a [snap.Source] for windows that are longer than a process remembers, and for maps
// without a pipeline. The connector netmap makes the metrics; docs/edges.md describes them.
//
// In comes a range of time, out go its edges, at the level of workloads, with what each end reported: the client's
// report counts, and the server's where there is none. Retransmits of both add up. Nothing of a user's request enters a
// query except the names of ends that the store itself has answered before; these are quoted.
//
// A want about a tag that both reports agree on narrows the queries. Hours that rules have recorded replace the metrics
// in them, if none is missing. A graph of a long window is made of recorded hours only; by namespace, of recorded sums
// of two namespaces, and of a list of edges without figures.
//
// # Queries
//
// A snapshot takes one query for each figure, and one for the edges of the day before. A history takes one range query
// for each figure, restricted to the names of its ends. Increases are exact where the store's engine allows it, see
// [queries.increase]. The store evaluates everything at the level of edges; no raw series are transferred.
//
// # Limits
//
// Each query has a time-out, a limit of series and one of bytes. Only so many run at a time, for all requests together.
// Snapshots and histories are kept for a short time, and requests for the same one share it: a request that is given up
// does not stop it, so the next one finds it made. If the volume is there and another figure is not, the snapshot is
// partial, and says so.
//
// A Source is safe for concurrent use. Its goroutines end with Close.
package history
