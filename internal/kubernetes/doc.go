// Package kubernetes describes who has an address, a container or a service in a cluster.
//
// In: what the API server reports of pods, services, nodes and, where they are needed, endpoint slices. Out: a
// conn.Peer, as far as it is certain. A look-up never asks the API and never waits for it. It answers from what is
// known, and reports whether a better answer may follow (Answer). So an API server that is down, slow or forbidden
// costs only the answers that it alone has.
//
// The reflectors of client-go write to a store of this package instead of an informer's cache: it keeps only what is
// used of an object, and keeps it once. A reflector lists again, reconnects and waits in between (0.8 s to 60 s, and
// twice if a watch cannot continue where it was).
//
// Time: one pod has an address after another, so a Query names a moment, and the answer is the pod that had the address
// then. A pod is remembered for five minutes after its end. A moment at which two pods may have had the address has no
// answer. During an outage of a watch, what it reported before is Provisional, and no pod is named for a moment after
// the outage began; services, nodes and containers still are. Moments are of this machine's clock. The times in the API
// (when a pod's network was set up) are of other machines' clocks, in whole seconds.
//
// Scope: with ScopeCluster every pod of the cluster is watched, which works up to a size (see docs/design.md). With
// ScopeNode only the pods of one node are. The endpoint slices, which kube-proxy watches on every node as well, name
// the pods of other nodes; each is requested once, by name, at most QPS times a second. A pod of another node that is
// behind no service is then unknown; the netconn of its own node knows it.
//
// Names of workloads and of service.name follow the k8s_attributes processor, so that a peer has the name that its own
// telemetry has.
//
// Errors: Open fails if the configuration leads to no API. Later errors are in Health and Faults. All methods are safe
// for concurrent use.
package kubernetes
