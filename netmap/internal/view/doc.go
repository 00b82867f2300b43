// Package view turns a snapshot of the store into the answers of the API: what docs/netmap-api.md says of graph, flows, series and
// the values of tags.
//
// In come a snapshot and a query, out go values that marshal to the JSON of the API. It is a pure function of both, and keeps
// nothing; it never fails. Lists are in an order that does not depend on the one of a map.
//
// A hop within a node with scope pod or container is the one between an application and its own sidecar. It is an edge where the
// two are two nodes (by container), and folded where they are one (by pod, workload, service): there it would add the same
// payload a second time.
package view
