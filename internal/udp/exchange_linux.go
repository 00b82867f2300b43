package udp

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

const (
	hooked = uint8(datagramsDatagramFlagsDATAGRAMS_HOOKED)
	bound  = uint8(datagramsDatagramFlagsDATAGRAMS_BOUND)
	older  = uint8(datagramsDatagramFlagsDATAGRAMS_OLDER)
)

// socket is what is known of a socket with exchanges.
type socket struct {
	netns   conn.Namespace
	process conn.Process
	bound   bool
	hooked  bool
	late    bool // it is older than the programs of its cgroup, so its first datagrams may be missing
	closed  bool
	missed  uint8 // full passes in a row that it was absent from
}

// exchangeID names what a socket exchanged with a peer. The same peer may be in the socket's state and in the table,
// if two processors began at the same moment.
type exchangeID struct {
	cookie uint64
	remote netip.AddrPort
	first  bool // it is in the socket's state
}

// exchange is one connection, between its reports.
type exchange struct {
	generation uint32
	base       conn.Counts // of the connections before, on the same socket with the same peer
	total      conn.Counts
	opened     time.Time
	changed    time.Time // when a reading last showed something new
	idle       bool      // it was reported as closed
	last       conn.Conn // as it was reported last
}

// next returns the counts of the connection, and whether there is anything to report of it.
func (e *exchange) next(total conn.Counts, now time.Time) (grown bool) {
	if grown = total != e.total; grown {
		e.total, e.changed = total, now
	}
	return grown
}

func counts(c *datagramsDatagramCounts) conn.Counts {
	return conn.Counts{
		conn.Sent: c.Sent, conn.Received: c.Received,
		conn.SegmentsSent: uint64(c.DatagramsSent), conn.SegmentsReceived: uint64(c.DatagramsReceived),
		conn.DatagramDrops: uint64(c.Drops), conn.DatagramErrors: uint64(c.Errors),
	}
}

// role returns the role of a socket towards a peer. Who spoke first is the client. If the first datagrams may be
// missing, a socket without a port of its own choice is a client's, as nobody else knows its port, and the role of
// a bound one that was seen to send first is not known.
func role(answered, bound, late bool) conn.Role {
	switch {
	case !late && answered, late && bound && answered:
		return conn.RoleServer
	case late && bound:
		return conn.RoleUnknown
	}
	return conn.RoleClient
}

// reason names the errno of an ICMP message.
func reason(errno uint16) conn.Error {
	switch unix.Errno(errno) {
	case 0:
		return conn.NoError
	case unix.ECONNREFUSED:
		return conn.Refused
	case unix.EHOSTUNREACH:
		return conn.HostUnreachable
	case unix.ENETUNREACH:
		return conn.NetworkUnreachable
	}
	return conn.Other
}

func endpoint(address [16]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(address).Unmap(), port)
}

// datagrams returns what packets showed of the way.
func datagrams(x *datagramsDatagramExchange) *conn.Datagrams {
	d := &conn.Datagrams{SentHash: x.SentHash, ReceivedHash: x.ReceivedHash}
	if x.ActualPort != 0 {
		d.Actual = endpoint(x.Actual, x.ActualPort)
	}
	return d
}
