// Package kernel reads TCP connections from the kernel: every socket of the machine, in every network namespace, with what the kernel
// itself counted on it. No program of it runs for a packet, a send or a receive.
//
// In: nothing but the kernel (Linux 5.12 or newer, with type information). Out: reports in the vocabulary of package conn, handed to the
// functions of a Handler on the caller's goroutine, in the order in which the kernel wrote them within each of two streams: ends of
// connections (Drain), and the connections that are alive (Snapshot). Between the two there is no order while a Snapshot runs: a connection
// that ends meanwhile may be reported alive after its end was, and the reader has to drop that. After it, nothing is reported of it.
//
// Nothing is lost silently: what the kernel could not report is in Losses and Stats.
//
// A Sockets is not safe for concurrent use. Two of them, in one process or in several, do not disturb each other.
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

// Options are the sizes of the two rings in bytes. Zero is the size in bpf/tracked.h. Other values are rounded up to a
// power of two, and to a page at least.
type Options struct {
	RingBytes         int // of ended connections, each a struct connection_record of bpf/records.h
	SnapshotRingBytes int // a snapshot empties it whenever it is full, which makes the pass longer
}

// Handler receives reports. A function that is nil is not called. None may keep the Sockets busy: while it runs, the ring fills.
type Handler struct {
	Conn     func(conn.Conn)
	Listener func(conn.Listener)
	Cgroup   func(id uint64, path string) // a cgroup was made; path is relative to the root of its hierarchy, cut at 511 bytes
}

// Program tells whether one BPF program is attached.
type Program struct {
	Name string
	Err  error // why it is not, nil: it is
}

// Stats are cumulative counts since Open.
type Stats struct {
	Tracked        uint64 // sockets that got state, ended ones included
	Adopted        uint64 // of these, sockets older than netconn
	Unowned        uint64 // connections of which the opening process is not known
	StorageRefused uint64 // sockets that are not reported, as the kernel had no memory for their state
	RingRefused    uint64 // ends, listeners and cgroups that found the ring full
	EndedUntracked uint64 // connections older than netconn that ended before they were adopted
	SnapshotAgain  uint64 // times that a snapshot filled its ring and went on after it was emptied
	Missed         uint64 // changes of state during which the kernel did not run a program that it had interrupted
	Programs       []Program
}
