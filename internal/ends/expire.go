package ends

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// tick is the unit of deadlines. A record is dropped at its deadline, or at most one tick later.
const tick = 100 * time.Millisecond

// wheel is a timer wheel with one slot a tick. Every ended record is in at least one slot, and the earliest of them is
// not after its deadline.
type wheel struct {
	slots [512][]*record
	now   uint32 // the tick of the last Expire; its slot may have been filled again since
	spare [][]*record
}

// put schedules a check of r at a tick, or in the last slot if the tick is beyond the wheel.
func (w *wheel) put(r *record, at uint32) {
	at = min(max(at, w.now), w.now+uint32(len(w.slots))-1)
	slot := &w.slots[at%uint32(len(w.slots))]
	if n := len(w.spare); *slot == nil && n > 0 {
		*slot, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	*slot = append(*slot, r)
}

// take empties the slot of a tick. The caller returns the slice with give.
func (w *wheel) take(at uint32) []*record {
	slot := &w.slots[at%uint32(len(w.slots))]
	taken := *slot
	*slot = nil
	return taken
}

func (w *wheel) give(slot []*record) {
	if len(w.spare) < 64 && slot != nil {
		clear(slot)
		w.spare = append(w.spare, slot[:0])
	}
}

// ticks returns a time, rounded down.
func (x *Index) ticks(t time.Time) uint32 { return uint32(t.Sub(x.began) / tick) }

// after returns the first tick that begins after a duration.
func (x *Index) after(now time.Time, d time.Duration) uint32 { return x.ticks(now.Add(d)) + 1 }

// rest is how long two ends stay after the later one has closed: the caller has nothing to ask about them after that.
func (x *Index) rest() time.Duration { return x.config.Patience + time.Second }

// extend sets the deadline of a record that was just reported, and that of the other end, if both have closed.
func (x *Index) extend(r *record, now time.Time) {
	switch {
	case r.phase == conn.Open:
		r.deadline = x.after(now, silence)
	case r.phase == conn.Failed:
		r.deadline = x.after(now, 2*x.config.Patience+time.Second)
		x.due.put(r, r.deadline)
	case r.other != nil && r.other.phase != conn.Open:
		r.deadline = x.after(now, x.rest())
		r.other.deadline = r.deadline
		x.due.put(r, r.deadline)
		x.due.put(r.other, r.deadline)
	default:
		r.deadline = x.after(now, grace)
		x.due.put(r, x.after(now, x.rest())) // by then most have been paired, and have an earlier deadline
	}
}

// Done says that the caller will not ask about a connection that has closed. An attempt is past its deadline then, and
// both ends of a connection as soon as that is so for both.
func (x *Index) Done(s conn.Sequence, id conn.ID) {
	if s == (conn.Sequence{}) {
		if r := x.attempts[id]; r != nil && r.state == settled {
			x.expireNow(r)
		}
		return
	}
	if r := x.established[s]; r != nil && r.id() == id && r.phase != conn.Open {
		x.done(r)
	}
}

// done says so of a connection that was established and has closed.
func (x *Index) done(r *record) {
	r.done = true
	if o := r.other; o != nil && o.done {
		x.expireNow(r)
		x.expireNow(o)
	}
}

// expireNow has the next Expire drop a record.
func (x *Index) expireNow(r *record) {
	r.deadline = x.due.now
	x.due.put(r, r.deadline)
}

// Expire drops what is past its deadline.
func (x *Index) Expire(now time.Time) {
	current := x.ticks(now)
	for at := x.due.now; at <= current; at++ {
		slot := x.due.take(at)
		for _, r := range slot {
			switch {
			case r.state == free, r.detached: // dropped, and there a second time
			case r.deadline <= current:
				x.drop(r)
			case r.phase != conn.Open: // or it is the record of another connection by now
				x.due.put(r, r.deadline)
			}
		}
		x.due.give(slot)
		x.due.now = at
	}
	if now.Sub(x.searched) >= silence/4 {
		x.searched = now
		x.dropSilent(current)
	}
}

func (x *Index) dropSilent(current uint32) {
	for _, r := range x.established {
		if r.deadline <= current {
			x.drop(r)
		}
	}
}

func (x *Index) take() (r *record) {
	n := len(x.spare)
	if n == 0 {
		return new(record)
	}
	r, x.spare = x.spare[n-1], x.spare[:n-1]
	return r
}

// drop forgets an end.
func (x *Index) drop(r *record) {
	if r.other != nil {
		r.other.other = nil
	}
	if r.sequence == (conn.Sequence{}) {
		delete(x.attempts, r.id())
	} else {
		delete(x.established, r.sequence)
	}
	delete(x.names, r)
	x.free(r)
}

// free keeps the memory of a record to use it again.
func (x *Index) free(r *record) {
	if *r = (record{}); len(x.spare) < maxSpare {
		x.spare = append(x.spare, r)
	}
}
