package pipeline

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/ends"
	"github.com/netconn/netconn/internal/flow"
)

// kinds are those of brief ends that were identified lately.
type kinds struct {
	all      [128]kind
	bySocket bool   // the addresses and ports of sockets tell flows apart
	pass     uint64 // over the ends that wait
}

// kind is what the identity of an end depends on, without what is of one connection only: the port of the client, ids
// and sequence numbers. Ends of one kind are in one flow.
type kind struct {
	self, other conn.End
	route       conn.Route
	routed      bool // there is a route
	own         bool // its client is this end
	found       bool // other is known
	shown       bool // the view is settled
	moment      moment

	pass    uint64 // over the ends that wait; the rest is of this pass
	settled bool   // no better identity will come
	key     flow.Key
}

// identifyBrief returns the flow of a brief end, and whether no better one will come.
func (p *Pipeline) identifyBrief(e *brief, now time.Time) (key *flow.Key, settled bool) {
	c := &e.Conn
	view := p.ends.Of(e.end, c)
	if e.domain != "" {
		view.Name = e.domain
	}
	k := kind{moment: p.momentOf(c, &view, now), pass: p.briefs.kinds.pass}
	if e.domain == "" && k.moment.domain != "" {
		e.domain = k.moment.domain
		if p.events.wanted { // or nothing else asks for it
			p.ends.Name(c.Sequence, c.ID, e.domain)
		}
	}
	p.briefs.kinds.describe(&k, c, &view)
	found := p.briefs.kinds.slot(&k)
	if !found.same(&k) {
		known := p.resolveMoment(*c, &view, &k.moment, now)
		k.key, k.settled = p.key(c, &known), known.settled
		*found = k
	}
	return &found.key, found.settled || p.final
}

// describe sets what identifies a kind.
func (s *kinds) describe(k *kind, c *conn.Conn, view *ends.View) {
	k.self, k.found, k.shown = common(c.End(), c.Role, s.bySocket), view.Found, view.Settled
	if view.Found {
		k.other = common(view.Other, view.Other.Role, s.bySocket)
	}
	if view.Route != nil {
		k.route, k.routed, k.own = *view.Route, true, view.Route.Client == c.Tuple.Source
		if !s.bySocket && k.route.Client.IsValid() {
			k.route.Client = withoutPort(k.route.Client)
		}
	}
}

// common returns what an end has in common with others of its kind: without the client's port, unless the addresses and
// ports of sockets tell flows apart.
func common(e conn.End, r conn.Role, bySocket bool) conn.End {
	e.Process, e.ID, e.Sequence, e.Error = 0, conn.ID{}, conn.Sequence{}, 0
	switch {
	case bySocket:
	case r == conn.RoleClient:
		e.Tuple.Source = withoutPort(e.Tuple.Source)
	case r == conn.RoleServer:
		e.Tuple.Destination = withoutPort(e.Tuple.Destination)
	}
	return e
}

// same reports whether two ends are of one kind, in one pass.
func (k *kind) same(o *kind) bool {
	return k.pass == o.pass && k.self == o.self && k.found == o.found && k.shown == o.shown &&
		k.routed == o.routed && k.own == o.own && k.route == o.route && (!k.found || k.other == o.other) &&
		k.moment == o.moment
}

// slot returns where a kind may be. It hashes what differs between most.
func (s *kinds) slot(k *kind) *kind {
	n := uint(k.self.Tuple.Destination.Port()) + uint(k.self.Tuple.Source.Port())*3 + uint(k.self.Namespace.Inode)*7
	n += uint(k.self.Role)*31 + uint(k.route.NAT)*17
	a := k.self.Tuple.Destination.Addr().As16()
	n += uint(a[15])*37 + uint(a[14])*41
	for _, s := range [...]string{k.self.Owner.Executable, k.moment.domain} {
		if len(s) > 0 {
			n = n*31 + uint(s[0])*17 + uint(s[len(s)-1])
		}
	}
	return &s.all[n%uint(len(s.all))]
}
