//go:build !linux

package kernel

import (
	"context"
	"runtime"

	"github.com/netconn/netconn/internal/conn"
)

// Sockets exists on Linux only: Open never returns any here.
type Sockets struct{}

// Open returns an error that wraps ErrNotSupported.
func Open(Options) (*Sockets, error) { return nil, errSystem(runtime.GOOS) }

func (*Sockets) Adopt(context.Context) error  { return nil }
func (*Sockets) Limit(int) error              { return nil }
func (*Sockets) Rings() []int                 { return nil }
func (*Sockets) Drain(Handler) error          { return nil }
func (*Sockets) Snapshot(bool, Handler) error { return nil }
func (*Sockets) Complete() bool               { return true }
func (*Sockets) Losses() (conn.Losses, error) { return conn.Losses{}, nil }
func (*Sockets) Stats() (Stats, error)        { return Stats{}, nil }
func (*Sockets) Close() error                 { return nil }
