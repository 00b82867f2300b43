// Package conntrack asks the kernel's connection tracking what became of a packet, in any network namespace of the machine.
//
// In: questions, each a namespace and the tuple of a packet as it enters connection tracking there. Out: for each an answer, the tuple of
// the same packet as it leaves. Nothing is copied of the kernel's table, so nothing of it can go stale here; nothing is attached, and
// asking neither makes, changes nor refreshes an entry.
//
// Two sources give the same answers. The kernel's lookup function runs in a BPF program that is started by hand, thousands of questions at
// a time (Linux 5.18, zones with 6.11). Without it netlink is asked, entry by entry.
//
// A namespace is named by its inode. It is found through the process that the question names, else by a search of all processes and
// mounts, which takes no more than a fiftieth of the time, and then known by an id that keeps nothing alive: a namespace that ends is let
// go, and the kernel tells when. What is known of its interfaces is read once, and again after the kernel said that they changed: nothing
// is polled.
//
// A Tables is not safe for concurrent use.
package conntrack

import (
	"errors"

	"github.com/netconn/netconn/internal/conn"
)

// ErrEarly tells that a namespace is not known, and that it is too early to search for it again.
var ErrEarly = errors.New("it is too early to search for a network namespace again")

// Protocol numbers of IP that have ports. The zero value of a Question's protocol is TCP.
const (
	TCP = 6
	UDP = 17
)

// Question asks for the entry of a packet.
type Question struct {
	Namespace uint32     // inode of the network namespace
	Cookie    uint64     // of the namespace (SO_NETNS_COOKIE): another one that has the inode by now is not asked; 0: not known
	Process   uint32     // one that may be in it, 0: not known; a hint, and no harm if it is wrong
	Protocol  uint8      // TCP, UDP; 0: TCP
	Open      bool       // the connection is open, so that an entry it has is there still: none in a zone yet unknown is looked for
	Tuple     conn.Tuple // of the packet, before this namespace translates it
}

// Result tells whether there is an answer.
type Result uint8

const (
	Found       Result = iota
	NoEntry            // no packet like this is known
	Ambiguous          // zones of one namespace translate it differently, or not all of them are known
	NoNamespace        // it is gone, or may not be entered
	Early              // it is too early to search for the namespace again, or for a zone in it: ask a moment later
	Failed             // for any other reason
	Results            // how many there are
)

// String returns the value of the attribute netconn.result.
func (r Result) String() string {
	return [Results]string{"found", "no_entry", "ambiguous", "no_namespace", "early", "failed"}[r]
}

// Answer is what the kernel knows of a packet.
type Answer struct {
	Result Result
	Tuple  conn.Tuple // of the packet when it leaves the namespace; that of the question: it is not translated
	Reply  bool       // the packet belongs to the answering direction
	State  State      // of a TCP connection
	Tracks bool       // of NoEntry: the namespace tracks connections, so there may have been an entry
}

// State is how far a TCP connection has come for connection tracking: enum tcp_conntrack of the kernel's
// uapi/linux/netfilter/nf_conntrack_tcp.h.
type State uint8

const (
	SynSent     State = 1
	SynReceived State = 2
	Established State = 3
	FinWait     State = 4
	CloseWait   State = 5
	LastAck     State = 6
	TimeWait    State = 7
	Close       State = 8 // by a reset
	SynSent2    State = 9 // both sides have sent one
)

// Opening tells whether the connection is not established yet.
func (s State) Opening() bool { return s == SynSent || s == SynReceived || s == SynSent2 }

// Closing tells whether one side has closed at least.
func (s State) Closing() bool { return s >= FinWait && s <= Close }

// Options choose the source. The zero value is right for all but tests.
type Options struct {
	Root   string // where the host's /proc is, such as /hostfs; empty: /
	Source Source
}

// Source is where answers come from.
type Source uint8

const (
	Best    Source = iota // Lookup where the kernel has it, else Netlink
	Lookup                // the kernel's function, in a BPF program
	Netlink               // ctnetlink
)

// String returns the value of the attribute netconn.source.
func (s Source) String() string { return [...]string{"none", "lookup", "netlink"}[s] }

// Stats are cumulative counts since Open, and what there is now.
type Stats struct {
	Answers    [Results]uint64 // by result
	Searches   uint64          // of all processes and mounts for a namespace
	Dumps      uint64          // of a namespace's table, for its zones
	Namespaces int             // known now
	Source     Source          // in use: Lookup or Netlink; Best: the kernel has no connection tracking (yet)
}
