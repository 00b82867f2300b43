package flow

import (
	"maps"
	"slices"
	"time"
	"unique"

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
	visits      visits        // connections that the next collection has something to do for
	ends        []conn.ID     // of visits, those that ended since the last Settle, in order
	due         []conn.ID     // those that ended before that: the next Settle asks about them
	waiting     []conn.ID     // those that it was not told enough of
	graves      []grave       // of ended connections and listeners, oldest first
	spare       []*connection // to be used again
	dead        *connection   // stands for all whose end is credited: nothing but that is remembered of them
	listeners   map[conn.ID]*listener

	resources map[conn.Owner]*resource
	recent    recent
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
	since time.Duration // since the table's start
}

// maxSpare bounds what is kept to be used again: as many as begin and end between two readings of the kernel on a busy machine.
const maxSpare = 4096

// New returns an empty table. What the first collection shows starts now.
func New(c Config, now time.Time) *Table {
	return &Table{
		config:      c.withDefaults(),
		start:       now,
		connections: make(map[conn.ID]*connection),
		dead:        &connection{over: true, ended: true, visit: -1},
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
	if !known && t.beyond(&c) {
		t.creditBeyond(&c, now)
		return
	}
	if !known {
		k = t.track(&c, now)
	}
	if k.over {
		t.late++
		return
	}
	k.round, k.missed = t.round, 0
	before := t.totals(k)
	if c.Phase == conn.Open {
		c.Counts = before.Max(c.Counts)
	}
	news := !known || c.Phase != conn.Open || before != c.Counts
	if news || !k.settled || k.owner.Value() != c.Owner {
		t.note(k, &c, news, now)
	}
}

// track begins to keep a connection.
func (t *Table) track(c *conn.Conn, now time.Time) *connection {
	var k *connection
	if n := len(t.spare); n > 0 {
		k, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		k = new(connection)
	}
	*k = connection{owner: unique.Make(c.Owner), first: now.Sub(t.start), visit: -1}
	t.connections[c.ID] = k
	t.open++
	return k
}

// totals returns the maxima of what was reported so far.
func (t *Table) totals(k *connection) conn.Counts {
	if k.visit >= 0 {
		return t.visits.at(k.visit).counts.unpack()
	}
	return k.credited.unpack()
}

// note keeps a report for the next collection. News is false for one that repeats what is known.
func (t *Table) note(k *connection, c *conn.Conn, news bool, now time.Time) {
	if k.owner.Value() != c.Owner {
		k.owner, k.settled = unique.Make(c.Owner), false
	}
	k.sample = k.sample || news
	if k.visit < 0 {
		k.visit = int32(t.visits.n)
		v := t.visits.add()
		v.of, v.since = k, t.collected.Sub(t.start)
	}
	v := t.visits.at(k.visit)
	v.keep(c)
	if c.Phase != conn.Open {
		if k.over = true; !k.lost {
			t.open--
		}
		v.ended = now.Sub(t.start)
		t.ends = append(t.ends, c.ID)
	}
}

// Settle credits the connections that have ended, as far as id is certain of them or has had two seconds since: nothing has to be kept of
// them until the next Collect then. Call it after each reading of the kernel, after which no late report can follow. It asks about a
// connection one reading after that of its end, which may bring the other end, and once more when its time is over. Nothing shows before
// the next Collect.
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
	t.due, t.ends = t.ends, t.due[:0]
}

// settle credits one connection that has ended, and tells whether there is nothing left to do for it.
func (t *Table) settle(ended conn.ID, now time.Time, id Identify, waited bool) (done bool) {
	k := t.connections[ended]
	if k == nil || k.visit < 0 {
		return true // a collection came first
	}
	v := t.visits.at(k.visit)
	late := now.Sub(t.start)-v.ended >= patience
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
	t.visits.cut(int(kept))
}

// visit credits one connection, and tells whether it must be visited again without a new report.
func (t *Table) visit(v *visit, now time.Time, id Identify) (again bool) {
	k := v.of
	age := now.Sub(t.start) - k.first
	f := t.identify(v, age >= patience || k.flow != nil, id)
	if f == nil {
		return true
	}
	t.credit(v, f)
	if k.over {
		t.connections[v.ID] = t.dead
		t.graves = append(t.graves, grave{id: v.ID, since: now.Sub(t.start)})
		t.dismiss(k)
		return false
	}
	v.since = now.Sub(t.start)
	return !k.settled && age < curiosity
}

// credit gives a flow what is new of a connection.
func (t *Table) credit(v *visit, f *flow) {
	f.coverFrom(t.start.Add(v.since))
	v.of.move(f)
	v.of.credit(f, v, t.config.Buckets)
}

// dismiss lets go of an ended connection.
func (t *Table) dismiss(k *connection) {
	k.leave()
	if len(t.spare) < maxSpare {
		t.spare = append(t.spare, k)
	}
}

// identify returns the flow that a connection is to be credited to, or nil where a better answer is worth waiting for, unless it must be
// credited now.
func (t *Table) identify(v *visit, must bool, id Identify) *flow {
	k := v.of
	if k.flow != nil && (k.settled || k.flow.Overflow) {
		return k.flow
	}
	key, settled := id(v.conn())
	if !settled && !must {
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
	for n < len(t.graves) && now.Sub(t.start)-t.graves[n].since >= mourning {
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
	for i := range int32(t.visits.n) {
		if t.visits.at(i).of.flow == nil {
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
