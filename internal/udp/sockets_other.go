//go:build !linux

package udp

import (
	"time"

	"github.com/cilium/ebpf"
)

// Sockets exist on Linux only: Open never returns any here.
type Sockets struct{}

// Open returns an error.
func Open(Options) (*Sockets, error) { return nil, ebpf.ErrNotSupported }

func (*Sockets) Rings() []int                            { return nil }
func (*Sockets) Drain(time.Time, Handler) error          { return nil }
func (*Sockets) Snapshot(bool, time.Time, Handler) error { return nil }
func (*Sockets) Stats() (Stats, error)                   { return Stats{}, nil }
func (*Sockets) Close() error                            { return nil }
