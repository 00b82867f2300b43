package owner

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

const (
	// idleLimit is how long an answer is remembered that nobody asked for. A socket may outlive its cgroup by the
	// minutes that the kernel tries to send what it holds.
	idleLimit = 5 * time.Minute
	// maxEntries bounds each of the maps. A node runs a few hundred cgroups; the rest is room for cgroups that are made
	// and gone within idleLimit. An entry is about 500 bytes.
	maxEntries = 1 << 16
	// walksPerExpire bounds the searches between two calls of Expire: one costs a few microseconds a cgroup.
	walksPerExpire = 4
	// maxLearned is the length from which a path may be one that the kernel cut.
	maxLearned = 511
)

// age tells when an entry was last asked for, as seen from the calls of Expire: a hit only sets a bit.
type age struct {
	used bool
	last time.Time
}

// idle tells whether nobody asked for the entry for idleLimit.
func (a *age) idle(now time.Time) bool {
	if a.used || a.last.IsZero() {
		a.used, a.last = false, now
		return false
	}
	return now.Sub(a.last) > idleLimit
}

// Expire forgets what nobody asked for in some minutes: cgroups and containers that are gone, executables, and ids that
// had no path. A cgroup that is still there is kept, so that a container's name stays what it was. Call it once a
// collection or so: it also lets those ids be asked for again that the system had no answer for.
//
// It returns the owners whose container is gone, once each.
func (r *Resolver) Expire(now time.Time) (gone []conn.Owner) {
	r.walks = walksPerExpire
	for id, g := range r.groups {
		if g.reason == Unreadable || g.age.idle(now) && !r.alive(id, g, now) {
			delete(r.groups, id)
		} else if c := r.containers[g.place.container]; c != nil {
			c.age.used = true
		}
	}
	for key, p := range r.programs {
		if p.age.idle(now) {
			delete(r.programs, key)
		}
	}
	for id, c := range r.containers {
		if c.age.idle(now) && !c.alive(now) {
			delete(r.containers, id)
			if c.hierarchy != nil { // or nobody knows
				gone = append(gone, c.owner)
			}
		}
	}
	return gone
}

// alive tells whether a cgroup is still there, and if so lets it be for another idleLimit.
func (r *Resolver) alive(id uint64, g *group, now time.Time) bool {
	if g.reason != none {
		return false
	}
	h := r.hierarchy(id)
	if h == nil || !h.has(id&^V1, g.path) {
		return false
	}
	g.age.last = now
	return true
}

func (c *container) alive(now time.Time) bool {
	if c.hierarchy == nil || !c.hierarchy.has(c.id, c.top) {
		return false
	}
	c.age.last = now
	return true
}
