// Package netmapexporter is an exporter of the OpenTelemetry Collector that hands metrics to the network map of the
// same collector.
//
// In come metrics, out they go to the extension netmap, which takes what is netconn's and ignores the rest. The
// exporter finds the extension among those of the host when it starts, by its ID, and does not start without it. It
// keeps nothing, has no queue and no goroutine, and a call returns when the map has taken the metrics in.
package netmapexporter

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
