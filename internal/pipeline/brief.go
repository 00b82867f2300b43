package pipeline

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/ends"
	"github.com/netconn/netconn/internal/flow"
)

// A brief end is one whose first report is that of its end. No table of connections keeps it: it waits with its report
// until its identity is settled, or for Patience, and is counted once. It is looked up when the table of flows looks up
// what has ended: one reading after its own, at each collection, and when the patience is over.

// maxBrief is how many brief ends may wait. It is what a hundred thousand ends in three readings have, or twenty
// thousand a second with their other ends elsewhere.
const maxBrief = 1 << 16

// What is kept to be used again: batches, and ends in each. One begins as another one becomes empty.
const (
	maxSpareBatches = 4
	maxSpareBriefs  = 4096
)

type brief struct {
	conn.Conn
	end    ends.Ref
	domain string // of the other end
}

// briefs are the brief ends that wait, by their reading.
type briefs struct {
	batches []*batch
	spare   []*batch
	n       int
	limit   int
	kinds   *kinds
}

// A batch is what one reading had.
type batch struct {
	ends  []brief
	read  time.Time
	since time.Time // the collection before
	stage stage
}

// stage is when a batch is looked up next.
type stage uint8

const (
	unread   stage = iota // after the next reading, which may bring the other ends
	due                   // now
	patience              // when the patience is over
)

func newBriefs(mask func(flow.Key) flow.Key) briefs {
	return briefs{limit: maxBrief, kinds: &kinds{bySocket: bySocket(mask)}}
}

// add has a brief end wait.
func (w *briefs) add(c *conn.Conn, end ends.Ref, now, since time.Time) {
	var b *batch
	if n := len(w.batches); n > 0 {
		b = w.batches[n-1]
	}
	if b == nil || b.stage != unread || !b.read.Equal(now) {
		b = w.begin(now, since)
	}
	b.ends = append(b.ends, brief{Conn: *c, end: end})
	w.n++
}

func (w *briefs) begin(now, since time.Time) *batch {
	b := new(batch)
	if n := len(w.spare); n > 0 {
		b, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	b.read, b.since, b.stage = now, since, unread
	w.batches = append(w.batches, b)
	return b
}

// unsettled reports whether there is a brief end that does not only wait for the patience.
func (w *briefs) unsettled() bool {
	return len(w.batches) > 0 && w.batches[len(w.batches)-1].stage != patience
}

// compact drops the batches that are empty.
func (w *briefs) compact() {
	kept := w.batches[:0]
	w.n = 0
	for _, b := range w.batches {
		switch {
		case len(b.ends) > 0:
			kept = append(kept, b)
			w.n += len(b.ends)
		case len(w.spare) < maxSpareBatches && cap(b.ends) <= maxSpareBriefs:
			w.spare = append(w.spare, b)
		}
	}
	clear(w.batches[len(kept):])
	w.batches = kept
}

// settleBriefs counts the brief ends that are due.
func (p *Pipeline) settleBriefs(now time.Time) {
	p.briefs.kinds.pass++
	for _, b := range p.briefs.batches {
		late := now.Sub(b.read) >= Patience
		switch {
		case b.stage == unread:
			b.stage = due
		case b.stage == due, late:
			p.count(b, late, now)
			b.stage = patience
		}
	}
	p.compactBriefs()
}

// collectBriefs counts all brief ends with an identity, as a collection does.
func (p *Pipeline) collectBriefs(now time.Time) {
	p.briefs.kinds.pass++
	for _, b := range p.briefs.batches {
		p.count(b, now.Sub(b.read) >= Patience, now)
	}
	p.compactBriefs()
}

func (p *Pipeline) compactBriefs() {
	p.briefs.compact()
	p.flows.Hold(p.briefs.n)
}

// count counts the ends of a batch whose identity is settled, or all of them if it is late.
func (p *Pipeline) count(b *batch, late bool, now time.Time) {
	kept := 0
	for i := range b.ends {
		e := &b.ends[i]
		if late || !p.waits(e) {
			key, settled := p.identifyBrief(e, now)
			if settled || late {
				p.flows.Count(key, &e.Conn, b.since)
				p.ends.Release(e.end, settled)
				continue
			}
		}
		if kept != i {
			b.ends[kept] = *e
		}
		kept++
	}
	clear(b.ends[kept:])
	b.ends = b.ends[:kept]
}

// waits reports whether the identity of an end is certainly not settled: its other end is not here yet, no source can
// say that it never will be, and there is no name to look for.
func (p *Pipeline) waits(e *brief) bool {
	return e.Phase == conn.Closed && len(p.sources) == 0 && !p.final && !e.end.Paired() &&
		(e.Role == conn.RoleServer || e.domain != "" || !p.follows())
}

// isBrief reports whether a report is the first and the last of a connection, and there is room to wait.
func (p *Pipeline) isBrief(c *conn.Conn) bool {
	if c.Phase == conn.Open || c.Role == conn.RoleUnknown || p.briefs.n >= p.briefs.limit {
		return false
	}
	if c.Phase == conn.Closed && (c.Sequence == c.Sequence.Reverse() || p.ends.Has(c.Sequence)) {
		return false
	}
	return p.flows.Fresh(c)
}

// await has a brief end wait. end is what finds its route.
func (p *Pipeline) await(c *conn.Conn, end ends.Ref, now time.Time) {
	p.programs.note(c.Owner, c.Process.PID)
	p.briefs.add(c, end, now, p.flows.Collected())
	p.flows.Hold(p.briefs.n)
}

// awaitPair has both ends of a connection wait. Only events ask for them by other ways than their references.
func (p *Pipeline) awaitPair(first, second *conn.Conn, now time.Time) {
	if p.flows.Beyond(first) {
		p.keep(first, now)
		p.keep(second, now)
		return
	}
	var a, b ends.Ref
	if p.events.wants(conn.Closed) {
		a, b = p.ends.Add(first, now), p.ends.Add(second, now)
	} else {
		a, b = p.ends.AddPair(first, second, now)
	}
	p.await(first, a, now)
	p.await(second, b, now)
}
