// Package conntrack looks up packets in the kernel's connection tracking, in any network namespace of the machine.
//
// In: lookups, each a namespace and the tuple of a packet as it enters connection tracking there. Out: an answer for
// each, the tuple of the same packet as it leaves. Nothing is copied from the kernel's tables, so nothing can become
// outdated here. A lookup neither makes, changes nor refreshes an entry, and no program is attached to anything.
//
// Two sources give the same answers. The kernel's lookup function runs in a BPF program that is started by hand, for
// thousands of lookups at a time (Linux 5.18; zones need 6.11). Without it ctnetlink is asked, entry by entry.
//
// A namespace is named by its inode. It is found through the process that the lookup names, or by a search of all
// processes and mounts, which takes no more than a fiftieth of the time. From then on it is known by an id (nsid) that
// does not keep it alive: the kernel reports when a namespace is deleted, and it is forgotten. Its interfaces are read
// once, and again after the kernel reports a change. Nothing is polled.
//
// A Tables is not safe for concurrent use.
package conntrack

import (
	"errors"

	"github.com/netconn/netconn/internal/conn"
)

// ErrTooEarly says that something is not known yet, and may be a moment later: it is too early for another search for a
// network namespace, or the kernel's answer was not read in time.
var ErrTooEarly = errors.New("not known yet")

// Protocol numbers of IP that have ports.
const (
	TCP = 6
	UDP = 17
)

// Lookup asks for the entry of a packet.
type Lookup struct {
	Namespace uint32     // inode of the network namespace
	Cookie    uint64     // of that namespace (SO_NETNS_COOKIE): another one may have its inode now; 0: not known
	Process   uint32     // that may be in the namespace; 0: not known. A hint that does no harm if it is wrong
	Protocol  uint8      // TCP, UDP; 0: TCP
	Open      bool       // the connection is still open: if there is no entry, look for zones that are not known yet
	Tuple     conn.Tuple // of the packet, before this namespace translates it
}

// Result is the outcome of a lookup.
type Result uint8

const (
	Found       Result = iota
	NoEntry            // no packet like this is known
	Ambiguous          // zones of one namespace translate it differently, or not all of them are known
	NoNamespace        // it was deleted, or may not be entered
	TooEarly           // to search for the namespace again, or for a zone in it: look up a moment later
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
	Tuple  conn.Tuple // of the packet when it leaves the namespace; the same as in the lookup: it is not translated
	Reply  bool       // the packet belongs to the reply direction
	State  State      // of a TCP connection
	// Translates is of NoEntry. False: the namespace tracks nothing and has no rule that translates.
	Translates bool
}

// State is the state of a TCP connection in connection tracking: enum tcp_conntrack of the kernel's
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
	SynSent2    State = 9 // both sides have sent a SYN
)

// Opening reports whether the connection is not established yet.
func (s State) Opening() bool { return s == SynSent || s == SynReceived || s == SynSent2 }

// Closing reports whether at least one side has closed.
func (s State) Closing() bool { return s >= FinWait && s <= Close }

// Source is where answers come from.
type Source uint8

const (
	SourceNone    Source = iota // the kernel has no connection tracking (yet)
	SourceBPF                   // the kernel's lookup function, in a BPF program
	SourceNetlink               // ctnetlink
)

// String returns the value of the attribute netconn.source.
func (s Source) String() string { return [...]string{"none", "lookup", "netlink"}[s] }

// Stats are counts since Open, and what there is now.
type Stats struct {
	Answers    [Results]uint64 // by result
	Searches   uint64          // of all processes and mounts for a namespace
	Dumps      uint64          // of a namespace's table, for its zones
	Namespaces int             // known now
	Source     Source          // in use now
}
