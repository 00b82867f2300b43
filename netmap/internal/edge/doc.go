// Package edge is the vocabulary of the network map: the two ends of an edge, and the link between them. It reads both
// from the attributes of netconn's metrics. It is pure, and safe for concurrent use.
//
// # Two descriptions of one end
//
// An end is described twice. It describes itself by the attributes of its resource (container.id, k8s.*, service.*,
// process.executable.name, ...). Its peer describes it by the attributes netconn.peer.* of a point. Both are read into
// the same tags, an [End], so that grouping by a tag puts both into one node. For example, k8s.deployment.name and
// netconn.peer.k8s.workload.name are both the tag workload.
//
// The peer's description has fewer tags. Two steps add what is certain:
//
//   - By place ([End.AtPlace]): a peer of scope node is on the host of the end that reports it, a peer of scope pod is
//     in its pod, and a peer of scope container is in its container. So it has the tags that all ends of that place
//     share.
//   - By identity: if exactly one end that reports itself has the peer's container id, or its pod and container, or (on
//     the same host, or in the same pod) its name, then the peer is that end, and has all of its tags
//     ([End.DescribedBy]). With two candidates nothing is added.
//
// # Two reports of one edge
//
// Both ends report an edge, with different attributes, and no attribute names the connection. They are matched by keys
// that both ends can compute ([Link.Keys]). An end that reports itself has several identities ([End.Identities]): its
// namespace, workload and container; its namespace and workload; its executable or unit. A pod without a known owner
// has each name that an observer may take for its workload: its service, its pod, the pod without the node (a static
// pod), the pod without the random suffix (a controller that the processor does not know). Between hosts, the node is
// an identity too: an observer elsewhere sees a process in the node's network as that node. The sockets of a host that
// have no owner (in an accept queue, of the kernel) are one end, of type unknown. A peer has one identity, from its
// description ([End.PeerIdentity]). The keys of a client's report are {each identity of the client} x {the
// server's peer identity}; the keys of a server's report are {the client's peer identity} x {each identity of the
// server}. Port, transport, scope and place are part of the key. Two reports with a common key are of one edge.
//
// The place is the container, pod or host for the scopes of that name. Remote ends have no common place, so only names
// of Kubernetes match there: the name of an executable means nothing on another machine.
//
// A report has no keys if its peer is known by an address or a network only. Such an edge appears as two halves, from
// the client to a network and from a network to the server, because no attribute can join them.
//
// If the role is unknown, two reports match if each end describes the other by the same identities, in either order.
// The report whose identity sorts first is the primary one. Such a report has no port, and never matches a report with
// a known role.
package edge
