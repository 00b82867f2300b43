// Package edge is the vocabulary of the network map: who is at an end of a connection, and what tells the edges between two
// ends apart. It reads both from the attributes of netconn's metrics, by their names only, so it knows nothing of the
// receiver that emits them.
//
// # Two views of one end
//
// An end is seen twice. The resource of its own metrics is its own view (container.id, k8s.*, service.*,
// process.executable.name, ...). The attributes netconn.peer.* of somebody else's metrics are the other's view. Both are
// read into one set of tags, an [End], so that grouping by a tag puts both views into one node: k8s.deployment.name and
// netconn.peer.k8s.workload.name are both the tag workload; without Kubernetes, process.executable.name and
// netconn.peer.name are both the tag name.
//
// What the other's view leaves out is added in two steps, both certain:
//
//   - By place ([End.Near]): a peer of scope node is on the host of the end that reports it, one of scope pod in its pod,
//     one of scope container is in the same container. So it has the tags that all ends of that place share.
//   - By identity: where the peer's container id, its pod and container, or (on the same host, or in the same pod) its name is
//     that of exactly one end that reports itself, it is that end, and has all of its tags. Two candidates are none: nothing is
//     guessed.
//
// # Two reports of one edge
//
// Both ends report an edge, with different attributes, and no attribute names the connection. What both can tell is
// compared. The identities of an end ([End.Identities]) are all the ways in which somebody else may see it: namespace,
// workload and container; namespace and workload; executable or unit. Of a peer there is only one, that of the view
// ([End.Seen]). A report of a client has the keys {each identity of the client} x {the server as seen}, one of a server has
// {the client as seen} x {each identity of the server}; port, transport, scope and place belong to the key. Two reports that share
// a key are of one edge ([Link.Keys]). The place is the container, pod or host for the scopes of that name. For remote ends there
// is none, so only names of Kubernetes count there: an executable's name means nothing on another machine.
//
// A report has no keys, and is shown as it is, where the peer is known by an address or a network only. It is then one of two
// half edges, this one from its client to a network and the other from a network to its server, which no attribute
// can join.
//
// Where the role is unknown, two reports match if each sees the other, by the same identities in any order. Of the two the one
// counts whose identity sorts first. A report of unknown role has no port, and never matches one whose role is known.
package edge
