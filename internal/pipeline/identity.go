package pipeline

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/ends"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/peer"
)

// An Identity is what is known of the other end of a connection, and of the way there.
type Identity struct {
	Owner          conn.Owner // of this end, as far as the sources do not contradict it
	Role           conn.Role  // of this end
	Peer           conn.Peer
	NAT            conn.NAT
	Server, Client netip.AddrPort // actual; invalid if the role is unknown
	Port           uint16         // server.port; 0 if the role is unknown
	Original       flow.Original
	settled        bool // no better answer will come
}

// resolve returns what is known of a connection's other end. If both are on this machine they are matched by their
// sequence numbers, so a connection that was never established has no other end.
func (p *Pipeline) resolve(c conn.Conn, now time.Time) Identity {
	if c.Protocol == conn.UDP && !p.datagramEnds.View(c.ID).Found {
		return p.resolveDatagrams(c, now)
	}
	return p.resolveView(c, p.view(&c), now)
}

// resolveView does that with what is known of both ends. It keeps the name of a peer outside.
func (p *Pipeline) resolveView(c conn.Conn, view ends.View, now time.Time) Identity {
	m := p.momentOf(&c, &view, now)
	if m.domain != view.Name && m.domain != "" {
		p.ends.Name(c.Sequence, c.ID, m.domain)
	}
	return p.resolveMoment(c, &view, &m, now)
}

// moment is what depends on when a connection began. Certain, sourced, named and introduced: no better answer will
// come.
type moment struct {
	peer       conn.Peer // the other end, as the sources know it
	certain    bool
	source     string // in whose name the client connects
	sourced    bool
	domain     string // by which the client asked for a peer outside
	named      bool
	introduced bool // the sources know the container of this end
}

// momentOf asks the sources, and the answers of DNS.
func (p *Pipeline) momentOf(c *conn.Conn, view *ends.View, now time.Time) moment {
	m := moment{certain: true, sourced: true, named: true, introduced: true}
	if len(p.sources) == 0 && (view.Found || !p.follows()) {
		return m
	}
	other, remote := p.other(view, now), remoteOf(c, view)
	owner, _ := p.believe(c.Owner, now)
	asked := *c
	asked.Role = p.role(&c.Socket, view.Route, other)
	m.peer, m.certain = p.named(asked, other, remote, now)
	m.introduced = p.introduced(owner)
	m.source, m.sourced = p.originalSource(&asked, owner, other, m.peer, now)
	if other == nil && p.follows() {
		to := peer.Enrich(p.peers.Describe(asked, nil, remote.Addr()), m.peer)
		m.domain, m.named = p.nameOutside(&asked, view.Name, remote, &to)
	}
	return m
}

// resolveMoment returns what is known of a connection's other end, with what depends on when it began.
func (p *Pipeline) resolveMoment(c conn.Conn, view *ends.View, m *moment, now time.Time) Identity {
	var known Identity
	other, remote := p.other(view, now), remoteOf(&c, view)
	owner, believed := p.believe(c.Owner, now)
	c.Role = p.role(&c.Socket, view.Route, other)
	if view.Route != nil {
		known = p.routed(c, *view.Route)
	}
	known.Owner, known.Role = owner, c.Role
	known.Peer = peer.Enrich(p.peers.Describe(c, other, remote.Addr()), m.peer)
	if m.domain != "" {
		known.Peer[names.PeerDomain] = m.domain
	}
	known.settled = p.final || m.certain && m.sourced && m.named && m.introduced && believed && view.Settled &&
		stays(c, other, m.peer)
	known.fill(c, remote)
	if other == nil && c.Role == conn.RoleClient && standsForOthers(known.Peer) {
		known.atService(remote, p.destination(c.Protocol, remote))
	}
	known.Original.Source = m.source
	return known
}

// other returns the other end of a connection, as far as the sources do not contradict its owner; nil: it is not here.
func (p *Pipeline) other(view *ends.View, now time.Time) *conn.End {
	if !view.Found {
		return nil
	}
	other := view.Other
	other.Owner, _ = p.believe(other.Owner, now)
	return &other
}

// remoteOf returns the actual address of the other end of a connection, as far as it is known.
func remoteOf(c *conn.Conn, view *ends.View) netip.AddrPort {
	if view.Found {
		return view.Other.Tuple.Source
	}
	if view.Route != nil {
		remote, _ := view.Route.Remote(c.Tuple)
		return remote
	}
	return c.Tuple.Destination
}

// view returns what is known of both ends.
func (p *Pipeline) view(c *conn.Conn) ends.View {
	if c.Protocol == conn.UDP {
		return p.datagramEnds.View(c.ID)
	}
	return p.ends.View(c.Sequence, c.ID)
}

// standsForOthers reports whether an address is a service's. A service has no socket, so some endpoint of it has
// answered.
func standsForOthers(p conn.Peer) bool {
	return p[names.PeerType] == names.TypeService && p[names.PeerScope] == names.ScopeUnknown
}

// atService says that a service was the destination as far as is known, so that it was translated where connection
// tracking does not show it: by an eBPF program, for one. What was asked for before is kept.
func (a *Identity) atService(service netip.AddrPort, name string) {
	a.NAT, a.Server = conn.NATUnresolved, netip.AddrPort{}
	if !a.Original.Address.IsValid() {
		a.Original = flow.Original{Name: name, Port: service.Port(), Address: service.Addr()}
	}
	a.Port = a.Original.Port
}

// stays reports whether no later report can change the other end: it was found here, or it cannot be here.
func stays(c conn.Conn, other *conn.End, named conn.Peer) bool {
	if other != nil {
		return other.Owner != conn.Owner{}
	}
	return c.Sequence == conn.Sequence{} || named[names.PeerType] == names.TypePod &&
		named[names.PeerScope] == names.ScopeRemote
}

// routed returns what a route knows.
func (p *Pipeline) routed(c conn.Conn, r conn.Route) Identity {
	known := Identity{NAT: r.NAT, Port: r.Port}
	if r.Asked.IsValid() {
		known.Original = flow.Original{
			Name: p.destination(c.Protocol, r.Asked), Port: r.Asked.Port(), Address: r.Asked.Addr(),
		}
	}
	if c.Role != conn.RoleUnknown {
		known.Server, known.Client = r.Server, r.Client
	}
	return known
}

// fill takes from the socket what no route knows.
func (a *Identity) fill(c conn.Conn, remote netip.AddrPort) {
	switch {
	// the socket's may be a sidecar's, which no client asked for
	case c.Role == conn.RoleServer && a.NAT == conn.NATUnresolved:
	case a.Port == 0 || c.Role == conn.RoleUnknown:
		a.Port = c.ServerPort()
	}
	if a.Server.IsValid() {
		return
	}
	switch c.Role {
	case conn.RoleClient:
		a.Server, a.Client = remote, c.Tuple.Source
	case conn.RoleServer:
		a.Server, a.Client = c.Tuple.Source, remote
	}
}

// named returns what the sources know of the other end of a connection. Settled: no better answer will come. A loopback
// address is that of some socket here.
func (p *Pipeline) named(
	c conn.Conn, other *conn.End, remote netip.AddrPort, now time.Time,
) (known conn.Peer, settled bool) {
	q := conn.Query{Namespace: c.Namespace, At: c.Opened, Now: now}
	switch {
	case other != nil:
		q.Here, q.Owner = true, other.Owner
	case remote.Addr().IsLoopback() || !remote.IsValid():
		return conn.Peer{}, true
	default:
		q.Address = remote.Addr()
	}
	if other == nil && c.Role == conn.RoleClient {
		q.Port, q.Protocol = remote.Port(), c.Protocol
	}
	return p.sources.peer(q)
}

// introduced reports whether the sources know the container of this end. A processor that adds names to resources
// watches the same API. If it gets a resource earlier, it gives it no name, and another identity as soon as it can.
func (p *Pipeline) introduced(o conn.Owner) bool {
	if _, known := p.known[introductionOf(o)]; known || len(p.sources) == 0 || o.ContainerID == "" {
		return true
	}
	self, settled := p.sources.peer(conn.Query{Here: true, Owner: o})
	if !settled {
		return false
	}
	if _, refused := p.believed.refused[o]; !refused {
		p.known[introductionOf(o)] = names.Proxy(self[names.PeerProxy])
	}
	return true
}

// withhold reports whether the flows of a pod's container wait until the API has the container, once it has listed the
// others. The kubelet reports it a moment after its start, after an outage of the API, or once it has made the mirror
// of a static pod. If the flows were shown before, another resource would have all of their totals again.
func (p *Pipeline) withhold(o conn.Owner, age time.Duration) bool {
	return p.listed && !p.final && o.InPod() && age < ContainerPatience && !p.introduced(o)
}

// destination names what a client asked for.
func (p *Pipeline) destination(protocol conn.Protocol, asked netip.AddrPort) string {
	if name := p.sources.service(protocol, asked); name != "" {
		return name
	}
	return p.peers.Destination(asked.Addr())
}

// Here returns the zone and the region of this machine, empty if they are not known, and whether no better answer is
// expected soon.
func (p *Pipeline) Here() (zone, region string, settled bool) { return p.sources.here() }

// identify tells which flow a connection belongs to.
func (p *Pipeline) identify(c conn.Conn, now time.Time) (flow.Key, bool) {
	known := p.resolve(c, now)
	return p.key(&c, &known), known.settled
}

// key returns that of the flow of a connection with an identity.
func (p *Pipeline) key(c *conn.Conn, known *Identity) flow.Key {
	return p.domains.bounded(p.mask(flow.Key{
		Owner:      known.Owner,
		UDP:        c.Protocol == conn.UDP,
		Rest:       c.Protocol == conn.UDP && !c.Tuple.Destination.IsValid(),
		Role:       known.Role,
		ServerPort: known.Port,
		Peer:       known.Peer,
		NAT:        known.NAT,
		Original:   known.Original,
		Local:      c.Tuple.Source,
		Remote:     c.Tuple.Destination,
		Server:     known.Server.Addr(),
		Client:     known.Client.Addr(),
	}))
}
