package pipeline

import (
	"errors"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

// faultLasts is how long a fault lasts after the last thing that went wrong.
const faultLasts = time.Minute

// growth remembers when a count grew.
type growth struct {
	counted uint64
	last    time.Time // zero: never
}

func (g *growth) note(count uint64, now time.Time) {
	if count > g.counted {
		g.counted, g.last = count, now
	}
}

func (g *growth) recent(now time.Time) bool {
	return !g.last.IsZero() && now.Sub(g.last) < faultLasts
}

// A loss is a kind of records that the kernel could not write.
type loss uint8

const (
	lostEnds loss = iota
	lostAttempts
	lostSockets
	lossKinds
)

var losses = [lossKinds]struct {
	about string
	count func(*kernel.Stats) uint64
	err   error
}{
	lostEnds: {
		about: "ring of ended connections", count: func(s *kernel.Stats) uint64 { return s.RingRefused },
		err: errors.New("read all ended connections: more end than their ring holds between two readings, and the " +
			"rest is counted in the host's series with otel.metric.overflow=true"),
	},
	lostAttempts: {
		about: "ring of failed attempts", count: func(s *kernel.Stats) uint64 { return s.FailedRefused },
		err: errors.New("name all failed attempts: more fail than their ring holds between two readings, and the " +
			"rest is counted in the host's series with otel.metric.overflow=true, as error.type lost"),
	},
	lostSockets: {
		about: "socket storage", count: func(s *kernel.Stats) uint64 { return s.StorageRefused },
		err: errors.New("follow all sockets: the kernel has no memory for the state of some, which are not reported"),
	},
}

// refusals remember when the kernel last lost records of each kind.
type refusals struct {
	kinds [lossKinds]growth
	now   time.Time
}

// note takes the counts of a collection.
func (r *refusals) note(s *kernel.Stats, now time.Time) {
	r.now = now
	for kind := range losses {
		r.kinds[kind].note(losses[kind].count(s), now)
	}
}

// faults returns a fault for each kind that is being lost.
func (r *refusals) faults() (all []conn.Fault) {
	for kind := range losses {
		if r.kinds[kind].recent(r.now) {
			all = append(all, conn.Fault{About: losses[kind].about, Err: losses[kind].err, Lasts: true})
		}
	}
	return all
}
