package flow

import (
	"maps"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

const (
	// patience is how long a connection waits for its identity to be settled, from its first report.
	patience = 2 * time.Second
	// curiosity is how long an idle connection is asked about at every collection; after that only when it is reported.
	curiosity = time.Minute
	// mourning is how long the end of a connection is remembered after it was credited, to know late reports. Those come
	// with the snapshot that the end overtook, so one snapshot would do.
	mourning = 10 * time.Second
)

// Table holds the connections that live and the flows that they are counted in.
type Table struct {
	config Config
	start  time.Time

	connections map[conn.ID]*connection
	visits      []visit // connections that the next collection has something to do for
	graves      []grave // of ended connections and listeners, oldest first
	listeners   map[conn.ID]*listener

	resources map[conn.Owner]*resource
	unsorted  bool // there is a resource that is not in order yet
	order     []*resource
	view      []Resource
	buried    map[identity]time.Time // expired flows, with the time of their last point

	collected time.Time // the last collection
	round     uint32    // of collections
	losses    conn.Losses
	passed    time.Time // the last full pass
	passes    int       // full passes that are wanted
	late      uint64
	lost      uint64
	open      int // connections that have not ended
	limit     limit
}

// grave is where the end of a connection or a listener is remembered.
type grave struct {
	id    conn.ID
	since time.Time
}

// New returns an empty table. What the first collection shows starts now.
func New(c Config, now time.Time) *Table {
	return &Table{
		config:      c.withDefaults(),
		start:       now,
		connections: make(map[conn.ID]*connection),
		listeners:   make(map[conn.ID]*listener),
		resources:   make(map[conn.Owner]*resource),
		buried:      make(map[identity]time.Time),
		collected:   now,
		passed:      now,
	}
}

// Apply takes one report of a connection. Its totals are absolute: the maximum of every counter counts, but those of the
// end are final. Nothing shows before the next Collect.
func (t *Table) Apply(c conn.Conn, now time.Time) {
	k, known := t.connections[c.ID]
	if !known && t.beyond(c) {
		t.creditBeyond(c, now)
		return
	}
	if !known {
		k = t.track(c, now)
	}
	if k.over {
		t.late++
		return
	}
	k.round, k.missed = t.round, 0
	before := t.totals(k)
	if c.Phase == conn.Open {
		c.Counters = latest(before, c.Counters)
	}
	news := !known || c.Phase != conn.Open || !sameCounts(before, c.Counters)
	if news || !k.settled || k.owner != c.Owner {
		t.note(k, c, news)
	}
}

// track begins to keep a connection.
func (t *Table) track(c conn.Conn, now time.Time) *connection {
	k := &connection{owner: c.Owner, first: now.Sub(t.start), visit: -1}
	t.connections[c.ID] = k
	t.open++
	return k
}

// totals returns the maxima of what was reported so far.
func (t *Table) totals(k *connection) conn.Counters {
	if k.visit >= 0 {
		return t.visits[k.visit].report.Counters
	}
	return k.credited
}

// note keeps a report for the next collection. News is false for one that repeats what is known.
func (t *Table) note(k *connection, c conn.Conn, news bool) {
	if k.owner != c.Owner {
		k.owner, k.settled = c.Owner, false
	}
	if c.Phase != conn.Open {
		if k.over = true; !k.lost {
			t.open--
		}
	}
	k.sample = k.sample || news
	if k.visit >= 0 {
		t.visits[k.visit].report = c
		return
	}
	k.visit = int32(len(t.visits))
	t.visits = append(t.visits, visit{of: k, since: t.collected, report: c})
}

// Collect credits what was reported since the last collection, as far as id can tell where, and returns every flow. It
// asks id only about connections of which something was reported, and about those whose identity may still settle. What
// it returns is valid until the next call of any method of the table.
func (t *Table) Collect(now time.Time, id Identify) []Resource {
	t.creditAll(now, id)
	t.forget(now)
	t.show(now)
	t.exhume(now)
	t.collected = now
	t.round++
	return t.view
}

// creditAll visits the connections that are waiting for it, and keeps those that must be visited again.
func (t *Table) creditAll(now time.Time, id Identify) {
	n := len(t.visits)
	kept := t.visits[:0]
	for i := range t.visits {
		v := &t.visits[i]
		k := v.of
		if k.visit = -1; t.credit(v, now, id) {
			k.visit = int32(len(kept))
			kept = append(kept, *v)
		}
	}
	clear(t.visits[len(kept):])
	t.visits = kept
	if cap(kept) > 4*n+1024 { // after a full pass there is room for every connection
		t.visits = append(make([]visit, 0, n), kept...)
	}
}

// credit credits one connection, and tells whether it must be visited again without a new report.
func (t *Table) credit(v *visit, now time.Time, id Identify) (again bool) {
	k := v.of
	age := now.Sub(t.start) - k.first
	f := t.identify(v, age, id)
	if f == nil {
		return true
	}
	f.coverFrom(v.since)
	k.move(f)
	k.credit(f, v.report, t.config.Buckets)
	if k.over {
		t.graves = append(t.graves, grave{id: v.report.ID, since: now})
		return false
	}
	v.since = now
	return !k.settled && age < curiosity
}

// identify returns the flow that a connection is to be credited to, or nil where a better answer is worth waiting for.
func (t *Table) identify(v *visit, age time.Duration, id Identify) *flow {
	k := v.of
	if k.flow != nil && (k.settled || k.flow.Overflow) {
		return k.flow
	}
	key, settled := id(v.report)
	if k.flow == nil && !settled && age < patience {
		return nil
	}
	f := t.place(key, k.flow)
	k.settled = settled || f.Overflow
	return f
}

// forget gives up the memory of ends that no late report can follow.
func (t *Table) forget(now time.Time) {
	t.limit.unseal(now)
	n := 0
	for n < len(t.graves) && now.Sub(t.graves[n].since) >= mourning {
		id := t.graves[n].id
		if k := t.connections[id]; k != nil && k.over {
			t.drop(id, k)
		}
		if l := t.listeners[id]; l != nil && l.over {
			t.dropListener(id, l)
		}
		n++
	}
	t.graves = slices.Delete(t.graves, 0, n)
}

func (t *Table) drop(id conn.ID, k *connection) {
	k.leave()
	delete(t.connections, id)
}

// show expires what is silent and puts the rest in order.
func (t *Table) show(now time.Time) {
	for o, r := range t.resources {
		if t.expire(r, now); len(r.shown) == 0 {
			delete(t.resources, o)
			t.unsorted = true
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
		t.view = append(t.view, Resource{Owner: r.owner, Flows: r.shown})
	}
}

// Gone tells that the container of an owner is gone: its idle flows expire after five minutes, or after ExpireAfter if
// that is shorter.
func (t *Table) Gone(o conn.Owner) {
	if r := t.resources[o]; r != nil {
		r.gone = true
	}
}

// Stats tells how much there is now.
func (t *Table) Stats() Stats {
	s := Stats{
		Resources:   len(t.resources),
		Connections: t.open,
		Late:        t.late,
		Lost:        t.lost,
		Deferred:    t.limit.deferred,
		Beyond:      t.limit.ends,
	}
	for i := range t.visits {
		if t.visits[i].of.flow == nil {
			s.Pending++
		}
	}
	for _, l := range t.listeners {
		if !l.over {
			s.Listeners++
		}
	}
	for _, r := range t.resources {
		s.Flows += len(r.shown)
		if r.overflow != nil {
			s.Overflow++
		}
	}
	return s
}
