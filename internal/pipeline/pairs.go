package pipeline

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
)

// A connection that began and ended between two readings is reported once from each end, and mostly both reports are in
// one reading. If its sockets show the route and nothing better will be known of either end, both are counted at once,
// and no table keeps them. Every other report is kept as before, after those that came earlier.

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
	paired bool
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
	port := netip.AddrPortFrom(netip.Addr{}, 1)
	return &pairs{bySocket: mask(flow.Key{Local: port, Remote: port}) != mask(flow.Key{})}
}

// slot returns where the other end of a connection looks for it: the two ends have the same numbers in another order.
func (p *pairs) slot(s conn.Sequence) *int32 { return &p.index[(s.Local^s.Remote)%maxHeld] }

// other returns the report of the other end; nil: there is none.
func (p *pairs) other(s conn.Sequence) *held {
	at := *p.slot(s)
	if at == 0 {
		return nil
	}
	if o := &p.held[at-1]; !o.paired && o.Sequence == s.Reverse() {
		return o
	}
	return nil
}

// hold keeps a report until the end of the reading. If it is brief, its other end finds it.
func (p *pairs) hold(c *conn.Conn, brief bool) {
	p.held = append(p.held, held{Conn: *c})
	if brief {
		*p.slot(c.Sequence) = int32(len(p.held))
	}
}

// take takes a report of a reading of what has ended.
func (p *Pipeline) take(c *conn.Conn, now time.Time) {
	brief := p.brief(c)
	if brief {
		if o := p.pairs.other(c.Sequence); o != nil && p.countPair(&o.Conn, c, now) {
			o.paired = true
			return
		}
	}
	if len(p.pairs.held) == maxHeld || c.Phase == conn.Open {
		p.keepHeld(now)
	}
	if c.Phase == conn.Open {
		p.keep(c, now)
		return
	}
	p.pairs.hold(c, brief)
}

// brief reports whether a report is the first and the last of an established connection, and makes no event.
func (p *Pipeline) brief(c *conn.Conn) bool {
	return c.Phase == conn.Closed && c.Role != conn.RoleUnknown && c.Sequence != c.Sequence.Reverse() &&
		!p.events.wants(c.Phase) && !p.ends.Has(c.Sequence) && p.flows.Fresh(c)
}

// keepHeld ends the reading: what was not paired is kept, in the order of the reports.
func (p *Pipeline) keepHeld(now time.Time) {
	held := p.pairs.held
	if len(held) == 0 {
		return
	}
	p.pairs.held = held[:0]
	clear(p.pairs.index[:])
	for i := range held {
		if r := &held[i]; !r.paired {
			p.keep(&r.Conn, now)
		}
	}
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
	p.flows.Count(&k.keys[0], client)
	p.flows.Count(&k.keys[1], server)
	return true
}

// classOf returns the class of a pair, as the sources know it at this reading.
func (p *Pipeline) classOf(client, server *conn.Conn, now time.Time) *class {
	c := class{client: client.End(), server: server.End(), mirrored: client.Tuple == server.Tuple.Reverse()}
	for _, e := range []*conn.End{&c.client, &c.server} {
		e.Process, e.ID, e.Sequence, e.Error = 0, conn.ID{}, conn.Sequence{}, 0
	}
	if !p.pairs.bySocket {
		c.client.Tuple.Source = withoutPort(c.client.Tuple.Source)
		c.server.Tuple.Destination = withoutPort(c.server.Tuple.Destination)
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
	views, shown := p.ends.Shown(client, server)
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
