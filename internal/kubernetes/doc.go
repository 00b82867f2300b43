// Package kubernetes finds the pod, node or service that has an address, and the pod of a container.
//
// It watches pods, services, nodes and, with ScopeNode, endpoint slices. A look-up returns a conn.Peer with the fields
// that are certain. It never asks the API and never waits: it answers from what the watches have brought, and reports
// whether a better answer may follow (conn.Answer). If the API is down or refuses a request, everything else still
// works.
//
// The reflectors of client-go write to a store of this package instead of an informer's cache. The store keeps a small
// record of each object, not the object. A reflector reconnects and lists again by itself. Between two attempts it
// waits 0.8 s to 60 s.
//
// Addresses move from pod to pod, so a conn.Query has a moment. The answer is the pod that had the address at that
// moment. A pod is kept for five minutes after its end. If two pods may have had the address at the moment, there is
// no answer. While a watch is down, its earlier answers are Provisional, and no pod is named for a moment after it
// went down. Services, nodes and containers still are. Moments are times of this machine's clock. The times in the API
// are those of other machines' clocks, in whole seconds.
//
// With ScopeCluster every pod of the cluster is watched, which works up to a size (see docs/design.md). With ScopeNode
// only the pods of one node are. The endpoint slices, which kube-proxy watches on every node as well, name the pods of
// other nodes. Each of these is requested once, by name, at most QPS times a second. Other pods of other nodes are
// unknown; the agent of their own node knows them.
//
// Names of workloads and of service.name follow the k8s_attributes processor, so that a peer has the name that its own
// telemetry has.
//
// Errors: Open fails if the configuration leads to no API. Later errors are in Health and Faults. All methods are safe
// for concurrent use.
package kubernetes
