//go:build !linux

package kernel

import (
	"errors"

	"github.com/netconn/netconn/internal/conn"
)

// Sockets cannot be had here: see Open.
type Sockets struct{}

// Open says that this is not Linux.
func Open(Options) (*Sockets, error) {
	return nil, errors.New("netconn reads connections from the Linux kernel, and this is another one: run the collector on Linux")
}

func (*Sockets) Drain(Handler) error          { return nil }
func (*Sockets) Snapshot(bool, Handler) error { return nil }
func (*Sockets) Losses() (conn.Losses, error) { return conn.Losses{}, nil }
func (*Sockets) Stats() (Stats, error)        { return Stats{}, nil }
func (*Sockets) Close() error                 { return nil }
