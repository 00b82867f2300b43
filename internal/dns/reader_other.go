//go:build !linux

package dns

import (
	"time"

	"github.com/cilium/ebpf"
)

// Reader exists on Linux only: Open never returns any here.
type Reader struct{}

// Open returns an error.
func Open(Options) (*Reader, error) { return nil, ebpf.ErrNotSupported }

func (*Reader) Rings() []int                   { return nil }
func (*Reader) Drain(time.Time, Handler) error { return nil }
func (*Reader) Stats() (Stats, error)          { return Stats{}, nil }
func (*Reader) Close() error                   { return nil }
