package pipeline

import (
	"errors"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

// maxAhead bounds the reports that are read ahead. Beyond it the kernel's rings have to hold the rest.
const maxAhead = 1 << 17

// ahead holds reports that were read while questions were asked, until the next reading hands them over. An answer that
// came meanwhile is older than that reading, as if they had stayed in the ring.
type ahead struct {
	cgroups   []conn.Cgroup
	conns     []conn.Conn
	listeners []conn.Listener
	err       error
}

// beside runs work that may take long, such as reading a table of connection tracking, and meanwhile reads the rings as
// often as at other times. The work uses no sockets.
func (p *Pipeline) beside(work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	ticker := time.NewTicker(DrainInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			p.ahead.read(p.sockets)
		}
	}
}

func (a *ahead) len() int { return len(a.conns) + len(a.listeners) + len(a.cgroups) }

func (a *ahead) read(s Sockets) {
	if a.len() >= maxAhead {
		return
	}
	a.err = errors.Join(a.err, s.Drain(kernel.Handler{
		Cgroup:   func(c conn.Cgroup) { a.cgroups = append(a.cgroups, c) },
		Conn:     func(c conn.Conn) { a.conns = append(a.conns, c) },
		Listener: func(l conn.Listener) { a.listeners = append(a.listeners, l) },
	}))
}

// handOver comes before a reading. A cgroup comes before the processes in it.
func (a *ahead) handOver(h kernel.Handler) error {
	for _, c := range a.cgroups {
		h.Cgroup(c)
	}
	for _, c := range a.conns {
		h.Conn(c)
	}
	for _, l := range a.listeners {
		h.Listener(l)
	}
	err := a.err
	*a = ahead{cgroups: emptied(a.cgroups), conns: emptied(a.conns), listeners: emptied(a.listeners)}
	return err
}

// emptied returns the memory of a slice to be used again, unless it is large.
func emptied[T any](s []T) []T {
	if cap(s) > maxAhead/32 {
		return nil
	}
	clear(s)
	return s[:0]
}
