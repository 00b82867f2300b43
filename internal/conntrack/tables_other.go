//go:build !linux

package conntrack

import (
	"errors"
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Tables cannot be opened here: see Open.
type Tables struct{}

// Open fails, because this is not Linux.
func Open(string, time.Time) (*Tables, error) {
	return nil, errors.New("netconn asks the Linux kernel's connection tracking, and this is another one: " +
		"run the collector on Linux")
}

func (*Tables) LookUp(time.Time, []Lookup) []Answer                       { return nil }
func (*Tables) Local(time.Time, uint32, netip.Addr) (bool, error)         { return false, nil }
func (*Tables) Outer(time.Time, uint32, conn.Tuple) (uint32, bool, error) { return 0, false, nil }
func (*Tables) Warnings() []string                                        { return nil }
func (*Tables) Stats() Stats                                              { return Stats{} }
func (*Tables) Close() error                                              { return nil }
