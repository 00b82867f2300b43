// Package signals keeps the last hour of what else is known about the ends of the network map's edges, in a bounded
// amount of memory: CPU and memory of containers, spans, logs, and netconn's events.
//
// It takes pdata metrics, traces and logs, and ignores what it does not use. It returns an [Answer] for some edges and
// a range of time.
//
// # What is kept
//
// A source is one resource that sends: a container, a pod, a service or a process, by the first of these that its
// attributes identify. It has figures in steps, 30 of 10 s and 60 of a minute: calls with errors and latencies, log
// records by severity, CPU and memory. It has details by the minute: for calls served and for calls made each the 8
// slowest and the last 8 failed spans; the last 8 error logs; the last 8 events, and the 8 of the longest connections.
// Spans of kind server and consumer are calls served, of kind client and producer calls made. Internal spans are
// ignored.
//
// # Which signals an end has
//
// An end of an edge has the signals of its pod, else of its container, because between pods the connection is often the
// sidecar's, and the spans are the application's. A container leads to its pod, because a peer is reported by its
// container alone. A source that is in no container is matched by its service, or by its
// host and executable. Values that both sides have, such as the namespace, must be equal.
//
// A span of a server and an event of a server are of one connection if they are of one container or pod, have the same
// network.peer.address and network.peer.port, and the span is within the connection's life. If two connections fit, the
// span has none.
//
// # Limits
//
// Each text is cut: names at 128 bytes, log lines and events at 256. If all sources together exceed the limit, those
// that have more than their equal share lose their oldest details, then their oldest figures, and the loss is counted.
// A source within its share loses nothing, however much others send. The number of sources is limited so that a share
// is at least 16 KiB. Beyond it, a source that was silent for a minute is evicted; if there is none, the new source is
// not kept, and what it sends is counted as dropped.
//
// A Store is safe for concurrent use. It has no goroutine: calls do its periodic work.
package signals
