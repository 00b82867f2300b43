package flow

import (
	"maps"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Settle credits the connections that have ended, as far as id is certain of them or has had the patience
// since: then nothing of them has to be kept until the next Collect. Call it after each reading of the kernel,
// after which no late report can follow. It looks up a connection one reading after that of its end, which may
// bring the other end, and once more when the patience is over. Nothing shows before the next Collect.
func (t *Table) Settle(now time.Time, id Identify) {
	n := 0
	for n < len(t.waiting) && t.settle(t.waiting[n], now, id, true) {
		n++
	}
	t.waiting = slices.Delete(t.waiting, 0, n)
	for _, end := range t.due {
		if !t.settle(end, now, id, false) {
			t.waiting = append(t.waiting, end)
		}
	}
	t.due, t.ended = t.ended, t.due[:0]
}

// Unsettled reports whether the next Settle has a connection to look up. What only waits for the patience is not
// counted.
func (t *Table) Unsettled() bool { return len(t.due)+len(t.ended) > 0 }

// settle credits one connection that has ended, and reports whether there is nothing left to do for it.
func (t *Table) settle(ended conn.ID, now time.Time, id Identify, waited bool) (done bool) {
	k := t.connections[ended]
	if k == nil || k.visit < 0 {
		return true // a collection came first
	}
	v := t.visits.at(k.visit)
	late := now.Sub(t.start)-v.ended >= t.config.Patience
	if waited && !late {
		return false
	}
	f := t.identify(v, late, id)
	if f == nil {
		return false
	}
	t.credit(v, f)
	t.visits.remove(k.visit)
	t.dismiss(k)
	delete(t.connections, ended)
	return true
}

// Collect credits what was reported since the last collection, as far as id identifies it, and returns every
// flow. It calls id only for connections with a new report, and for those with an identity that may still
// settle. The result is valid until the next call of any method of the table.
func (t *Table) Collect(now time.Time, id Identify) []Resource {
	t.creditAll(now, id)
	t.forgetEnds(now)
	t.show(now)
	t.forgetExpired(now)
	t.collected = now
	t.round++
	clear(t.rooms)
	return t.view
}

// creditAll visits the connections that have a visit, and keeps those that must be visited again.
func (t *Table) creditAll(now time.Time, id Identify) {
	kept := int32(0)
	for i := range int32(t.visits.n) {
		v := t.visits.at(i)
		k := v.of
		if k.visit = -1; !t.visit(v, now, id) {
			continue
		}
		k.visit = kept
		if kept != i {
			*t.visits.at(kept) = *v
		}
		kept++
	}
	t.visits.truncate(int(kept))
}

// visit credits one connection, and reports whether it must be visited again without a new report.
func (t *Table) visit(v *visit, now time.Time, id Identify) (again bool) {
	k := v.of
	age := now.Sub(t.start) - k.first
	f := t.identify(v, age >= t.config.Patience || k.flow != nil, id)
	if f == nil {
		return true
	}
	t.credit(v, f)
	if k.over {
		t.connections[v.ID] = t.tombstone
		t.retired = append(t.retired, retired{id: v.ID, since: now.Sub(t.start)})
		t.dismiss(k)
		return false
	}
	v.since = now.Sub(t.start)
	return !k.settled && age < t.config.lookupFor()
}

// credit gives a flow what is new of a connection.
func (t *Table) credit(v *visit, f *flow) {
	f.coverFrom(t.start.Add(v.since))
	v.of.move(f)
	v.of.credit(f, v, &t.config.Bounds)
}

// dismiss drops an ended connection, and keeps its memory to use it again.
func (t *Table) dismiss(k *connection) {
	k.release()
	if len(t.spare) < maxSpare {
		t.spare = append(t.spare, k)
	}
}

// identify returns the flow that a connection is to be credited to. It returns nil if a better identity may
// come, unless the connection must be credited now.
func (t *Table) identify(v *visit, must bool, id Identify) *flow {
	k := v.of
	if k.flow != nil && (k.settled || k.flow.Overflow) {
		return k.flow
	}
	key, settled := id(v.conn())
	if !settled && !must {
		return nil
	}
	u := established
	if v.Phase == conn.Failed {
		u = failed
	}
	f := t.place(&key, k.flow, u)
	k.settled = settled || f.Overflow
	return f
}

// forgetEnds drops the ends after which no late report can follow.
func (t *Table) forgetEnds(now time.Time) {
	life := t.config.rememberFor()
	t.limit.unseal(now, life)
	n := 0
	for n < len(t.retired) && now.Sub(t.start)-t.retired[n].since >= life {
		id := t.retired[n].id
		if k := t.connections[id]; k != nil && k.over {
			t.drop(id, k)
		}
		if l := t.listeners[id]; l != nil && l.over {
			t.dropListener(id, l)
		}
		n++
	}
	t.retired = slices.Delete(t.retired, 0, n)
}

func (t *Table) drop(id conn.ID, k *connection) {
	k.release()
	delete(t.connections, id)
}

// show expires idle flows and sorts the others.
func (t *Table) show(now time.Time) {
	for _, r := range t.resources {
		if t.withhold(r, now) {
			continue
		}
		if t.expire(r, now); len(r.shown) == 0 {
			t.forget(r)
			continue
		}
		r.sort()
	}
	if t.unsorted {
		t.order = slices.SortedFunc(maps.Values(t.resources), func(a, b *resource) int {
			return compareOwners(a.owner, b.owner)
		})
		t.unsorted = false
	}
	clear(t.view)
	t.view = t.view[:0]
	for _, r := range t.order {
		if r.released {
			t.view = append(t.view, Resource{Owner: r.owner, Flows: r.shown})
		}
	}
}

// withhold reports whether a resource is left out. It is asked about once more at each collection, until it is shown.
func (t *Table) withhold(r *resource, now time.Time) bool {
	if !r.released {
		r.released = t.config.Withhold == nil || !t.config.Withhold(r.owner, now.Sub(r.since))
	}
	return !r.released
}
