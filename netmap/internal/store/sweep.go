package store

import (
	"hash/maphash"
	"maps"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// sweep removes what has expired.
func (s *Store) sweep(now int64) {
	if now < s.swept+sweepEvery {
		return
	}
	s.swept = now
	expired := func(seen int64) bool { return seen < now-retention }
	for key, t := range s.streams {
		if t.seen < now-activeHold {
			s.closeAll(t)
		}
		if expired(t.seen) {
			s.forget(key, t)
		}
	}
	for slot := reserved; int(slot) < len(s.reports); slot++ {
		if r := &s.reports[slot]; r.Local != nil && expired(r.Seen) {
			s.expire(slot)
		}
	}
	maps.DeleteFunc(s.resources, func(_ uint64, r *resource) bool { return expired(r.seen) })
	maps.DeleteFunc(s.hosts, func(_ string, h *host) bool { return expired(h.seen) })
	if used := s.usedEnds(); 2*len(used) < len(s.ends) {
		s.keepEnds(used)
	}
}

// expire releases a report whose figures are all older than what is held.
func (s *Store) expire(slot uint32) {
	s.moveFigures(map[uint32]uint32{slot: discarded})
	s.release(slot)
	s.counts.expired++
}

// sweepEnds removes the ends that no report has, and the texts that only they have.
func (s *Store) sweepEnds() { s.keepEnds(s.usedEnds()) }

// usedEnds returns the ends that a report has.
func (s *Store) usedEnds() map[*edge.End]bool {
	used := make(map[*edge.End]bool, len(s.ends))
	for i := range s.reports {
		if r := &s.reports[i]; r.Local != nil {
			used[r.Local], used[r.Peer] = true, true
		}
	}
	return used
}

func (s *Store) keepEnds(used map[*edge.End]bool) {
	s.peers = nil      // it holds ends that go
	clear(s.snapshots) // they do, too
	held := s.ends
	s.ends = make(map[uint64]*edge.End, len(used))
	for _, e := range held {
		if used[e] {
			s.keepEnd(e)
		}
	}
	s.recount()
}

// keepEnd stores an end that is interned already.
func (s *Store) keepEnd(e *edge.End) {
	h := maphash.Comparable(s.seed, *e)
	for s.ends[h] != nil {
		h++
	}
	s.ends[h] = e
}
