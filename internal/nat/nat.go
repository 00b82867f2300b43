// Package nat finds the route of a connection: who is really at its two ends, what was asked for, and how one became the other.
//
// In: an end of a connection, the other end if it is on this machine, and for each namespace that its packets pass on their way out
// what connection tracking does to them there. Out: a conn.Route. Everything here is a pure function of its arguments; nothing fails:
// what cannot be known for certain is conn.NATUnresolved.
//
// A packet that an end sends is followed outward, from the socket's namespace to the one around it, and so on. Each hop rewrites it or
// not. For the side that connected, a rewritten destination is the server that is really there. The other side answers: what is
// rewritten there is where its packets seem to come from, which is what the client asked for, and where they go to, which is the real
// client. So one rule serves both sides, and only the names of source and destination change places.
//
// Where both ends are on this machine they are matched by what no translation changes (package ends), and their sockets tell the rest; only
// whether the destination was translated on the server's own doorstep has to be asked.
package nat

import (
	"net/netip"

	"github.com/netconn/netconn/internal/conn"
)

// MaxSteps is how many namespaces are asked about one connection, the socket's own included: a pod, its node, a host around the node,
// and one to spare.
const MaxSteps = 4

// Knowledge is what connection tracking of a namespace says about a packet.
type Knowledge uint8

const (
	Unknown Knowledge = iota // it cannot be asked, or what it says may be of another connection
	Doubted                  // there is no entry, but there may have been one
	Absent                   // there is no entry, and there was none: the packet is not translated
	Tracked                  // there is one, and Out is what it makes of the packet
)

// Step is what one namespace does to a packet that passes it on its way out.
type Step struct {
	Knowledge Knowledge
	Out       conn.Tuple // the packet as it leaves
	Reply     bool       // the packet belongs to the answering direction
	Local     bool       // Out's destination belongs to this namespace: it goes no further
}

// Packet returns the packet as it arrives after some steps.
func Packet(e conn.End, steps []Step) conn.Tuple {
	packet := e.Tuple
	for _, s := range steps {
		if s.Knowledge == Tracked {
			packet = s.Out
		}
	}
	return packet
}

// Without returns what it means that a namespace has no entry for an end's packet. Age is how long ago the connection may have ended at
// most, in seconds; tracks tells whether the namespace tracks connections. Of one that is open there would be an entry. After its end it
// may have been deleted, or its timeout be short, where there are entries at all; where there seem to be none, the last may have expired.
// A refused attempt leaves none, one that a rule drops on its way never gets one, and one of a connection older than netconn may have
// expired.
func Without(e conn.End, age float64, tracks bool) Knowledge {
	switch {
	case e.Phase == conn.Failed && e.Error == conn.NotSent:
		return Absent
	case e.Phase == conn.Failed, !e.SeenOpening, e.Phase == conn.Closed && (tracks || age >= 1):
		return Doubted
	}
	return Absent
}

// Follow returns the route of an end whose other end is not on this machine, or not known, from the steps of a packet that it sends, its
// own namespace first.
func Follow(e conn.End, steps []Step) conn.Route {
	w := walk{end: e, packet: e.Tuple, client: connected(e, steps)}
	for i, s := range steps {
		if !w.pass(i, s) {
			return unresolved(e)
		}
	}
	if len(steps) == 0 || w.doubt {
		return unresolved(e)
	}
	return w.route()
}

// connected tells whether the end is the client's. Of one that does not know the first translation tells it; without any it matters not.
func connected(e conn.End, steps []Step) bool {
	if e.Role != conn.RoleUnknown {
		return e.Role == conn.RoleClient
	}
	packet := e.Tuple
	for _, s := range steps {
		if s.Knowledge == Tracked && s.Out != packet {
			return !s.Reply
		}
	}
	return true
}

// unresolved returns what the socket says.
func unresolved(e conn.End) conn.Route {
	switch e.Role {
	case conn.RoleClient:
		return conn.Route{Client: e.Tuple.Source, Server: e.Tuple.Destination, Port: e.Tuple.Destination.Port()}
	case conn.RoleServer:
		return conn.Route{Client: e.Tuple.Destination, Server: e.Tuple.Source, Port: e.Tuple.Source.Port()}
	}
	return conn.Route{}
}

// A walk is a packet on its way out.
type walk struct {
	end      conn.End
	packet   conn.Tuple
	client   bool // the end is the one that connected
	doubt    bool // an entry may be missing in the namespaces since the last that had one
	redirect bool // the destination that the client asked for was translated where the server is
	dnat     bool // or elsewhere
	snat     bool
	entered  netip.AddrPort // that the client's packets are addressed to when they enter the server's namespace
}

// pass takes the packet through one namespace. False means that the route cannot be known.
func (w *walk) pass(i int, s Step) bool {
	switch s.Knowledge {
	case Unknown:
		return false
	case Doubted:
		w.doubt = true
	case Tracked:
		// It knows the packet as it left the namespaces before, so those left it alone.
		w.doubt = false
		if s.Out != w.packet && !w.translate(i, s) {
			return false
		}
	}
	w.enter(i, s)
	if s.Knowledge == Tracked {
		w.packet = s.Out
	}
	return true
}

// translate notes what was rewritten. An entry that has the connection the other way round was made from a packet in the middle of it, or
// is another one's.
func (w *walk) translate(i int, s Step) bool {
	if w.client == s.Reply {
		return false
	}
	asked, asker := s.Out.Destination != w.packet.Destination, s.Out.Source != w.packet.Source
	here := s.Local
	if !w.client {
		asked, asker = asker, asked
		here = i == 0
	}
	w.snat = w.snat || asker
	w.redirect = w.redirect || asked && here
	w.dnat = w.dnat || asked && !here
	return true
}

// enter notes the address by which the server's namespace is entered: the client's side ends there, the server's begins there.
func (w *walk) enter(i int, s Step) {
	out := w.packet
	if s.Knowledge == Tracked {
		out = s.Out
	}
	switch {
	case !w.client && i == 0:
		w.entered = out.Source
	case w.client && s.Local:
		w.entered = w.packet.Destination
	case w.client:
		w.entered = out.Destination
	}
}

func (w *walk) route() conn.Route {
	if w.end.Role == conn.RoleUnknown && !w.redirect && !w.dnat && !w.snat {
		return conn.Route{NAT: conn.NATNone}
	}
	r := conn.Route{Client: w.end.Tuple.Source, Server: w.packet.Destination, Asked: w.end.Tuple.Destination, Port: w.entered.Port()}
	if !w.client {
		r = conn.Route{Client: w.packet.Destination, Server: w.end.Tuple.Source, Asked: w.packet.Source, Port: w.entered.Port()}
	}
	r.NAT = kind(w.redirect, w.dnat, w.snat, w.end.Transparent)
	if !w.redirect && !w.dnat {
		r.Asked = netip.AddrPort{}
	}
	return r
}

func kind(redirect, dnat, snat, transparent bool) conn.NAT {
	switch {
	case (redirect || dnat) && snat:
		return conn.NATBoth
	case dnat:
		return conn.NATDestination
	case redirect:
		return conn.NATRedirect
	case snat:
		return conn.NATSource
	case transparent:
		return conn.NATTransparent
	}
	return conn.NATNone
}
