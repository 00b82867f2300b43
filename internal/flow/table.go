package flow

import (
	"cmp"
	"slices"
	"time"
	"unique"

	"github.com/netconn/netconn/internal/conn"
)

// Table holds the open connections and the flows that they are counted in.
type Table struct {
	config Config
	start  time.Time

	connections map[conn.ID]*connection
	visits      visits        // connections that the next collection has something to do for
	ended       []conn.ID     // connections that ended since the last Settle, in order; each has a visit
	due         []conn.ID     // those that ended before that: the next Settle looks them up
	waiting     []conn.ID     // those that it found no identity for
	retired     []retired     // ended connections and listeners, oldest first
	spare       []*connection // to be used again
	tombstone   *connection   // stands for all connections with a credited end
	listeners   map[conn.ID]*listener

	resources  map[conn.Owner]*resource
	programs   int                               // resources that are programs of the host
	units      map[string]int                    // those of each unit
	rooms      map[resourceKind]*room[*resource] // of this round
	overflowed [Causes]uint64                    // connections and listeners in overflow
	evicted    uint64                            // flows and resources that made room for others
	recent     recent
	unsorted   bool // there is a resource that is not in order yet
	order      []*resource
	view       []Resource
	expired    map[identity]time.Time // expired flows, with the time of their last point

	collected time.Time // the last collection
	round     uint32    // of collections
	losses    conn.Losses
	passed    time.Time // the last full pass
	passes    int       // full passes that are wanted
	late      uint64
	lost      uint64
	open      int // connections that have not ended
	limit     limit
	held      int // connections that the caller keeps until it counts them
}

// retired is a connection or a listener with an end that is remembered.
type retired struct {
	id    conn.ID
	since time.Duration // since the table's start
}

// maxSpare bounds what is kept to be used again: as many connections as begin and end between two readings of
// the kernel on a busy machine.
const maxSpare = 4096

// New returns an empty table. What the first collection shows starts now.
func New(c Config, now time.Time) *Table {
	return &Table{
		config:      c.withDefaults(),
		start:       now,
		connections: make(map[conn.ID]*connection),
		tombstone:   &connection{over: true, ended: true, visit: -1},
		listeners:   make(map[conn.ID]*listener),
		resources:   make(map[conn.Owner]*resource),
		units:       make(map[string]int),
		rooms:       make(map[resourceKind]*room[*resource]),
		expired:     make(map[identity]time.Time),
		collected:   now,
		passed:      now,
	}
}

// Apply takes one report of a connection. Its totals are absolute: the maximum of every counter counts, but the
// totals of the end are final. Nothing shows before the next Collect.
func (t *Table) Apply(c conn.Conn, now time.Time) {
	k, known := t.connections[c.ID]
	if !known && t.Beyond(&c) {
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
		c.Counts.Raise(before)
	}
	changed := !known || c.Phase != conn.Open || *before != c.Counts.Totals()
	if changed || !k.settled || k.owner.Value() != c.Owner {
		t.note(k, &c, changed, now)
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

// totals returns the maxima of all reports so far.
func (t *Table) totals(k *connection) *conn.Totals {
	if k.visit >= 0 {
		return &t.visits.at(k.visit).totals
	}
	return &k.credited
}

// note keeps a report for the next collection. Changed is false for a report that repeats what is known.
func (t *Table) note(k *connection, c *conn.Conn, changed bool, now time.Time) {
	if k.owner.Value() != c.Owner {
		k.owner, k.settled = unique.Make(c.Owner), false
	}
	k.sample = k.sample || changed
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
		t.ended = append(t.ended, c.ID)
	}
}

// Collected returns the time of the last collection.
func (t *Table) Collected() time.Time { return t.collected }

// Gone says that the container of an owner is gone: its idle flows expire after five minutes, or after ExpireAfter if
// that is shorter.
func (t *Table) Gone(o conn.Owner) {
	if r := t.resources[o]; r != nil {
		r.gone = true
	}
}

// Stats returns the present numbers and the counters since New.
func (t *Table) Stats() Stats {
	s := Stats{
		Resources:   len(t.resources),
		Connections: t.open,
		Late:        t.late,
		Lost:        t.lost,
		Deferred:    t.limit.deferred,
		Beyond:      t.overflowed,
		Evicted:     t.evicted,

		Pending: t.held,

		AtMaxConnections: len(t.connections)+t.held >= t.config.MaxConnections,
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
		s.Flows += len(r.flows)
		if r.overflow != nil {
			s.Flows++
			s.Overflow++
		}
		if r.beyond > 0 {
			s.Full = append(s.Full, Full{Owner: r.owner, Beyond: r.beyond})
		}
	}
	slices.SortFunc(s.Full, func(a, b Full) int {
		return cmp.Or(cmp.Compare(b.Beyond, a.Beyond), compareOwners(a.Owner, b.Owner))
	})
	return s
}
