package owner

import "errors"

// What a hierarchy answers when it has no path for an id.
var (
	errGone       = errors.New("no cgroup has this id")
	errNoHandles  = errors.New("file handles cannot be opened")
	errOutOfReach = errors.New("cgroup is outside of what the mount shows")
)

// hierarchy returns where the ids of a kind are found, or nil where that is not mounted.
func (r *Resolver) hierarchy(id uint64) *hierarchy {
	if id&V1 != 0 {
		return r.version1
	}
	return r.version2
}

// locate asks the system for the path of a cgroup that nobody told of.
func (r *Resolver) locate(id uint64) *group {
	h := r.hierarchy(id)
	if h == nil {
		return unplaced(NoMount)
	}
	path, err := h.find(id &^ V1)
	switch {
	case err == nil:
		return known(path)
	case errors.Is(err, errNoHandles):
		return r.search(h, id)
	case errors.Is(err, errGone):
		return unplaced(Gone)
	}
	return unplaced(Unreadable)
}

// search walks all cgroups for one, and remembers the others: the next one that is asked for is likely among them.
func (r *Resolver) search(h *hierarchy, id uint64) *group {
	if r.walks == 0 {
		return unplaced(Deferred)
	}
	r.walks--
	r.stats.Walks++
	found := unplaced(Gone)
	h.walk(func(at uint64, path string) {
		at |= id & V1
		switch {
		case at == id:
			found = known(path)
		case r.groups[at] == nil && len(r.groups) < r.limit:
			r.groups[at] = known(path)
		}
	})
	return found
}

func unplaced(why Reason) *group { return &group{reason: why, age: age{used: true}} }
