package netconnreceiver

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/owner"
)

// A machine is how the receiver reaches what it reads. It is the only seam: tests have one of their own.
type machine struct {
	open func() (sockets, error)
	host func(root string) (id, name string, err error)
	now  func() time.Time
}

// sockets are the methods of kernel.Sockets; all but close are called by one goroutine at a time.
type sockets struct {
	drain    func(kernel.Handler) error
	snapshot func(all bool, h kernel.Handler) error
	losses   func() (conn.Losses, error)
	stats    func() (kernel.Stats, error)
	close    func() error
}

// thisMachine is the one that the collector runs on.
func thisMachine() machine { return machine{open: openSockets, host: owner.Host, now: time.Now} }

func openSockets() (sockets, error) {
	s, err := kernel.Open(kernel.Options{})
	if err != nil {
		return sockets{}, err
	}
	return sockets{drain: s.Drain, snapshot: s.Snapshot, losses: s.Losses, stats: s.Stats, close: s.Close}, nil
}
