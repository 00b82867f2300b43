package flow

import (
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// resource is one owner's flows.
type resource struct {
	owner    conn.Owner
	flows    map[Key]*flow // all but the overflow
	named    int           // flows of connections; the limit is on these
	room     room[*flow]
	overflow *flow   // nil: nothing is beyond a limit
	shown    []*Flow // all of them, as they are handed out
	unsorted bool
	left     bool      // a flow was removed that is still in shown
	gone     bool      // the container is gone
	since    time.Time // the collection before its first flow
	released bool      // it is, or was, in a collection
	beyond   uint64    // connections and listeners in overflow
}

// flow is a Flow with what is needed to keep it.
type flow struct {
	Flow
	of      *resource
	users   int       // connections and listeners that are counted here and may still be reported
	floor   time.Time // last point of an earlier flow of the same identity
	changed time.Time // the last collection that showed a change
	touched bool      // changed since the last collection
	named   bool      // of connections, so that it counts for the limit
	hidden  bool      // not shown yet: Start may still be moved back
	valued  Parts     // that had a value at the last collection
}

// count adds increments.
func (f *flow) count(d conn.Counts) {
	if d != (conn.Counts{}) {
		f.Counts = f.Counts.Add(d)
		f.touched = true
	}
}

// coverFrom makes a flow that was not shown yet start no later than since, but not before an earlier flow of the same
// identity ended.
func (f *flow) coverFrom(since time.Time) {
	if !f.hidden || !since.Before(f.Start) {
		return
	}
	f.Start = since
	if f.Start.Before(f.floor) {
		f.Start = f.floor
	}
}

// resource returns the resource of an owner, or that of the host where the owner is beyond the limit.
func (t *Table) resource(o conn.Owner) (r *resource, within bool) {
	if r := t.resources[o]; r != nil {
		r.gone = false // a container with a connection exists
		return r, true
	}
	if !t.admits(o) {
		r, _ := t.resource(conn.Owner{})
		return r, false
	}
	r = &resource{owner: o, flows: make(map[Key]*flow), room: room[*flow]{round: t.round - 1}, since: t.collected}
	t.keep(r)
	return r, true
}

// recent holds flows that were found lately. A key is large, and most connections belong to few flows.
// Comparing one key takes a fifth of the time of finding the owner and then the key in maps.
type recent [256]*flow

// slot returns where a flow with this key may be. It hashes a few bytes that differ between most keys.
func (r *recent) slot(k *Key) **flow {
	n := uint(k.ServerPort)*5 + uint(k.Role)
	for _, s := range [...]string{k.Owner.ContainerID, k.Owner.Executable, k.Peer[names.PeerName]} {
		if len(s) > 0 {
			n = n*31 + uint(s[0])*17 + uint(s[len(s)-1])
		}
	}
	return &r[n%uint(len(r))]
}

// user is what a flow is wanted for.
type user uint8

const (
	established user = iota // a connection
	failed                  // an attempt
	ofListener              // a listener
)

// place returns the flow that a key of a connection is counted in: its own, or the overflow flow of its resource or of
// the host. If there is no room it returns current, unless that is nil.
func (t *Table) place(k *Key, current *flow, u user) *flow {
	if current != nil && current.Key == *k {
		current.of.gone = false // a container with a connection exists
		return current
	}
	slot := t.recent.slot(k)
	if f := *slot; f != nil && f.Key == *k {
		f.of.gone = false // a container with a connection exists
		return f
	}
	f := t.find(*k, current, u)
	if !f.Overflow && f != current {
		*slot = f
	}
	return f
}

func (t *Table) find(k Key, current *flow, u user) *flow {
	r, within := t.resource(k.Owner)
	cause := ByResources
	switch {
	case within && k.Rest:
		cause = ByPeers
	case within:
		cause = ByResource
		if f := t.named(r, k, u); f != nil {
			return f
		}
	}
	if current != nil {
		return current
	}
	t.overflowed[cause]++
	if cause == ByResource {
		r.beyond++
	}
	return t.overflow(r)
}

// named returns the flow of a key, or nil if there is no room for it. A failed attempt makes no room: a scan would end
// one flow with another.
func (t *Table) named(r *resource, k Key, u user) *flow {
	f := r.flows[k]
	limit := t.config.LimitPerResource
	switch {
	case f != nil && (f.named || u == ofListener):
		return f
	case u == ofListener && len(r.flows)-r.named >= limit:
		return nil
	case u != ofListener && r.named >= limit && (u == failed || !t.makeRoom(r)):
		return nil
	}
	if f == nil {
		f = t.newFlow(r, identity{key: k})
		r.flows[k] = f
	}
	if u != ofListener {
		f.named = true
		r.named++
	}
	return f
}

// overflow returns the flow for what is beyond a limit of r.
func (t *Table) overflow(r *resource) *flow {
	if r.overflow == nil {
		r.overflow = t.newFlow(r, identity{key: Key{Owner: r.owner}, overflow: true})
	}
	return r.overflow
}

// newFlow makes a flow that starts at the last collection, so that its first point covers its first traffic.
func (t *Table) newFlow(r *resource, id identity) *flow {
	f := &flow{
		Flow:    Flow{Key: id.key, Overflow: id.overflow, Start: t.collected},
		of:      r,
		floor:   t.expired[id],
		touched: true,
		hidden:  true,
	}
	r.shown = append(r.shown, &f.Flow)
	r.unsorted = true
	return f
}

// sort puts the flows in the order in which they are shown.
func (r *resource) sort() {
	if !r.unsorted {
		return
	}
	slices.SortFunc(r.shown, func(a, b *Flow) int {
		if a.Overflow != b.Overflow {
			if a.Overflow {
				return 1
			}
			return -1
		}
		return a.Key.compare(&b.Key)
	})
	r.unsorted = false
}

// show marks a flow as shown by the collection at now, and reports whether it expires instead: it has been
// idle, and an earlier collection has shown that no connection is left in it.
func (f *flow) show(now time.Time, life time.Duration) (expired bool) {
	if f.touched {
		f.changed, f.touched = now, false
	}
	f.hidden = false
	f.Shown, f.valued = f.Shown|f.valued, f.Parts()
	return f.users == 0 && now.Sub(f.changed) >= life
}

// goneLife is how long the idle flows of a container that is gone are kept.
const goneLife = 5 * time.Minute

// expire shows or removes every flow of r.
func (t *Table) expire(r *resource, now time.Time) {
	life := t.config.ExpireAfter
	if r.gone {
		life = min(life, goneLife)
	}
	for k, f := range r.flows {
		if f.show(now, life) {
			delete(r.flows, k)
			r.leave(f)
			r.left = true
			t.retire(f)
		}
	}
	if f := r.overflow; f != nil && f.show(now, life) {
		r.overflow, r.left = nil, true
		t.retire(f)
	}
	if r.left {
		r.left = false
		r.shown = slices.DeleteFunc(r.shown, func(f *Flow) bool { return !r.holds(f) })
	}
}

func (r *resource) holds(f *Flow) bool {
	if f.Overflow {
		return r.overflow != nil
	}
	kept := r.flows[f.Key]
	return kept != nil && &kept.Flow == f
}

// retire remembers when an expired flow was last shown: at the last collection, like every flow.
func (t *Table) retire(f *flow) {
	if slot := t.recent.slot(&f.Key); *slot == f {
		*slot = nil
	}
	t.expired[identity{key: f.Key, overflow: f.Overflow}] = t.collected
}

// forgetExpired drops the record of expired flows when their last point can no longer matter: a connection that
// was first reported before that point has been credited by now.
func (t *Table) forgetExpired(now time.Time) {
	for id, last := range t.expired {
		if now.Sub(last) >= t.config.Patience {
			delete(t.expired, id)
		}
	}
}
