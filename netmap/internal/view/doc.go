// Package view turns snapshots into the answers of the API: graph, flows, series and the values of tags, as
// docs/netmap-api.md describes them.
//
// In come a snapshot and a query, out go values that marshal to the JSON of the API. It is a pure function of both, and
// keeps nothing. The only error is that of reading the snapshot's history. The order of lists does not depend on that
// of a map.
//
// A hop within a node with scope pod or container is the hop between an application and its own sidecar. It is an edge
// if the two are two nodes (by container), and folded if they are one (by pod, workload, service): there it would count
// the same payload a second time. The same holds for a hop between two ztunnels.
package view
