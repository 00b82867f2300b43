package owner

import "errors"

// The errors of a hierarchy that has no path for an id.
var (
	errGone       = errors.New("no cgroup has this id")
	errNoHandles  = errors.New("file handles cannot be opened")
	errOutOfReach = errors.New("cgroup is outside of what the mount shows")
)

// hierarchy returns the hierarchy of an id, or nil if it is not mounted.
func (r *Resolver) hierarchy(id groupID) *hierarchy {
	if id.v1 {
		return r.version1
	}
	return r.version2
}

// locate asks the system for the path of a cgroup that Learn was not told of.
func (r *Resolver) locate(id groupID) *group {
	h := r.hierarchy(id)
	if h == nil {
		return unplaced(NoMount)
	}
	path, err := h.find(id.number)
	switch {
	case err == nil:
		return r.known(id, path)
	case errors.Is(err, errNoHandles):
		return r.search(h, id)
	case errors.Is(err, errGone):
		return unplaced(Gone)
	}
	return unplaced(Unreadable)
}

// search walks all cgroups for one, and remembers the others, because the next one to be looked up is probably among
// them.
func (r *Resolver) search(h *hierarchy, id groupID) *group {
	if r.walks == 0 {
		return unplaced(Deferred)
	}
	r.walks--
	r.stats.Walks++
	found := unplaced(Gone)
	h.walk(func(number uint64, path string) {
		at := groupID{number, id.v1}
		switch {
		case at == id:
			found = r.known(at, path)
		case r.groups[at] == nil && len(r.groups) < r.limit:
			r.groups[at] = r.known(at, path)
		}
	})
	return found
}

func unplaced(why Reason) *group { return &group{reason: why, age: age{used: true}} }
