package store

import (
	"context"

	"github.com/netconn/netconn/netmap/internal/match"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// history reads buckets again for the edges of one snapshot.
type history struct {
	store    *Store
	topology uint64 // of the snapshot
	snapshot *snap.Snapshot
	origins  []match.Origin // of its edges
}

// A part is a report whose figures are added to a row.
type part struct {
	row    int
	slot   uint32
	edge   *snap.Edge
	shadow bool // only its retransmits count
}

// Read is as snap.History has it. It keeps the store locked, so put must not use the store.
func (h *history) Read(ctx context.Context, rows [][]int, _ snap.What, put func(row int, step snap.Step)) error {
	s, r := h.store, h.snapshot.Range
	s.mu.Lock()
	defer s.mu.Unlock()
	parts, rowOf := h.parts(rows)
	steps := make([]snap.Step, len(rows))
	for b := range s.ringOf(r.Step).within(r.From, r.To) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range steps {
			steps[i] = snap.Step{At: b.at}
		}
		for _, p := range parts {
			steps[p.row].Retransmits += b.retransmits.get(p.slot)
			if !p.shadow {
				b.take(&steps[p.row], p.slot, p.edge, &s.bounds)
			}
		}
		for _, o := range b.outcomes {
			if row, ok := rowOf[o.slot()]; ok && int(o.kind()) < len(h.snapshot.Kinds) {
				steps[row].Count(o.kind(), uint64(o.n))
			}
		}
		for row := range steps {
			put(row, steps[row])
		}
	}
	return nil
}

// parts returns the reports of rows of edges, and the row of each slot that counts. It leaves out reports that were
// evicted since the snapshot, as their slots may have been given to others.
func (h *history) parts(rows [][]int) (parts []part, rowOf map[uint32]int) {
	rowOf = make(map[uint32]int)
	for row, edges := range rows {
		for _, i := range edges {
			e, o := &h.snapshot.Edges[i], &h.origins[i]
			if h.held(o.Report) {
				slot := uint32(o.Report)
				parts, rowOf[slot] = append(parts, part{row: row, slot: slot, edge: e}), row
			}
			for _, shadow := range o.Shadows {
				if h.held(shadow) {
					parts = append(parts, part{row: row, slot: uint32(shadow), shadow: true})
				}
			}
		}
	}
	return parts, rowOf
}

// held reports whether a report of the snapshot is still in its slot.
func (h *history) held(report int) bool {
	return report < int(reserved) || h.store.reports[report].Local != nil && h.store.states[report].since <= h.topology
}

// take adds the figures that a slot has in a bucket, except retransmits and outcomes, to a step of an edge.
func (b *bucket) take(step *snap.Step, slot uint32, e *snap.Edge, bounds *bounds) {
	f := snap.Figures{
		Tx: b.tx.get(slot), Rx: b.rx.get(slot), RTTs: b.rtts.get(slot), Handshakes: b.handshakes.get(slot),
		Attempts: b.attempts.get(slot), Closed: b.closed.get(slot), Lookups: b.lookups.get(slot),
		LookupTimes: b.lookupTimes.get(slot),
	}
	if n := b.active.get(slot); n > 0 {
		f.Active = n - 1
		step.Reported = true
	}
	if int(slot) < len(b.rttSum) {
		f.RTTSum = b.rttSum[slot].seconds()
	}
	if int(slot) < len(b.handshakeSum) {
		f.HandshakeSum = b.handshakeSum[slot].seconds()
	}
	if int(slot) < len(b.lookupSum) {
		f.LookupSum = b.lookupSum[slot].seconds()
	}
	if int(slot) < len(b.rttMax) {
		f.RTTMax = bounds.value(b.rttMax[slot])
	}
	match.Orient(&f, e)
	step.Add(&f)
}
