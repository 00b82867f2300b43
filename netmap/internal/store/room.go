package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// place returns the slot for the report that a point is of.
func (s *Store) place(b *batch, p *point, t *stream) uint32 {
	local, peer, link := b.resource.end, edge.Peer(p.attrs), edge.ReadLink(p.attrs)
	edge.Addresses(p.attrs, link.Role, &local, &peer)
	key := reportKey{s.intern(local), s.intern(peer), link}
	if slot, ok := s.index[key]; ok {
		r := &s.reports[slot]
		r.first = min(r.first, t.first)
		return slot
	}
	r := report{
		local: key.local, peer: key.peer, link: link, keys: link.Keys(key.local, key.peer, s.seed),
		host: b.resource.host, first: t.first, seen: b.now, changed: b.now,
	}
	if len(s.index) >= s.config.MaxEdges && !s.leave(b.now) {
		return s.beyond(&r)
	}
	slot := uint32(len(s.reports))
	if n := len(s.free); n > 0 {
		slot = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		s.reports = append(s.reports, report{})
	}
	s.reports[slot] = r
	s.index[key] = slot
	s.topology++
	return slot
}

// beyond returns the slot that counts for a report that is not held.
func (s *Store) beyond(r *report) uint32 {
	m := s.matches()
	for _, k := range r.keys {
		if m.held(k.Hash) {
			return uncounted // what the other end says of the same edge is held
		}
	}
	if r.link.Role == edge.Server && r.link.Scope.Local() {
		return uncounted // the client is on the same host, and reported from there
	}
	return uint32(r.link.Role)
}

// readmit gives the stream of a report that had to leave a report again, if there is room.
func (s *Store) readmit(t *stream, b *batch) {
	if t.slot >= reserved || len(s.index) >= s.config.MaxEdges {
		return
	}
	other := &s.reports[t.slot]
	other.open -= min(other.open, t.open)
	t.slot = s.place(b, &b.point, t)
	s.reports[t.slot].open += t.open
}

// leave makes room: reports that have not changed for a while are folded into those that stand for others, the oldest
// first, a few at a time, as finding them takes a look at all. False: none can leave.
func (s *Store) leave(now int64) bool {
	if now < s.fullUntil {
		return false
	}
	var idle []uint32
	for _, slot := range s.index {
		if s.reports[slot].changed < now-settled {
			idle = append(idle, slot)
		}
	}
	if len(idle) == 0 {
		s.fullUntil = now + FineStep
		return false
	}
	slices.SortFunc(idle, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(s.reports[a].changed, s.reports[b].changed), cmp.Compare(a, b))
	})
	s.fold(idle[:min(len(idle), max(1, s.config.MaxEdges/64))])
	return true
}

// oust makes room for a stream: those that have been silent for long are forgotten, a few at a time, as finding them takes a look at
// all. False: all are busy. What one of them has counted must not be counted again when it comes back, so that from then on all that
// began before begins with a baseline.
func (s *Store) oust(now int64) bool {
	if now < s.busyUntil {
		return false
	}
	var silent []uint64
	for key, t := range s.streams {
		if t.seen < now-outOfSight {
			silent = append(silent, key)
		}
	}
	if len(silent) == 0 {
		s.busyUntil = now + FineStep
		return false
	}
	slices.SortFunc(silent, func(a, b uint64) int {
		return cmp.Or(cmp.Compare(s.streams[a].seen, s.streams[b].seen), cmp.Compare(a, b))
	})
	for _, key := range silent[:min(len(silent), max(1, s.config.MaxEdges/32))] {
		t := s.streams[key]
		s.close(t)
		s.baseline = max(s.baseline, (t.seen+1)*int64(time.Second))
		delete(s.streams, key)
	}
	return true
}

// fold moves reports, and those of the same edges that do not count, to the slots that stand for others.
func (s *Store) fold(slots []uint32) {
	m := s.matches()
	moves := make(map[uint32]uint32, len(slots))
	for _, slot := range slots {
		r := &s.reports[slot]
		if m.shadowed(slot) {
			moves[slot] = uncounted
			continue
		}
		moves[slot] = uint32(r.link.Role)
	}
	for _, slot := range slots {
		for _, other := range m.only(slot, moves) {
			moves[other] = uncounted
		}
	}
	s.fine.move(moves, &s.bounds)
	s.coarse.move(moves, &s.bounds)
	for _, t := range s.streams {
		if to, moved := moves[t.slot]; moved {
			t.slot = to
		}
	}
	for from, to := range moves {
		s.reports[to].open += s.reports[from].open
		s.reports[to].seen = max(s.reports[to].seen, s.reports[from].seen)
		s.reports[to].changed = max(s.reports[to].changed, s.reports[from].changed)
		s.release(from)
	}
	s.counts.folded += uint64(len(moves))
}

// release frees a slot, whose buckets are empty.
func (s *Store) release(slot uint32) {
	r := &s.reports[slot]
	delete(s.index, reportKey{r.local, r.peer, r.link})
	*r = report{}
	s.free = append(s.free, slot)
	s.topology++
}

// tidy forgets what nobody has sent for long.
func (s *Store) tidy(now int64) {
	if now < s.tidied+tidyEvery {
		return
	}
	s.tidied = now
	for key, t := range s.streams {
		if t.seen < now-activeMemory && t.open > 0 {
			s.close(t)
		}
		if t.seen < now-forget {
			delete(s.streams, key)
		}
	}
	for slot := uint32(reserved); int(slot) < len(s.reports); slot++ {
		if r := &s.reports[slot]; r.local != nil && r.seen < now-forget {
			s.expire(slot)
		}
	}
	for key, r := range s.resources {
		if r.seen < now-forget {
			delete(s.resources, key)
		}
	}
	for name, h := range s.hosts {
		if h.received < now-forget {
			delete(s.hosts, name)
		}
	}
	s.sweepEnds()
}

// expire releases a report whose figures are all older than what is held.
func (s *Store) expire(slot uint32) {
	gone := map[uint32]uint32{slot: uncounted}
	s.fine.move(gone, &s.bounds)
	s.coarse.move(gone, &s.bounds)
	s.release(slot)
	s.counts.expired++
}

// sweepEnds forgets ends that no report has.
func (s *Store) sweepEnds() {
	used := make(map[*edge.End]bool, len(s.ends))
	for i := range s.reports {
		if r := &s.reports[i]; r.local != nil {
			used[r.local], used[r.peer] = true, true
		}
	}
	if 2*len(used) >= len(s.ends) {
		return
	}
	s.known = registry{}
	held := s.ends
	s.ends = make(map[uint64]*edge.End, len(used))
	for _, e := range held {
		if used[e] {
			s.keep(e)
		}
	}
}
