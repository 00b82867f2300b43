//go:build !linux

package drops

import "github.com/cilium/ebpf"

// Reader exists on Linux only: Open never returns any here.
type Reader struct{}

// Open returns an error.
func Open() (*Reader, error) { return nil, ebpf.ErrNotSupported }

func (*Reader) Read(Handler) error    { return nil }
func (*Reader) Stats() (Stats, error) { return Stats{}, nil }
func (*Reader) Close() error          { return nil }
