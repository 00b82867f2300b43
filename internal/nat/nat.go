// Package nat finds the route of a connection: its actual endpoints, the original destination, and the kind of
// translation between them.
//
// In: one end of a connection, or both, and what connection tracking says in the namespaces on the way. Out: a
// conn.Route. Everything here is a pure function of its arguments, and nothing fails: a route that is not certain is
// conn.NATUnresolved.
//
// A packet that an end sends is followed outward, from the socket's namespace to the next one, and so on. Each may
// translate it. For the client's packets, a translated destination is the actual server. For the server's packets, a
// translated source is the original destination, and a translated destination is the actual client. So one rule serves
// both sides, with source and destination exchanged.
//
// Where both ends are on this machine, package ends matches them by their initial sequence numbers, which no
// translation changes, and their sockets show all the rest but one thing: whether the server's own namespace translated
// the destination.
package nat

import (
	"net/netip"

	"github.com/netconn/netconn/internal/conn"
)

// MaxSteps is how many namespaces are asked about one connection, including the socket's own: a pod, its node, a host
// around the node, and one more.
const MaxSteps = 4

// Knowledge is what connection tracking of a namespace says about a packet.
type Knowledge uint8

const (
	Unknown Knowledge = iota // it cannot be asked, or its answer may be about another connection
	Doubted                  // there is no entry, but there may have been one
	Absent                   // there is no entry, and there was none: the packet is not translated
	Tracked                  // there is an entry
)

// Step is what one namespace does to a packet on its way out.
type Step struct {
	Knowledge Knowledge
	Out       conn.Tuple // of Tracked: the packet as it leaves; of Unknown: by another connection's entry, if any
	Reply     bool       // of Tracked: the packet belongs to the reply direction
	Local     bool       // the destination of the packet, as it leaves, belongs to this namespace: it goes no further
	Uncertain bool       // the packet can leave by another way than to the next step: no entry there proves nothing
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

// Without returns what it means that a namespace has no entry for a packet. translates is false if the namespace tracks
// no connections and has no rule that translates.
//
// Where a rule translates, the kernel tracks every packet of the address family, unless another rule exempts it. So an
// entry is missing because it was deleted or has expired, and proves nothing. A packet that a rule drops never gets
// one.
func Without(e conn.End, translates bool) Knowledge {
	switch {
	case e.Phase != conn.Failed && translates, e.Phase == conn.Failed && e.Error != conn.NotSent:
		return Doubted
	}
	return Absent
}

// Follow returns the route of an end from the steps of a packet that it sends, its own namespace first. The other end
// is not on this machine, or not known.
func Follow(e conn.End, steps []Step) conn.Route {
	w := walk{end: e, packet: e.Tuple, client: connected(e, steps)}
	for i, s := range steps {
		if !w.pass(i, s) {
			return w.unresolved(steps)
		}
	}
	if len(steps) == 0 || w.doubt {
		return w.unresolved(steps)
	}
	return hooked(w.route(), e)
}

// hooked returns the route of a connection with a client. If a BPF program ran in connect(), it may have translated
// the destination where no entry shows it: the actual endpoints are right, and what the client asked for is not known.
func hooked(r conn.Route, client conn.End) conn.Route {
	if client.ConnectHook {
		r.NAT, r.Asked = conn.NATUnresolved, netip.AddrPort{}
	}
	return r
}

// connected reports whether the end is the client. If its role is not known, the first translation shows it; without
// any, the route does not depend on it.
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

// walk is a packet on its way out.
type walk struct {
	end      conn.End
	packet   conn.Tuple
	client   bool           // the end is the client
	doubt    bool           // an entry may be missing in the namespaces since the last one that had an entry
	redirect bool           // the original destination was translated in the server's namespace
	dnat     bool           // or elsewhere
	snat     bool           // the client's address was translated
	entered  netip.AddrPort // the destination of the client's packets when they enter the server's namespace
}

// pass takes the packet through one namespace. False: the route cannot be known.
func (w *walk) pass(i int, s Step) bool {
	switch s.Knowledge {
	case Unknown:
		return false
	case Doubted:
		// If the destination was translated before, the server's own namespace can only redirect it to another port of
		// the server, which changes nothing in the route.
		if !w.client || !s.Local || !w.dnat {
			w.doubt = true
		}
	case Tracked:
		if !w.agrees(s) {
			return false
		}
		// The entry has the packet as it left the namespaces before, so those did not translate it.
		w.doubt = false
		if s.Out != w.packet {
			w.translate(i, s)
		}
	}
	w.enter(i, s)
	if s.Knowledge == Tracked {
		w.packet = s.Out
	}
	w.doubt = w.doubt || s.Uncertain
	return true
}

// agrees reports whether an entry has the direction of the connection. If it has not, it was made from a packet in the
// middle of the connection, after its first entry was deleted, or it is another connection's. Where the role is not
// known, only a translation shows the direction.
func (w *walk) agrees(s Step) bool {
	if w.end.Role == conn.RoleUnknown && s.Out == w.packet {
		return true
	}
	return w.client != s.Reply
}

// translate records what a namespace translates. A source port that changes is no translation of the source: the kernel
// gives the packet another one if the port is taken (see nf_nat_core.c, get_unique_tuple).
func (w *walk) translate(i int, s Step) {
	destination, source := s.Out.Destination != w.packet.Destination, s.Out.Source.Addr() != w.packet.Source.Addr()
	here := s.Local
	if !w.client {
		destination, source = s.Out.Source != w.packet.Source, s.Out.Destination.Addr() != w.packet.Destination.Addr()
		here = i == 0
	}
	w.snat = w.snat || source
	w.redirect = w.redirect || destination && here
	w.dnat = w.dnat || destination && !here
}

// enter records the address by which the server's namespace is entered: the client's packets end there, and the
// server's begin there.
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

// unresolved returns what the socket shows. The port of a server is known only if it is known what its own namespace
// does: a sidecar listens on 15006, which no client asked for.
func (w *walk) unresolved(steps []Step) conn.Route {
	switch t := w.end.Tuple; w.end.Role {
	case conn.RoleClient:
		return conn.Route{Client: t.Source, Server: t.Destination, Port: t.Destination.Port()}
	case conn.RoleServer:
		r := conn.Route{Client: t.Destination, Server: t.Source}
		if len(steps) > 0 && steps[0].Knowledge != Doubted {
			r.Port = w.entered.Port()
		}
		return r
	}
	return conn.Route{}
}

func (w *walk) route() conn.Route {
	if w.end.Role == conn.RoleUnknown && !w.redirect && !w.dnat && !w.snat {
		return conn.Route{NAT: conn.NATNone}
	}
	sent := w.end.Tuple
	r := conn.Route{Client: sent.Source, Server: w.packet.Destination, Asked: sent.Destination, Port: w.entered.Port()}
	if !w.client {
		r.Client, r.Server, r.Asked = w.packet.Destination, sent.Source, w.packet.Source
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
