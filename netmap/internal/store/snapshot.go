package store

import (
	"math"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// Range is a stretch of time in whole buckets, in Unix seconds: From is in it, To is not.
type Range struct{ From, To, Step int64 }

// Figures are what was counted. Tx is from the client to the server. Times are in seconds.
type Figures struct {
	Tx, Rx, Retransmits      uint64
	RTTs, Shakes             uint64 // samples
	RTTSum, ShakeSum, RTTMax float64
	Attempts, Closed, Active uint64
	Outcomes                 []Outcome // that are not well, each kind once
}

// Outcome is how often something ended in one way; Kind is an index into the kinds of a snapshot.
type Outcome struct {
	Kind uint8
	N    uint64
}

// Edge is one edge with what was counted in a range. The ends are shared between edges, and equal ones are one pointer.
type Edge struct {
	Client, Server *edge.End
	Link           edge.Link // Role is that of the report that counts
	Figures
	First, Changed   int64 // when it was first seen, and last changed, Unix seconds
	Learned          bool  // first seen before its host's edges could be new
	ByClient, ByPeer bool  // who reports it; ByPeer: the server

	slot     uint32
	both     bool     // both ends are in the one report, so that Rx is what Tx has already
	partners []uint32 // reports that do not count, of this edge alone
}

// Shared is what servers sent again on edges of which it cannot be told which one it was.
type Shared struct {
	Edges       []int // indices into the edges of the snapshot
	Retransmits uint64
	slot        uint32
}

// A Snapshot is all edges with what was counted in a range. It is not to be changed.
type Snapshot struct {
	Range
	Seconds    float64 // of the range in which the store was there
	Generation uint64
	Kinds      []Kind
	Edges      []Edge
	Shared     []Shared
}

// Generation rises with all that is added.
func (s *Store) Generation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// Opened is when the store began, in Unix nanoseconds.
func (s *Store) Opened() int64 { return s.opened }

// Range returns the buckets of the window, in seconds, that ends at a time, or now if that is 0. Long and old ones are in
// coarse buckets.
func (s *Store) Range(window, end int64) Range {
	now := s.config.Now().Unix()
	if end <= 0 || end > now {
		end = now
	}
	if r := align(window, end, FineStep); window <= FineSpan && r.From > now-FineSpan {
		return r
	}
	return align(window, end, CoarseStep)
}

func align(window, end, step int64) Range {
	to := end - end%step + step
	return Range{To: to, From: to - (window+step-1)/step*step, Step: step}
}

// Snapshot returns the edges of a range.
func (s *Store) Snapshot(r Range) *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now().Unix()
	s.tidy(now)
	if held := s.snapshots[r]; held != nil {
		return held
	}
	if len(s.snapshots) >= 8 {
		clear(s.snapshots)
	}
	snap := &Snapshot{Range: r, Generation: s.generation, Kinds: append([]Kind(nil), s.kinds...)}
	snap.Seconds = max(1, math.Round((float64(min(r.To, now))-max(float64(r.From), float64(s.opened)/1e9))*10)/10)
	s.assemble(snap, s.figures(r, now), now)
	s.snapshots[r] = snap
	return snap
}

func (s *Store) ringOf(step int64) *ring {
	if step == FineStep {
		return s.fine
	}
	return s.coarse
}

// figures adds up what each report has counted in a range.
func (s *Store) figures(r Range, now int64) []Figures {
	f := make([]Figures, len(s.reports))
	recent := min(r.To, now) - activeMemory - r.Step
	s.ringOf(r.Step).within(r.From, r.To, func(b *bucket) {
		gather(&b.tx, func(i int, v uint64) { f[i].Tx += v })
		gather(&b.rx, func(i int, v uint64) { f[i].Rx += v })
		gather(&b.retransmits, func(i int, v uint64) { f[i].Retransmits += v })
		gather(&b.rtts, func(i int, v uint64) { f[i].RTTs += v })
		gather(&b.shakes, func(i int, v uint64) { f[i].Shakes += v })
		gather(&b.attempts, func(i int, v uint64) { f[i].Attempts += v })
		gather(&b.closed, func(i int, v uint64) { f[i].Closed += v })
		if b.at >= recent {
			gather(&b.active, func(i int, v uint64) { f[i].Active = v - 1 })
		}
		for i, v := range b.rttSum[:min(len(b.rttSum), len(f))] {
			f[i].RTTSum += float64(v.ticks()) * tick
		}
		for i, v := range b.shakeSum[:min(len(b.shakeSum), len(f))] {
			f[i].ShakeSum += float64(v.ticks()) * tick
		}
		for i, code := range b.rttMax {
			if code != 0 && i < len(f) {
				f[i].RTTMax = max(f[i].RTTMax, s.bounds.value(code))
			}
		}
		for _, o := range b.outcomes {
			f[o.slot()].ended(o.kind(), uint64(o.n))
		}
	})
	return f
}

// gather calls f with each cell that is not 0. Cells beyond the last report are.
func gather[T uint16 | uint32](c *column[T], f func(i int, v uint64)) {
	for i, v := range c.cells {
		switch v {
		case 0:
		case full[T]():
			f(i, c.big[uint32(i)])
		default:
			f(i, uint64(v))
		}
	}
}

func (f *Figures) ended(kind uint8, n uint64) {
	for i := range f.Outcomes {
		if f.Outcomes[i].Kind == kind {
			f.Outcomes[i].N += n
			return
		}
	}
	f.Outcomes = append(f.Outcomes, Outcome{kind, n})
}

// Add adds what other has; Active too, as of different edges.
func (f *Figures) Add(other *Figures) {
	f.Tx += other.Tx
	f.Rx += other.Rx
	f.Retransmits += other.Retransmits
	f.RTTs += other.RTTs
	f.RTTSum += other.RTTSum
	f.RTTMax = max(f.RTTMax, other.RTTMax)
	f.Shakes += other.Shakes
	f.ShakeSum += other.ShakeSum
	f.Attempts += other.Attempts
	f.Closed += other.Closed
	f.Active += other.Active
	for _, o := range other.Outcomes {
		f.ended(o.Kind, o.N)
	}
}

// Idle tells whether nothing was counted, and nothing is open.
func (f *Figures) Idle() bool {
	return f.Tx|f.Rx|f.Retransmits|f.RTTs|f.Attempts|f.Closed|f.Active|f.Shakes == 0 && len(f.Outcomes) == 0
}

// assemble makes edges of reports: each edge of the report that counts.
func (s *Store) assemble(snap *Snapshot, figures []Figures, now int64) {
	m, g := s.matches(), s.registry(now)
	snap.Edges = make([]Edge, 0, len(s.index)+int(reserved))
	place := make([]int32, len(s.reports)) // of a report that counts, one more than its index in the snapshot
	shadows := make(map[uint32][]uint32)
	for slot := range s.reports {
		r := &s.reports[slot]
		if slot == int(uncounted) || r.local == nil && (slot >= int(reserved) || figures[slot].Idle()) {
			continue
		}
		if instead := m.primaries(uint32(slot)); len(instead) > 0 {
			shadows[uint32(slot)] = instead
			continue
		}
		snap.Edges = append(snap.Edges, s.edge(g, uint32(slot), figures[slot]))
		place[slot] = int32(len(snap.Edges))
	}
	for slot, instead := range shadows {
		snap.join(slot, instead, place, figures[slot].Retransmits)
	}
	snap.drop()
}

// join tells the edges that count instead of a report what it has that they have not: that it is there, and what it sent again.
func (snap *Snapshot) join(slot uint32, instead []uint32, place []int32, retransmits uint64) {
	var edges []int
	for _, other := range instead {
		if place[other] > 0 {
			edges = append(edges, int(place[other]-1))
		}
	}
	for _, i := range edges {
		snap.Edges[i].ByClient, snap.Edges[i].ByPeer = true, true
	}
	switch {
	case len(edges) == 1:
		e := &snap.Edges[edges[0]]
		e.Retransmits += retransmits
		e.partners = append(e.partners, slot)
	case retransmits > 0 && len(edges) > 1:
		snap.Shared = append(snap.Shared, Shared{edges, retransmits, slot})
	}
}

// drop leaves out edges that have nothing in the range and were not first seen in it.
func (snap *Snapshot) drop() {
	moved := make([]int, len(snap.Edges))
	kept := snap.Edges[:0]
	for i := range snap.Edges {
		e := snap.Edges[i]
		moved[i] = -1
		if !e.Idle() || e.First >= snap.From && e.First < snap.To {
			moved[i] = len(kept)
			kept = append(kept, e)
		}
	}
	snap.Edges = kept
	for i := range snap.Shared {
		var edges []int
		for _, j := range snap.Shared[i].Edges {
			if moved[j] >= 0 {
				edges = append(edges, moved[j])
			}
		}
		snap.Shared[i].Edges = edges
	}
}

// edge makes one of a report.
func (s *Store) edge(g *registry, slot uint32, f Figures) Edge {
	if slot < reserved {
		other := s.intern(edge.Beyond())
		e := Edge{Client: other, Server: other, Figures: f, slot: slot, Learned: true,
			Link: edge.Link{Role: edge.Role(slot)}, Changed: s.reports[slot].changed}
		e.orient()
		return e
	}
	r := &s.reports[slot]
	e := Edge{
		Client: r.local, Server: s.resolve(g, r.local, r.peer, r.link.Scope), Link: r.link, Figures: f,
		First: r.first, Changed: r.changed, Learned: r.first <= r.host.first+int64(s.config.Learning.Seconds()),
		ByClient: r.link.Role != edge.Server, ByPeer: r.link.Role == edge.Server, slot: slot,
	}
	if r.link.Role == edge.Unknown && r.link.Scope.Local() && e.Client == e.Server {
		e.both, e.Rx = true, 0
	}
	e.orient()
	return e
}

// orient turns what the server reports round.
func (e *Edge) orient() {
	if e.Link.Role == edge.Server {
		e.Client, e.Server = e.Server, e.Client
		e.Tx, e.Rx = e.Rx, e.Tx
	}
}
