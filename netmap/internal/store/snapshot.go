package store

import (
	"context"
	"math"
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/match"
	"github.com/netconn/netconn/netmap/internal/snap"
)

var _ snap.Source = (*Store)(nil)

// Version changes with all that is added.
func (s *Store) Version() snap.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return snap.Version{Opened: s.opened, Generation: s.generation}
}

// Spans returns the lengths of the buckets, and how far back they reach.
func (s *Store) Spans() snap.Spans {
	return snap.Spans{{Step: fineStep, Length: fineSpan}, {Step: coarseStep, Length: coarseSpan}}
}

// Range returns the buckets of a window that ends at a time, or now if that is 0. Long windows and old ones are in
// coarse buckets.
func (s *Store) Range(window, end int64) snap.Range {
	return s.Spans().Range(s.config.Now().Unix(), window, end)
}

// Snapshot returns the edges of a range. It never fails.
func (s *Store) Snapshot(_ context.Context, r snap.Range, _ ...snap.Want) (*snap.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now().Unix()
	s.sweep(now)
	if held := s.snapshots[r]; held != nil {
		return held, nil
	}
	if len(s.snapshots) >= maxSnapshots {
		clear(s.snapshots)
	}
	answer := &snap.Snapshot{Range: r, Generation: s.generation, Kinds: slices.Clone(s.kinds)}
	answer.Seconds = max(1, math.Round((float64(min(r.To, now))-max(float64(r.From), float64(s.opened)/1e9))*10)/10)
	figures := s.figures(r, now)
	m := match.Edges(s.reports, figures, s.index(), s.present(now), r)
	for i := range m.Edges {
		e, state := &m.Edges[i], &s.states[m.Origins[i].Report]
		e.Learned = e.First <= state.host.first+int64(s.config.Learning.Seconds())
	}
	s.addOverflow(&m, figures)
	answer.Edges, answer.Shared = m.Edges, m.Shared
	answer.History = &history{store: s, topology: s.topology, snapshot: answer, origins: m.Origins}
	s.snapshots[r] = answer
	return answer, nil
}

// addOverflow adds the edges that stand for the reports that are not held.
func (s *Store) addOverflow(m *match.Matched, figures []snap.Figures) {
	for _, role := range [...]edge.Role{edge.Unknown, edge.Client, edge.Server} {
		slot := overflow(role)
		if figures[slot].Idle() {
			continue
		}
		other := s.intern(edge.Overflow())
		e := snap.Edge{
			Client: other, Server: other, Link: edge.Link{Role: role}, Figures: figures[slot],
			Changed: s.reports[slot].Changed, Learned: true,
		}
		match.Orient(&e.Figures, &e)
		m.Edges, m.Origins = append(m.Edges, e), append(m.Origins, match.Origin{Report: int(slot)})
	}
}

func (s *Store) ringOf(step int64) *ring {
	if step == fineStep {
		return s.fine
	}
	return s.coarse
}

// figures adds up what each report counted in a range.
func (s *Store) figures(r snap.Range, now int64) []snap.Figures {
	f := make([]snap.Figures, len(s.reports))
	recent := min(r.To, now) - activeHold - r.Step
	for b := range s.ringOf(r.Step).within(r.From, r.To) {
		b.tx.each(func(i int, v uint64) { f[i].Tx += v })
		b.rx.each(func(i int, v uint64) { f[i].Rx += v })
		b.retransmits.each(func(i int, v uint64) { f[i].Retransmits += v })
		b.rtts.each(func(i int, v uint64) { f[i].RTTs += v })
		b.handshakes.each(func(i int, v uint64) { f[i].Handshakes += v })
		b.attempts.each(func(i int, v uint64) { f[i].Attempts += v })
		b.closed.each(func(i int, v uint64) { f[i].Closed += v })
		b.lookups.each(func(i int, v uint64) { f[i].Lookups += v })
		b.lookupTimes.each(func(i int, v uint64) { f[i].LookupTimes += v })
		if b.at >= recent {
			b.active.each(func(i int, v uint64) { f[i].Active = v - 1 })
		}
		for i, v := range b.rttSum[:min(len(b.rttSum), len(f))] {
			f[i].RTTSum += v.seconds()
		}
		for i, v := range b.handshakeSum[:min(len(b.handshakeSum), len(f))] {
			f[i].HandshakeSum += v.seconds()
		}
		for i, v := range b.lookupSum[:min(len(b.lookupSum), len(f))] {
			f[i].LookupSum += v.seconds()
		}
		for i, code := range b.rttMax[:min(len(b.rttMax), len(f))] {
			if code != 0 {
				f[i].RTTMax = max(f[i].RTTMax, s.bounds.value(code))
			}
		}
		for _, o := range b.outcomes {
			f[o.slot()].Count(o.kind(), uint64(o.n))
		}
	}
	return f
}
