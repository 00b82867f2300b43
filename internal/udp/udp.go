// Package udp reads UDP sockets from the Linux kernel: what each of them exchanged with each peer, to the byte and the
// datagram, in every network namespace.
//
// In: nothing but the kernel. Out: reports in the vocabulary of package conn, one connection for a socket and a peer,
// passed to a function of the caller. An exchange that was silent for a minute is reported as closed; if it continues,
// it is another connection. Counts are absolute.
//
// The programs that run for packets are attached only to cgroups with a socket that uses UDP. What such a socket sent
// and received before that is not known, and the time of the connection says so.
//
// A Sockets is not safe for concurrent use. Several of them are independent of each other.
package udp

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// idleAfter is how long an exchange without a datagram is still a live connection.
const idleAfter = time.Minute

// lostAfter is how many passes in a row miss what is forgotten then, as its end was lost.
const lostAfter = 3

// Options say what is counted.
type Options struct {
	Root string // of the host, below which its cgroups are mounted
	All  bool   // every socket, from its first datagram on, and DNS too
	// Peers is for how many peers of all sockets there is room, beyond each socket's first; 0: 65,536. Datagrams with
	// further ones are the rest of their socket, an exchange without a peer.
	Peers uint32
}

// Handler takes reports.
type Handler func(conn.Conn)

// Stats are counts since Open, but for Cgroups.
type Stats struct {
	Cgroups        int    // that the programs for packets are attached to
	NotAttached    uint64 // cgroups that they could not be attached to
	Err            error  // why, the last time
	Exchanges      int    // that are kept now
	StorageRefused uint64 // sockets without state, because the kernel had no memory for it
	RingRefused    uint64 // ends of sockets that found their ring full
	Rest           uint64 // datagrams with peers that there was no room for
	Unparsed       uint64 // packets with IPv6 extension headers, which are not counted
	NoDrops        bool   // datagrams that a full buffer drops count as received: the kernel is older than 6.10
	NoErrors       bool   // errors of sockets are not counted: the kernel is older than 5.14
	LostSent       uint64 // payload bytes of sockets with an end that was not reported
	LostReceived   uint64
}
