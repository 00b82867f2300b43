// Package owner tells which container or host service a process belongs to.
//
// In come what the kernel knew of a process when it opened a connection (conn.Process: a pid, the id of a cgroup, the
// name of an executable) and the cgroups that are made while netconn runs. Out comes a conn.Owner, and nothing in it is
// a guess: what is not certain is empty, and what could not be had is counted in Stats.
//
// The id of a cgroup becomes a path by what Learn was told, else by a file handle made of the id (no search, no race),
// else, where that is not permitted, by a walk that compares inode numbers. The path is read by a pure parser. The
// process itself, which may be long gone, is not asked: only the name of a container comes from /proc, that of its
// first process, once.
//
// Hierarchies: the ids of cgroup version 1 and version 2 are counted apart and both start at 1. A bare id is one of
// version 2; an id with the bit V1 set is one of the memory controller's hierarchy of version 1, which is what tells
// containers apart on a host where ordinary tasks stay in the root of version 2 (hybrid, or version 1 only).
//
// Order: Learn before the first Resolve of a process in that cgroup, or the handle has to do. Time comes in with
// Expire only. Errors: of New, where root is no host's root at all; the rest of what is missing is in Warnings.
// A Resolver is not safe for concurrent use.
package owner

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/netconn/netconn/internal/conn"
)

// V1 is set in the id of a cgroup of the memory controller's version 1 hierarchy. Kernel ids start at 1 and count
// up, so the bit is free.
const V1 uint64 = 1 << 63

// Resolver knows cgroups, containers and executables by what was seen of them.
type Resolver struct {
	proc       string     // the host's /proc
	version2   *hierarchy // nil where it is not mounted
	version1   *hierarchy // the memory controller's; nil where it is not mounted
	groups     map[uint64]*group
	containers map[string]*container // by container id
	programs   map[programKey]*program
	walks      int // left until the next Expire
	limit      int // of each of the three maps
	stats      Stats
	warnings   []string
}

// group is a cgroup, or, with a reason, an id that has no path.
type group struct {
	path   string
	place  place
	reason Reason
	owner  conn.Owner // of every process in it; the executable only if it is a container's and already known
	age    age
}

// programKey names an executable of the host. The kernel cuts long names, and only then does the process matter.
type programKey struct {
	cgroup     uint64
	executable string
	pid        uint32
}

type program struct {
	owner conn.Owner
	age   age
}

// New returns a Resolver for the host whose root directory is root: its process table at root/proc, with the pids of
// the initial process namespace, and its cgroups at root/sys/fs/cgroup. What else is missing costs what depends on it
// and is told by Warnings.
func New(root string) (*Resolver, error) {
	proc := filepath.Join(root, "proc")
	if _, err := os.Stat(filepath.Join(proc, "1", "stat")); err != nil {
		return nil, fmt.Errorf("find the host's process table (is root_path the host's root directory?): %w", err)
	}
	r := &Resolver{
		proc:       proc,
		groups:     make(map[uint64]*group),
		containers: make(map[string]*container),
		programs:   make(map[programKey]*program),
		walks:      walksPerExpire,
		limit:      maxEntries,
	}
	r.version2, r.version1, r.warnings = findHierarchies(filepath.Join(root, "sys", "fs", "cgroup"))
	return r, nil
}

// Warnings returns one sentence for each thing that is missing, with what it costs and what to do. Constant after New.
func (r *Resolver) Warnings() []string { return r.warnings }

// Learn takes note of a cgroup that was made: path starts with a slash and is relative to the root of its hierarchy.
// A path that the kernel had to cut is of no use and is not kept.
func (r *Resolver) Learn(cgroup uint64, path string) {
	switch {
	case cgroup&^V1 == 0 || len(path) >= maxLearned || path == "" || path[0] != '/':
		r.stats.Unlearned++
	case len(r.groups) >= r.limit && r.groups[cgroup] == nil:
		r.stats.Refused++
	default:
		r.groups[cgroup] = known(path)
	}
}

// Resolve returns who a process belongs to. What cannot be told of a process is empty, down to the zero Owner.
//
// The executable of a container is that of its first process, or of the first process seen with a connection where
// that one cannot be read, and stays the same for the container's life. That of a process whose cgroup has no path is
// its own: it is certain, even if it is not known whether the process is in a container. Where a service starts programs
// with random names, so are the values; nothing here can tell a name from a number.
func (r *Resolver) Resolve(p conn.Process) conn.Owner {
	if p.Cgroup == 0 {
		r.stats.Unresolved[NoCgroup]++
		return conn.Owner{Executable: r.executable(p)}
	}
	g := r.group(p.Cgroup)
	if g.reason != none {
		r.stats.Unresolved[g.reason]++
		return conn.Owner{Executable: r.executable(p)}
	}
	r.stats.Resolved++
	if g.place.container == "" {
		return r.program(g, p)
	}
	if g.owner.Executable == "" {
		g.owner.Executable = r.container(g, p)
	}
	return g.owner
}

// group returns the cgroup with an id, from memory where it can.
func (r *Resolver) group(id uint64) *group {
	if g := r.groups[id]; g != nil {
		g.age.used = true
		return g
	}
	g := r.locate(id)
	if g.reason == Deferred {
		return g
	}
	if len(r.groups) >= r.limit {
		r.stats.Refused++
		return g
	}
	r.groups[id] = g
	return g
}

// program returns the owner of a process outside of any container.
func (r *Resolver) program(g *group, p conn.Process) conn.Owner {
	key := programKey{cgroup: p.Cgroup, executable: p.Executable}
	if cut(p.Executable) {
		key.pid = p.PID
	}
	if known := r.programs[key]; known != nil {
		known.age.used = true
		return known.owner
	}
	owner := g.owner
	owner.Executable = r.executable(p)
	if len(r.programs) >= r.limit {
		r.stats.Refused++
		return owner
	}
	r.programs[key] = &program{owner: owner, age: age{used: true}}
	return owner
}

// known returns the group that a path makes.
func known(path string) *group {
	p := parsePath(path)
	return &group{
		path:  path,
		place: p,
		owner: conn.Owner{ContainerID: p.container, PodUID: p.pod, Unit: p.unit},
		age:   age{used: true},
	}
}
