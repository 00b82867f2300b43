// Package drops reads from the kernel how many packets it drops, and why, in all network namespaces.
//
// In: nothing but the kernel. Out: the packets of IP that were dropped since the last reading, by the kernel's reason,
// the protocol and the cgroup of their socket, passed to a function of the caller. A packet has a socket if a socket of
// this machine has sent it and it is still on its way out, or if the kernel has found the socket that it is for. The
// kernel adds up, so a flood costs no more memory than a packet.
//
// A Reader is not safe for concurrent use. Several of them are independent of each other.
package drops

import (
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// Drops are packets that were dropped since the last reading.
type Drops struct {
	Cgroup    uint64 // id of the cgroup of version 2, of their socket; 0: they have none
	Namespace uint32 // inode of the network namespace of their socket, or of the device; 0: not known
	Protocol  conn.Protocol
	Reason    conn.DropReason
	Packets   uint64 // segments of a large packet each; a datagram of fragments is one or more
}

// Handler takes drops.
type Handler func(Drops)

// Stats are counts since Open.
type Stats struct {
	// Excluded are packets that were dropped for a reason that is no loss, by the index of names.ExcludedDrop.
	Excluded [names.ExcludedDrops]uint64
	Missed   uint64 // drops within the program itself, which the kernel did not let it see
	Receiver bool   // the kernel says which socket a packet was for (Linux 6.11)
}
