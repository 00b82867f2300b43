package pipeline

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
)

// A connection that began and ended between two readings is reported once from each end, and mostly both reports are in
// one reading. If its sockets show the route and nothing better will be known of either end, both are counted at once.
// Other brief ends wait, those of one reading together. Every other report is kept in the tables. All of this is done
// in the order of the reports.

// maxHeld is how many reports are held until the end of a reading, so that the other end may come.
const maxHeld = 4096

// pairs holds the reports of ended connections of one reading.
type pairs struct {
	held     []held
	index    [maxHeld]int32 // place in held, plus 1, by the sequence numbers
	classes  [64]class      // of pairs that were seen lately
	bySocket bool           // the addresses and ports of sockets tell flows apart
}

type held struct {
	conn.Conn
	brief   bool
	done    bool  // the flows need nothing of it at the end of the reading
	counted bool  // together with its other end
	other   int32 // place in held, plus 1, of the other end; 0: there is none
}

// class is what the identities of many pairs depend on: both ends, without the client's port and what else is of one
// connection only.
type class struct {
	client, server conn.End
	mirrored       bool // the ends have each other's addresses and ports

	read    time.Time // the reading that the rest is of
	settled bool      // no better identity will come
	nat     conn.NAT
	keys    [2]flow.Key // of the client's and the server's flow
}

func newPairs(mask func(flow.Key) flow.Key) *pairs {
	return &pairs{bySocket: bySocket(mask)}
}

// bySocket reports whether the addresses and ports of sockets tell flows apart.
func bySocket(mask func(flow.Key) flow.Key) bool {
	port := netip.AddrPortFrom(netip.Addr{}, 1)
	return mask(flow.Key{Local: port, Remote: port}) != mask(flow.Key{})
}

// slot returns where the other end of a connection looks for it: the two ends have the same numbers in another order.
func (p *pairs) slot(s conn.Sequence) *int32 { return &p.index[(s.Local^s.Remote)%maxHeld] }

// first returns the report of the other end, if that came before; nil: it did not.
func (p *pairs) first(s conn.Sequence) *held {
	at := *p.slot(s)
	if at == 0 {
		return nil
	}
	if o := &p.held[at-1]; !o.done && o.other == 0 && o.Sequence == s.Reverse() {
		return o
	}
	return nil
}

// hold keeps a report until the end of the reading. first is the other end's; nil: there is none.
func (p *pairs) hold(c *conn.Conn, brief bool, first *held) {
	h := held{Conn: *c, brief: brief}
	slot, place := p.slot(c.Sequence), int32(len(p.held))+1
	if first != nil {
		h.done, h.counted, h.other, first.other = true, first.counted, *slot, place
	} else if brief && c.Phase == conn.Closed {
		*slot = place
	}
	p.held = append(p.held, h)
}

// take takes a report of a reading of what has ended.
func (p *Pipeline) take(c *conn.Conn, now time.Time) {
	if len(p.pairs.held) == maxHeld || c.Phase == conn.Open {
		p.keepHeld(now)
	}
	if c.Phase == conn.Open {
		p.keep(c, now)
		p.events.add(*c, now)
		return
	}
	var first *held
	brief := p.isBrief(c)
	if brief && c.Phase == conn.Closed {
		first = p.pairs.first(c.Sequence)
	}
	if first != nil && p.countPair(&first.Conn, c, now) {
		first.done, first.counted = true, true
		if !p.events.wants(conn.Closed) {
			return
		}
	}
	p.pairs.hold(c, brief, first)
}

// keepHeld ends the reading: what was not counted waits or is kept, in the order of the reports.
func (p *Pipeline) keepHeld(now time.Time) {
	held := p.pairs.held
	if len(held) == 0 {
		return
	}
	p.pairs.held = held[:0]
	clear(p.pairs.index[:])
	for i := range held {
		switch r := &held[i]; {
		case r.done:
		case r.other > 0:
			p.awaitPair(&r.Conn, &held[r.other-1].Conn, now)
		case r.brief && !p.flows.Beyond(&r.Conn):
			p.await(&r.Conn, p.ends.Add(&r.Conn, now), now)
		default:
			p.keep(&r.Conn, now)
		}
		if e := p.events.add(held[i].Conn, now); e != nil && held[i].counted {
			other := held[held[i].other-1].End()
			e.other = &other
		}
	}
}

// keep has the tables of connections take a report.
func (p *Pipeline) keep(c *conn.Conn, now time.Time) {
	p.programs.note(c.Owner, c.Process.PID)
	p.ends.Add(c, now)
	p.flows.Apply(*c, now)
}

// countPair counts both ends of a connection, and reports whether their identities are final.
func (p *Pipeline) countPair(a, b *conn.Conn, now time.Time) bool {
	client, server := a, b
	if a.Role == conn.RoleServer {
		client, server = b, a
	}
	if client.Role == server.Role {
		return false
	}
	k := p.classOf(client, server, now)
	if !k.settled {
		return false
	}
	p.programs.note(client.Owner, client.Process.PID)
	p.programs.note(server.Owner, server.Process.PID)
	p.ends.Pass(client, server, k.nat)
	since := p.flows.Collected()
	p.flows.Count(&k.keys[0], client, since)
	p.flows.Count(&k.keys[1], server, since)
	return true
}

// classOf returns the class of a pair, as the sources know it at this reading.
func (p *Pipeline) classOf(client, server *conn.Conn, now time.Time) *class {
	c := class{
		client:   common(client.End(), conn.RoleClient, p.pairs.bySocket),
		server:   common(server.End(), conn.RoleServer, p.pairs.bySocket),
		mirrored: client.Tuple == server.Tuple.Reverse(),
	}
	k := &p.pairs.classes[classSlot(&c)%uint(len(p.pairs.classes))]
	if k.read.Equal(now) && k.client == c.client && k.server == c.server && k.mirrored == c.mirrored {
		return k
	}
	*k = c
	k.read = now
	p.identifyPair(k, client, server, now)
	return k
}

func (p *Pipeline) identifyPair(k *class, client, server *conn.Conn, now time.Time) {
	views, shown := p.ends.Shown(client.End(), server.End())
	if !shown {
		return
	}
	k.nat, k.settled = views[0].Route.NAT, true
	for i, c := range []*conn.Conn{client, server} {
		known := p.resolveView(*c, views[i], now)
		k.keys[i] = p.key(c, &known)
		k.settled = k.settled && known.settled
	}
}

func withoutPort(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), 0) }

// classSlot hashes what differs between most classes.
func classSlot(c *class) (n uint) {
	n = uint(c.client.Tuple.Destination.Port()) + uint(c.client.Namespace.Inode)*7 + uint(c.server.Namespace.Inode)*31
	for _, s := range [...]string{c.client.Owner.Executable, c.server.Owner.Executable} {
		if len(s) > 0 {
			n = n*31 + uint(s[0])*17 + uint(s[len(s)-1])
		}
	}
	return n
}
