package pipeline

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// originalSource returns the workload, with its namespace, in whose name a ztunnel connects. A ztunnel serves the pods
// of its node, and connects from the address of the pod that connected to it, here or on another node. So the address
// shows which connections of a workload a connection of the ztunnel continues. Empty: the client is no ztunnel, or
// connects in its own name. Settled: no better answer will come.
func (p *Pipeline) originalSource(
	c *conn.Conn, owner conn.Owner, other *conn.End, named conn.Peer, now time.Time,
) (source string, settled bool) {
	var from netip.Addr
	self := named
	switch {
	case c.Role == conn.RoleClient && p.known[introductionOf(owner)] == names.Ztunnel:
		from = c.Tuple.Source.Addr()
		self, _ = p.sources.peer(conn.Query{Here: true, Owner: owner})
	case c.Role == conn.RoleServer && other != nil && named[names.PeerProxy] == string(names.Ztunnel):
		from = c.Tuple.Destination.Addr()
	default:
		return "", true
	}
	known, settled := p.sources.peer(conn.Query{Namespace: c.Namespace, Address: from, At: c.Opened, Now: now})
	name, namespace := known[names.PeerName], known[names.PeerNamespace]
	switch {
	case known[names.PeerType] != names.TypePod || name == "" || namespace == "":
		return "", settled
	case name == self[names.PeerName] && namespace == self[names.PeerNamespace]:
		return "", settled
	}
	return name + "." + namespace, settled
}
