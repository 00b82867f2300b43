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
	buckets := slices.Collect(s.ringOf(r.Step).within(r.From, r.To))
	sums := make([]uint64, len(f))
	for _, c := range summed {
		clear(sums)
		for _, b := range buckets {
			c.add(b, sums)
		}
		for i, v := range sums {
			if v != 0 {
				c.put(&f[i], v)
			}
		}
	}
	recent := min(r.To, now) - activeHold - r.Step
	for _, b := range buckets {
		if b.at >= recent {
			b.active.each(func(i int, v uint64) { f[i].Active = v - 1 })
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

// summed are the figures that add up over buckets. They are added up one after the other: the sums of one figure stay
// in the cache, and all figures of all reports do not.
var summed = [...]struct {
	add func(b *bucket, sums []uint64)
	put func(f *snap.Figures, v uint64)
}{
	{func(b *bucket, to []uint64) { b.tx.addTo(to) }, func(f *snap.Figures, v uint64) { f.Tx = v }},
	{func(b *bucket, to []uint64) { b.rx.addTo(to) }, func(f *snap.Figures, v uint64) { f.Rx = v }},
	{func(b *bucket, to []uint64) { b.retransmits.addTo(to) }, func(f *snap.Figures, v uint64) { f.Retransmits = v }},
	{func(b *bucket, to []uint64) { b.rtts.addTo(to) }, func(f *snap.Figures, v uint64) { f.RTTs = v }},
	{func(b *bucket, to []uint64) { b.handshakes.addTo(to) }, func(f *snap.Figures, v uint64) { f.Handshakes = v }},
	{func(b *bucket, to []uint64) { b.attempts.addTo(to) }, func(f *snap.Figures, v uint64) { f.Attempts = v }},
	{func(b *bucket, to []uint64) { b.closed.addTo(to) }, func(f *snap.Figures, v uint64) { f.Closed = v }},
	{func(b *bucket, to []uint64) { b.lookups.addTo(to) }, func(f *snap.Figures, v uint64) { f.Lookups = v }},
	{func(b *bucket, to []uint64) { b.lookupTimes.addTo(to) }, func(f *snap.Figures, v uint64) { f.LookupTimes = v }},
	{func(b *bucket, to []uint64) { addTicks(to, b.rttSum) },
		func(f *snap.Figures, v uint64) { f.RTTSum = float64(v) * tick }},
	{func(b *bucket, to []uint64) { addTicks(to, b.handshakeSum) },
		func(f *snap.Figures, v uint64) { f.HandshakeSum = float64(v) * tick }},
	{func(b *bucket, to []uint64) { addTicks(to, b.lookupSum) },
		func(f *snap.Figures, v uint64) { f.LookupSum = float64(v) * tick }},
}
