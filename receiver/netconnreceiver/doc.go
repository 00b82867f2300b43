// Package netconnreceiver is a receiver of the OpenTelemetry Collector: it reads every TCP connection of a Linux host,
// with its owner, from the kernel, and emits them counted by flow as metrics, and on request one by one as events.
//
// In come the reports of internal/kernel: those of ended connections every 100 ms, those of live ones at each
// collection. Out go pdata metrics, one resource for each container or host service, in the order that internal/flow
// keeps; all points of a collection have one timestamp, read once at its beginning. With temporality delta, counters
// and histograms have what is new since the collection before. A logs receiver emits, on the same resources and as
// often, a log record for each connection that has ended, with the kernel's time of its end.
//
// The receivers of one configuration, which the collector has one of for each component ID, share what is loaded into
// the kernel: the first to start opens it, the last to shut down closes it. Where no metrics receiver runs, the logs
// receiver makes the collections.
//
// A collection and the 100 ms reader share one mutex, and everything behind it runs in one goroutine at a time. A
// failed read is returned as a partial scrape error: what was read before it is emitted, and nothing is counted twice
// when the next one succeeds, because reports are absolute. What cannot start at all is fatal or a permanent component
// status, by error_mode.
package netconnreceiver

//go:generate go run ../../internal/names/metadata metadata.yaml
//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
//go:generate rm internal/metadata/generated_metrics.go internal/metadata/generated_metrics_test.go internal/metadata/generated_logs.go internal/metadata/generated_logs_test.go
