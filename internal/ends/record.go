package ends

import (
	"net/netip"
	"unique"

	"github.com/netconn/netconn/internal/conn"
)

// state is how far the route of a record is found.
type state uint8

const (
	free state = iota // no record
	queued
	asked
	retrying
	settled
)

// record is what is kept of an end. There may be hundreds of thousands, so it is packed: addresses without the pointers
// that netip has, and an owner, which many share, kept once.
type record struct {
	owner       unique.Handle[conn.Owner]
	route       *conn.Route // nil: not known yet
	other       *record     // the other end; nil: not reported, or elsewhere
	cookie      uint64      // of the socket
	netnsCookie uint64
	sequence    conn.Sequence
	generation  uint32
	netnsInode  uint32
	process     uint32
	deadline    uint32 // in ticks since the index began
	packetTuple
	protocol    conn.Protocol
	role        conn.Role
	portsRole   conn.Role
	phase       conn.Phase
	error       conn.Error
	state       state
	seenOpening bool
	transparent bool
	connectHook bool
	done        bool // the caller will not ask about it any more
	detached    bool // only references lead to it
}

// packetTuple is a conn.Tuple without pointers. An IPv4 address is mapped.
type packetTuple struct {
	source, destination         [16]byte
	sourcePort, destinationPort uint16
}

func packTuple(t conn.Tuple) packetTuple {
	return packetTuple{t.Source.Addr().As16(), t.Destination.Addr().As16(), t.Source.Port(), t.Destination.Port()}
}

func (t *packetTuple) tuple() conn.Tuple {
	return conn.Tuple{
		Source:      netip.AddrPortFrom(netip.AddrFrom16(t.source).Unmap(), t.sourcePort),
		Destination: netip.AddrPortFrom(netip.AddrFrom16(t.destination).Unmap(), t.destinationPort),
	}
}

// packet is what connection tracking of a namespace knows a connection by.
type packet struct {
	netnsInode uint32
	tuple      packetTuple
}

func (r *record) packet() packet { return packet{r.netnsInode, r.packetTuple} }

func (r *record) id() conn.ID { return conn.ID{Cookie: r.cookie, Generation: r.generation} }

// opposite returns the record of the other end; of a socket that connected to itself, the record.
func (r *record) opposite() *record {
	if r.other == nil {
		return r
	}
	return r.other
}

// cut reports whether the other end may have closed a moment later, so that it is not reported yet.
func (r *record) cut() bool { return r.state == queued && r.phase == conn.Closed && r.other == nil }

// set keeps a report. What the index knows of the connection stays.
func (r *record) set(c *conn.Conn, known *owners) {
	if r.state == free || r.owner.Value() != c.Owner {
		r.owner = known.handle(c.Owner)
	}
	r.cookie, r.generation, r.sequence, r.packetTuple = c.ID.Cookie, c.ID.Generation, c.Sequence, packTuple(c.Tuple)
	r.netnsInode, r.netnsCookie, r.process = c.Namespace.Inode, c.Namespace.Cookie, c.Process.PID
	r.protocol, r.role, r.phase, r.error = c.Protocol, c.Role, c.Phase, c.Error
	r.portsRole = c.PortsRole
	r.seenOpening, r.transparent, r.connectHook = c.SeenOpening, c.Transparent, c.ConnectHook
}

// end returns what was reported.
func (r *record) end() conn.End {
	e := r.socket()
	e.Owner = r.owner.Value()
	return e
}

// socket returns what was reported, without the owner.
func (r *record) socket() conn.End {
	return conn.End{Process: r.process, Socket: conn.Socket{
		ID: r.id(), Namespace: conn.Namespace{Inode: r.netnsInode, Cookie: r.netnsCookie}, Tuple: r.tuple(),
		Sequence: r.sequence, Protocol: r.protocol, Role: r.role, PortsRole: r.portsRole, Phase: r.phase,
		Error: r.error, SeenOpening: r.seenOpening, Transparent: r.transparent, ConnectHook: r.connectHook,
	}}
}

// owners remembers the handles of owners that were seen lately. To make one takes longer than to compare an owner.
type owners [64]struct {
	owner  conn.Owner
	handle unique.Handle[conn.Owner]
	known  bool
}

func (o *owners) handle(owner conn.Owner) unique.Handle[conn.Owner] {
	slot := &o[slotOf(&owner)%uint(len(o))]
	if !slot.known || slot.owner != owner {
		slot.owner, slot.handle, slot.known = owner, unique.Make(owner), true
	}
	return slot.handle
}

// slotOf looks at little of an owner, and at what differs between most.
func slotOf(o *conn.Owner) (n uint) {
	for _, s := range [...]string{o.ContainerID, o.Unit, o.Executable} {
		if len(s) > 0 {
			n = n*31 + uint(len(s)) + uint(s[0])*17 + uint(s[len(s)-1])
		}
	}
	return n
}
