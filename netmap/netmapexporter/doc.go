// Package netmapexporter is an exporter of the OpenTelemetry Collector that hands signals to the network map of the
// same collector.
//
// Metrics, traces and logs come in, and go to the extension netmap, which keeps what it shows and ignores the rest. The
// exporter finds the extension among those of the host when it starts, by its ID, and does not start without it. It
// keeps nothing, has no queue and no goroutine, and a call returns when the map has taken the signals in.
package netmapexporter

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
