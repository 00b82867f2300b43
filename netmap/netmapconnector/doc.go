// Package netmapconnector is a connector of the OpenTelemetry Collector that makes edge metrics of netconn's metrics:
// who talks to whom at the level of workloads, with few enough series for a store of any size.
//
// Metrics come in, and those that are not netconn's are ignored. Every interval, and once more at shutdown, the totals
// of all edges go out, as cumulative metrics. Their resource is that of the collector, so that several of them are
// different instances in any store. What cannot be sent is sent with the next interval, as totals are cumulative. A
// collector that is killed loses what it counted since the last interval.
//
// Package ledger does the adding up; docs/edges.md describes the metrics.
package netmapconnector

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
