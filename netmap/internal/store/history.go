package store

import "github.com/netconn/netconn/netmap/internal/edge"

// Step is one bucket of a history.
type Step struct {
	At int64 // Unix seconds at which it begins
	Figures
	Reported bool // Active is known
}

// History returns what the given edges of a snapshot have counted, added up, one Step for each bucket of the range, oldest
// first. What was counted since the snapshot is in it.
func (s *Store) History(snap *Snapshot, edges []int) []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps := make([]Step, 0, (snap.To-snap.From)/snap.Step)
	for at := snap.From; at < snap.To; at += snap.Step {
		steps = append(steps, Step{At: at})
	}
	wanted := make(map[uint32]*Edge, len(edges)) // by slot; nil: only what it sent again
	for _, i := range edges {
		e := &snap.Edges[i]
		wanted[e.slot] = e
		for _, p := range e.partners {
			wanted[p] = nil
		}
	}
	s.ringOf(snap.Step).within(snap.From, snap.To, func(b *bucket) {
		step := &steps[(b.at-snap.From)/snap.Step]
		for slot, e := range wanted {
			step.Retransmits += b.retransmits.get(slot)
			if e != nil {
				step.take(b, e, &s.bounds)
			}
		}
		for _, o := range b.outcomes {
			if wanted[o.slot()] != nil {
				step.ended(o.kind(), uint64(o.n))
			}
		}
	})
	return steps
}

// take adds what the report of an edge has in a bucket, but for what it sent again.
func (step *Step) take(b *bucket, e *Edge, bounds *bounds) {
	slot := e.slot
	tx, rx := b.tx.get(slot), b.rx.get(slot)
	switch {
	case e.Link.Role == edge.Server:
		tx, rx = rx, tx
	case e.both:
		rx = 0
	}
	step.Tx += tx
	step.Rx += rx
	step.RTTs += b.rtts.get(slot)
	if int(slot) < len(b.rttSum) {
		step.RTTSum += float64(b.rttSum[slot].ticks()) * tick
	}
	step.Shakes += b.shakes.get(slot)
	if int(slot) < len(b.shakeSum) {
		step.ShakeSum += float64(b.shakeSum[slot].ticks()) * tick
	}
	step.Attempts += b.attempts.get(slot)
	step.Closed += b.closed.get(slot)
	if n := b.active.get(slot); n > 0 {
		step.Active += n - 1
		step.Reported = true
	}
	if int(slot) < len(b.rttMax) {
		step.RTTMax = max(step.RTTMax, bounds.value(b.rttMax[slot]))
	}
}

// Spark returns a figure of several rows of edges, bucket by bucket, oldest first.
func (s *Store) Spark(snap *Snapshot, rows [][]int, figure func(*Figures) float64) [][]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([][]float64, len(rows))
	for i := range all {
		all[i] = make([]float64, (snap.To-snap.From)/snap.Step)
	}
	s.ringOf(snap.Step).within(snap.From, snap.To, func(b *bucket) {
		failed := b.failed(s.kinds)
		for i, row := range rows {
			var step Step
			for _, j := range row {
				e := &snap.Edges[j]
				step.take(b, e, &s.bounds)
				step.Retransmits += b.retransmits.get(e.slot)
				for _, p := range e.partners {
					step.Retransmits += b.retransmits.get(p)
				}
				if n := failed[e.slot]; n > 0 {
					step.ended(0, n)
				}
			}
			all[i][(b.at-snap.From)/snap.Step] = figure(&step.Figures)
		}
	})
	return all
}

// failed counts failed attempts by slot.
func (b *bucket) failed(kinds []Kind) map[uint32]uint64 {
	failed := make(map[uint32]uint64)
	for _, o := range b.outcomes {
		if !kinds[o.kind()].Closed {
			failed[o.slot()] += uint64(o.n)
		}
	}
	return failed
}
