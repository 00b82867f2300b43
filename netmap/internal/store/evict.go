package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/match"
	"github.com/netconn/netconn/netmap/internal/series"
)

// place returns the slot of the report that a point belongs to, or an overflow slot if there is no room for the report.
func (s *Store) place(b *batch, p *series.Point, t *stream) uint32 {
	point := series.Read(p.Attributes)
	local, peer, link := b.resource.end, edge.ReadPeer(point), edge.ReadLink(point)
	if b.lookups {
		link = edge.ReadLookups(point)
	}
	edge.ReadAddresses(point, link.Role, &local, &peer)
	if slot, ok := s.lookup(&local, &peer, link); ok {
		r := &s.reports[slot]
		r.First = min(r.First, t.first)
		return slot
	}
	r := match.Report{
		Local: &local, Peer: &peer, Link: link, Keys: link.Keys(&local, &peer, s.seed),
		First: t.first, Changed: b.now, Seen: b.now,
	}
	if !s.roomForReport(b.now) {
		return s.overflowOf(&r)
	}
	r.Local, r.Peer = s.intern(local), s.intern(peer)
	return s.hold(r, b.resource.host)
}

// lookup returns the slot of a report that is held.
func (s *Store) lookup(local, peer *edge.End, link edge.Link) (uint32, bool) {
	l, _ := s.interned(local)
	p, _ := s.interned(peer)
	if l == nil || p == nil {
		return 0, false
	}
	slot, ok := s.slots[reportKey{l, p, link}]
	return slot, ok
}

// hold gives a report a slot.
func (s *Store) hold(r match.Report, from *host) uint32 {
	slot := s.freeSlot()
	s.topology++
	s.reports[slot], s.states[slot] = r, reportState{host: from, since: s.topology}
	s.slots[reportKey{r.Local, r.Peer, r.Link}] = slot
	s.memory.addLink(&r.Link)
	s.memory.keys += cap(r.Keys) * keyBytes
	return slot
}

// roomForReport reports whether one more report can be held. If there is none, it evicts idle reports.
func (s *Store) roomForReport(now int64) bool {
	if len(s.slots) < s.config.MaxEdges && !s.reportsAreFull() {
		return true
	}
	if !s.evictReports(now) {
		return false
	}
	if s.reportsAreFull() {
		s.sweepEnds()
	}
	if s.reportsAreFull() {
		s.reportsFull = now + fineStep
		return false
	}
	return true
}

func (s *Store) freeSlot() uint32 {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return slot
	}
	s.reports, s.states = append(s.reports, match.Report{}), append(s.states, reportState{})
	return uint32(len(s.reports) - 1)
}

// overflowOf returns the slot that counts the figures of a report that is not held.
func (s *Store) overflowOf(r *match.Report) uint32 {
	if s.index().Has(r.Keys) {
		return discarded // the report of the other end is held, and counts them
	}
	if r.Link.Role == edge.Server && r.Link.Scope.Local() {
		return discarded // the client is on the same host, and reports them from there
	}
	return overflow(r.Link.Role)
}

// readmit gives the stream of an evicted report a report again, if there is room.
func (s *Store) readmit(t *stream, b *batch) {
	if t.slot >= reserved || len(s.slots) >= s.config.MaxEdges || s.reportsAreFull() {
		return
	}
	other := &s.states[t.slot]
	other.open -= min(other.open, t.open)
	t.slot = s.place(b, &b.point, t)
	s.states[t.slot].open += t.open
}

// evictReports makes room by folding idle reports into the overflow, the oldest first. It takes several at a time, as
// finding them takes a look at all. It reports whether there is room now.
func (s *Store) evictReports(now int64) bool {
	if now < s.reportsFull {
		return false
	}
	var idle []uint32
	for _, slot := range s.slots {
		if s.reports[slot].Changed < now-reportIdle {
			idle = append(idle, slot)
		}
	}
	if len(idle) == 0 {
		s.reportsFull = now + fineStep
		return false
	}
	slices.SortFunc(idle, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(s.reports[a].Changed, s.reports[b].Changed), cmp.Compare(a, b))
	})
	s.fold(idle[:min(len(idle), max(1, s.config.MaxEdges/64))])
	return true
}

// evictStreams makes room for a stream by forgetting silent ones, several at a time, as finding them takes a look at
// all. It reports whether there is room now. A stream that comes back must not be counted twice, so series that began
// before an evicted stream was last received begin with a baseline from now on.
func (s *Store) evictStreams(now int64) bool {
	if now < s.streamsFull {
		return false
	}
	var silent []uint64
	for key, t := range s.streams {
		if t.seen < now-streamIdle {
			silent = append(silent, key)
		}
	}
	if len(silent) == 0 {
		s.streamsFull = now + fineStep
		return false
	}
	slices.SortFunc(silent, func(a, b uint64) int {
		return cmp.Or(cmp.Compare(s.streams[a].seen, s.streams[b].seen), cmp.Compare(a, b))
	})
	for _, key := range silent[:min(len(silent), max(1, s.config.MaxEdges/32))] {
		t := s.streams[key]
		s.baselineBefore = max(s.baselineBefore, (t.seen+1)*int64(time.Second))
		s.forget(key, t)
	}
	return !s.full()
}

// fold moves the figures of reports to the overflow, and discards those of reports of the same edges that do not count.
func (s *Store) fold(slots []uint32) {
	x := s.index()
	moves := make(map[uint32]uint32, len(slots))
	for _, slot := range slots {
		moves[slot] = overflow(s.reports[slot].Link.Role)
		if len(x.Primaries(int(slot))) > 0 {
			moves[slot] = discarded
		}
	}
	leaving := func(i int) bool { _, ok := moves[uint32(i)]; return ok }
	for _, slot := range slots {
		for _, i := range x.Dependents(int(slot), leaving) {
			moves[uint32(i)] = discarded
		}
	}
	s.moveFigures(moves)
	for _, t := range s.streams {
		if to, moved := moves[t.slot]; moved {
			t.slot = to
		}
	}
	for from, to := range moves {
		s.states[to].open += s.states[from].open
		s.reports[to].Seen = max(s.reports[to].Seen, s.reports[from].Seen)
		s.reports[to].Changed = max(s.reports[to].Changed, s.reports[from].Changed)
		s.release(from)
	}
	s.counts.folded += uint64(len(moves))
}

func (s *Store) moveFigures(moves map[uint32]uint32) {
	s.fine.move(moves, &s.bounds)
	s.coarse.move(moves, &s.bounds)
}

// release frees a slot without figures.
func (s *Store) release(slot uint32) {
	r := &s.reports[slot]
	delete(s.slots, reportKey{r.Local, r.Peer, r.Link})
	s.memory.keys -= cap(r.Keys) * keyBytes
	*r, s.states[slot] = match.Report{}, reportState{}
	s.free = append(s.free, slot)
	s.topology++
}
