// Package netmapextension is an extension of the OpenTelemetry Collector: the network map. It holds what the exporter
// netmap is given for an hour, in a bounded amount of memory, and serves it as an API and as a page that shows it.
//
// In come the metrics of netconn, by their names, of this collector or of others; the exporter finds the extension
// through the host and hands them to ConsumeMetrics. Out goes HTTP, GET only: the page, and the API that
// docs/netmap-api.md describes.
//
// Only people who may see the network of the machine may open the page:
//
//   - It listens on loopback unless it is told otherwise; elsewhere it wants an authenticator, or
//     allow_unauthenticated.
//   - A browser that was led to it by a name that is not its own (DNS rebinding) is refused by the Host that it asks
//     for.
//   - A request to the API that another site made is refused by what the browser says of it (Sec-Fetch-Site). A link to
//     the page works from anywhere.
//   - No other origin may read, embed or frame anything; the page runs its own scripts only, and labels are text.
//
// Each request is bounded: its length, its filter, how many are computed at a time, how long an answer may be.
package netmapextension

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
