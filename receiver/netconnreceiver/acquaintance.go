package netconnreceiver

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/peer"
)

// An acquaintance is what is known of the other end of a connection, and of the way there.
type acquaintance struct {
	peer           conn.Peer
	nat            conn.NAT
	server, client netip.AddrPort // who is really there; invalid where the role is unknown
	port           uint16         // server.port; 0 where the role is unknown
	original       flow.Original
	zone           string // that this end is in
	settled        bool   // no better answer will come
}

// meet tells what is known of a connection's other end. Where both are here they are paired by sequence numbers, so a connection that was
// never established has no other end. One whose owner is not known may get one yet.
func (p *pipeline) meet(c conn.Conn, now time.Time) acquaintance {
	var known acquaintance
	var other *conn.End
	remote := c.Tuple.Destination
	route := p.routes.of(c)
	if route != nil {
		known = p.travelled(c, *route)
		remote, _ = route.Remote(c.Tuple)
	}
	if end, found := p.pairs.Other(c.Sequence); found {
		other, remote = &end, end.Tuple.Source
	}
	named, certain := p.recognise(c, other, remote, now)
	known.peer = peer.Enrich(p.peers.Describe(c, other, remote.Addr()), named)
	known.zone = p.zone()
	known.settled = certain && route != nil && p.noOther(c, other, named)
	known.fill(c, remote)
	return known
}

// noOther tells whether the other end of a connection will stay what it is: it was found here, or it cannot be here.
func (p *pipeline) noOther(c conn.Conn, other *conn.End, named conn.Peer) bool {
	if other != nil {
		// Without a route of its own the other end is being asked about, and what is known of the way was found out without it.
		return other.Owner != conn.Owner{} && p.pairs.Route(c.Sequence.Reverse(), other.ID) != nil
	}
	return c.Sequence == conn.Sequence{} || named.Type == conn.PeerPod && named.Scope == conn.ScopeRemote
}

// travelled tells what a route says.
func (p *pipeline) travelled(c conn.Conn, r conn.Route) acquaintance {
	known := acquaintance{nat: r.NAT, port: r.Port}
	if r.Asked.IsValid() {
		known.original = flow.Original{
			Name: p.destination(r.Asked), Port: r.Asked.Port(), Address: r.Asked.Addr(),
		}
	}
	if c.Role != conn.RoleUnknown {
		known.server, known.client = r.Server, r.Client
	}
	return known
}

// fill takes from the socket what no route told.
func (a *acquaintance) fill(c conn.Conn, remote netip.AddrPort) {
	if a.port == 0 || c.Role == conn.RoleUnknown {
		a.port = c.ServerPort()
	}
	if a.server.IsValid() {
		return
	}
	switch c.Role {
	case conn.RoleClient:
		a.server, a.client = remote, c.Tuple.Source
	case conn.RoleServer:
		a.server, a.client = c.Tuple.Source, remote
	}
}

// identify tells which flow a connection belongs to.
func (p *pipeline) identify(c conn.Conn, now time.Time) (flow.Key, bool) {
	known := p.meet(c, now)
	return p.record.set.mask(flow.Key{
		Owner:      p.record.resources.mask(c.Owner),
		Role:       c.Role,
		ServerPort: known.port,
		Peer:       known.peer,
		NAT:        known.nat,
		Original:   known.original,
		Zone:       known.zone,
		Local:      c.Tuple.Source,
		Remote:     c.Tuple.Destination,
		Server:     known.server.Addr(),
		Client:     known.client.Addr(),
	}), known.settled
}
