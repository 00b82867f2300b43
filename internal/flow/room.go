package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Cause is the limit that a connection or a listener is in overflow for.
type Cause uint8

const (
	ByResource    Cause = iota // LimitPerResource
	ByResources                // MaxResources, or the share of it that programs have
	ByConnections              // MaxConnections
	ByPeers                    // the kernel's room for peers of UDP sockets; each socket counts once
	Causes                     // how many there are
)

// String returns the name of the limit in a configuration.
func (c Cause) String() string {
	return [...]string{"limit_per_resource", "max_resources", "max_connections", "udp_peers"}[c]
}

// Programs of the host are resources that any user makes as many of as he likes. So they have a half of MaxResources,
// and those of one unit a quarter.
const (
	programShare = 2
	unitShare    = 4
)

// program reports whether an owner is a program of the host, or a container whose id its user gave.
func program(o conn.Owner) bool { return o.Unit != "" || o.ContainerID == "" && o.PodUID == "" }

// idle reports whether a flow can leave: nothing is open in it, and the last collection has shown all that it counted.
func (f *flow) idle() bool { return f.users == 0 && !f.touched && !f.hidden }

// onlyFailed reports whether no connection of a flow was ever established.
func (f *flow) onlyFailed() bool {
	return !f.Listens && f.Outcomes[Attempts][conn.NoError] == 0 && f.Outcomes[Ends] == [conn.Errors]uint64{} &&
		f.Counts == conn.Counts{}
}

// A room hands out what is idle at a limit, once a round. Nothing becomes idle within a round.
type room[T any] struct {
	round uint32
	idle  []T // the first to leave comes last
}

// next returns what leaves first, or false.
func (r *room[T]) next(round uint32, all func() []T, still func(T) bool) (leaving T, found bool) {
	if r.round != round {
		r.round, r.idle = round, all()
	}
	for n := len(r.idle); n > 0; n = len(r.idle) {
		leaving, r.idle = r.idle[n-1], r.idle[:n-1]
		if still(leaving) {
			return leaving, true
		}
	}
	return leaving, false
}

// makeRoom removes an idle flow of the resource, and reports whether there was one: failed attempts leave first, then
// what has been idle for longest.
func (t *Table) makeRoom(r *resource) bool {
	f, found := r.room.next(t.round, r.idle, func(f *flow) bool { return f.idle() && r.flows[f.Key] == f })
	if found {
		delete(r.flows, f.Key)
		r.leave(f)
		r.left = true
		t.retire(f)
		t.evicted++
	}
	return found
}

// idle returns the flows of connections that can leave.
func (r *resource) idle() (all []*flow) {
	for _, f := range r.flows {
		if f.named && f.idle() {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *flow) int {
		return cmp.Or(compareBools(a.onlyFailed(), b.onlyFailed()), b.changed.Compare(a.changed), b.Key.compare(&a.Key))
	})
	return all
}

// leave gives back the room of a flow.
func (r *resource) leave(f *flow) {
	if f.named {
		r.named--
	}
}

// admits reports whether there is room for a resource of an owner, and makes some if that is possible. A program takes
// the room of programs only, and of those of its unit where these have their share. A container takes that of programs
// first.
func (t *Table) admits(o conn.Owner) bool {
	limit := t.config.MaxResources
	owners := len(t.resources)
	if t.resources[conn.Owner{}] != nil {
		owners--
	}
	programs, containers := resourceKind{programs: true, all: true}, resourceKind{all: true}
	switch {
	case o == conn.Owner{}:
		return true
	case !program(o):
		return owners < limit || t.makeRoomAmong(programs) || t.makeRoomAmong(containers)
	case t.units[o.Unit] >= max(1, limit/unitShare):
		return t.makeRoomAmong(resourceKind{programs: true, unit: o.Unit})
	}
	return owners < limit && t.programs < max(1, limit/programShare) || t.makeRoomAmong(programs)
}

// resourceKind is a set of resources: programs, all or those of a unit, or containers.
type resourceKind struct {
	programs, all bool
	unit          string
}

func (k resourceKind) has(o conn.Owner) bool {
	return o != conn.Owner{} && program(o) == k.programs && (k.all || o.Unit == k.unit)
}

// makeRoomAmong removes an idle resource of a kind, and reports whether there was one.
func (t *Table) makeRoomAmong(k resourceKind) bool {
	if t.rooms[k] == nil {
		t.rooms[k] = &room[*resource]{round: t.round - 1}
	}
	r, found := t.rooms[k].next(t.round, func() []*resource { return t.idle(k) },
		func(r *resource) bool { return t.resources[r.owner] == r && r.allIdle() })
	if !found {
		return false
	}
	for _, f := range r.flows {
		t.retire(f)
	}
	if r.overflow != nil {
		t.retire(r.overflow)
	}
	t.forget(r)
	t.evicted++
	return true
}

// idle returns the resources of a kind that can leave: those that are gone last, and before them what has been idle for
// longest.
func (t *Table) idle(k resourceKind) (all []*resource) {
	changed := make(map[*resource]time.Time)
	for o, r := range t.resources {
		if k.has(o) && r.allIdle() {
			all, changed[r] = append(all, r), r.changed()
		}
	}
	slices.SortFunc(all, func(a, b *resource) int {
		return cmp.Or(compareBools(a.gone, b.gone), changed[b].Compare(changed[a]), compareOwners(b.owner, a.owner))
	})
	return all
}

// allIdle reports whether all flows of a resource can leave.
func (r *resource) allIdle() bool {
	for _, f := range r.flows {
		if !f.idle() {
			return false
		}
	}
	return r.overflow == nil || r.overflow.idle()
}

// changed returns the last time that a flow of the resource changed.
func (r *resource) changed() (last time.Time) {
	for _, f := range r.flows {
		if f.changed.After(last) {
			last = f.changed
		}
	}
	if f := r.overflow; f != nil && f.changed.After(last) {
		last = f.changed
	}
	return last
}

// keep and forget count the resources of programs.
func (t *Table) keep(r *resource) {
	t.resources[r.owner] = r
	t.unsorted = true
	if r.owner != (conn.Owner{}) && program(r.owner) {
		t.programs++
		t.units[r.owner.Unit]++
	}
}

func (t *Table) forget(r *resource) {
	delete(t.resources, r.owner)
	t.unsorted = true
	if r.owner == (conn.Owner{}) || !program(r.owner) {
		return
	}
	t.programs--
	if t.units[r.owner.Unit]--; t.units[r.owner.Unit] == 0 {
		delete(t.units, r.owner.Unit)
	}
}
