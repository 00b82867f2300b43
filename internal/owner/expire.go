package owner

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

const (
	// idleLimit is how long an unused answer is remembered. A socket may outlive its cgroup by the minutes in which the
	// kernel tries to send its data.
	idleLimit = 5 * time.Minute
	// maxEntries bounds each of the maps. A node has a few hundred cgroups; the rest is room for those that are made
	// and removed within idleLimit. An entry takes about 500 bytes.
	maxEntries = 1 << 16
	// walksPerExpire bounds the searches between two calls of Expire: one costs a few microseconds a cgroup.
	walksPerExpire = 4
)

// age is the time of an entry's last use, as seen by the calls of Expire: a use only sets a bit.
type age struct {
	used bool
	last time.Time
}

// idle reports whether the entry was not used for idleLimit.
func (a *age) idle(now time.Time) bool {
	if a.used || a.last.IsZero() {
		a.used, a.last = false, now
		return false
	}
	return now.Sub(a.last) > idleLimit
}

// Expire forgets what was not used for some minutes: removed cgroups and containers, executables, and ids without a
// path. A cgroup that still exists is kept, so that the name of its container does not change. Call it about once a
// collection: afterwards the ids that the system had no answer for are looked up again.
//
// It returns the owners whose container was removed, each once.
func (r *Resolver) Expire(now time.Time) (gone []conn.Owner) {
	r.walks = walksPerExpire
	for id, g := range r.groups {
		if g.reason == Unreadable || g.age.idle(now) && !r.alive(id, g, now) {
			delete(r.groups, id)
		} else if c := r.containers[g.key()]; c != nil {
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
			if c.hierarchy != nil { // else it is not known whether it still exists
				gone = append(gone, c.owner)
			}
		}
	}
	return gone
}

// alive reports whether a cgroup still exists; if so, it is not checked again for idleLimit.
func (r *Resolver) alive(id groupID, g *group, now time.Time) bool {
	if g.reason != none {
		return false
	}
	h := r.hierarchy(id)
	if h == nil || !h.has(id.number, g.path) {
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
