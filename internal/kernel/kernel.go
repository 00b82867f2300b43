// Package kernel reads TCP connections from the Linux kernel: every socket of the machine, in every network namespace,
// with the counters that the kernel itself keeps. None of its programs runs for a packet, a send or a receive.
//
// In: nothing but the kernel, Linux 5.12 or newer with type information. Out: reports in the vocabulary of package
// conn, passed to the functions of a Handler on the goroutine of the caller. There are three streams: ends of
// connections and new cgroups (Drain), failed attempts (Drain, after the ends), and live connections (Snapshot). Within
// a stream, reports come in the order in which the kernel wrote them. Between the streams there is no order while a
// Snapshot runs: a connection that ends meanwhile may be reported as live after its end, and the reader has to drop
// that report. After the Snapshot an ended connection is never reported again.
//
// What the kernel could not report is counted in Losses and Stats.
//
// A Sockets is not safe for concurrent use. Several Sockets, in one process or in many, are independent of each other.
package kernel

import (
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/netconn/netconn/internal/conn"
)

// ErrNotSupported is wrapped by the error of Open where no permission helps: on another operating system, and on a
// kernel without a feature that netconn needs. It wraps ebpf.ErrNotSupported.
var ErrNotSupported error = notSupported{}

type notSupported struct{}

func (notSupported) Error() string { return "this system is not supported" }
func (notSupported) Unwrap() error { return ebpf.ErrNotSupported }

// errSystem is the error of Open on any operating system but Linux.
func errSystem(goos string) error {
	return fmt.Errorf("%w: netconn reads connections from the Linux kernel, and this is %s: run the collector on Linux",
		ErrNotSupported, goos)
}

// Options are the sizes of the rings in bytes. Zero is the size in bpf/tracked.h. Other values are rounded up to a
// power of two, and to a page at least.
type Options struct {
	RingBytes         int // of ended connections, each a struct connection_record of bpf/records.h
	FailedRingBytes   int // of failed attempts, which are such records too
	SnapshotRingBytes int // a snapshot empties it whenever it is full, which makes the pass longer
	// AdoptLater leaves the connections that exist already to a call of Adopt.
	AdoptLater bool
	overFiles  bool // have a snapshot visit open files on a kernel that would let it visit sockets: for tests
	again      bool // attach socket_state_again on a kernel that does not preempt programs: for tests
}

// Handler receives reports. A nil function is not called. A function that takes long lets the ring fill up.
type Handler struct {
	Conn     func(conn.Conn)
	Listener func(conn.Listener)
	Cgroup   func(conn.Cgroup)
}

// Program is the state of one BPF program.
type Program struct {
	Name string
	Err  error // why it is not attached; nil: it is
}

// Stats are cumulative counts since Open.
type Stats struct {
	Tracked        uint64 // sockets that got state, ended ones included
	Adopted        uint64 // those of them that are older than netconn
	Unowned        uint64 // connections whose process was not known when they opened
	StorageRefused uint64 // sockets without state, because the kernel had no memory for it: they are not reported
	NoRoom         uint64 // sockets without state, because Limit sockets have it: they are not reported
	Full           bool   // there is no room now
	RingRefused    uint64 // ends, listeners and cgroups that found their ring full
	FailedRefused  uint64 // failed attempts that found theirs full
	EndedUntracked uint64 // connections without state that ended: they were not adopted yet, or had no room
	SnapshotAgain  uint64 // times that a snapshot filled its ring, and continued after it was emptied
	Missed         uint64 // changes of state that no program saw, because the kernel had interrupted one
	Programs       []Program
}
