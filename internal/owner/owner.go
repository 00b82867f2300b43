// Package owner finds the container or host service that a process belongs to.
//
// In: what the kernel knew of a process when it opened a connection (conn.Process: a pid, the ids of its cgroups, the
// name of an executable), and the cgroups that are made while netconn runs. Out: a conn.Owner without guesses: a part
// that is not certain is empty, and what could not be found is counted in Stats.
//
// The id of a cgroup becomes a path by what Learn was told, else by a file handle made from the id, which needs no
// search and has no race. Without the permission for that, a walk compares inode numbers. A pure parser reads the path.
// The process itself, which may be long gone, is not asked. Only the name of a container comes from /proc, once: that
// of its first process.
//
// Hierarchies: on a host with both versions of cgroups a process has one in each, and some engines use only version 1,
// where the memory controller's hierarchy counts. The one that names a container wins, else version 2.
//
// Order: Learn before the first Resolve of a process in that cgroup, or the handle has to do. Time comes in with Expire
// only. Errors: of New, if root is no host's root directory; all else that is missing is in Warnings. A Resolver is not
// safe for concurrent use.
package owner

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/netconn/netconn/internal/conn"
)

// Resolver remembers cgroups, containers and executables.
type Resolver struct {
	proc       string     // the host's /proc
	version2   *hierarchy // nil: not mounted
	version1   *hierarchy // the memory controller's; nil: not mounted
	groups     map[groupID]*group
	containers map[containerKey]*container
	programs   map[programKey]*program
	noGroup    group // of a process without a cgroup id
	hostPods   bool  // the host has pods of its own, so none in a container counts
	walks      int   // left until the next Expire
	limit      int   // of each of the three maps
	stats      Stats
	warnings   []string
}

// groupID names a cgroup. The versions count their ids apart, both from 1.
type groupID struct {
	number uint64
	v1     bool
}

// group is a cgroup, or, with a reason, an id that has no path.
type group struct {
	id     groupID
	path   string
	place  place
	reason Reason
	owner  conn.Owner // of every process in it; the executable only if it is a container's and already known
	age    age
}

// containerKey names a container. An id that its user chose is unique only together with its unit.
type containerKey struct {
	id, unit string
}

// programKey names an executable of the host. The process counts only if the kernel cut the name.
type programKey struct {
	group      groupID
	executable string
	pid        uint32
}

type program struct {
	owner conn.Owner
	age   age
}

// New returns a Resolver for the host whose root directory is root: its process table at root/proc, with the pids of
// the initial process namespace, and its cgroups at root/sys/fs/cgroup. Warnings names what else is missing.
func New(root string) (*Resolver, error) {
	proc := filepath.Join(root, "proc")
	hidden, err := findProcesses(proc)
	if err != nil {
		return nil, err
	}
	r := &Resolver{
		proc:       proc,
		groups:     make(map[groupID]*group),
		containers: make(map[containerKey]*container),
		programs:   make(map[programKey]*program),
		walks:      walksPerExpire,
		limit:      maxEntries,
	}
	r.version2, r.version1, r.warnings = findHierarchies(filepath.Join(root, "sys", "fs", "cgroup"))
	r.warnings = append(r.warnings, missingRights(proc)...)
	if hidden {
		r.warnings = append(r.warnings, fmt.Sprintf("read processes in %s: those of other users are hidden (hidepid), "+
			"so a container is named by its first connection; add CAP_SYS_PTRACE, or mount it without hidepid", proc))
	}
	return r, nil
}

// findProcesses looks for the host's first process. It is hidden if proc is mounted with hidepid, and this process has
// neither its user nor CAP_SYS_PTRACE.
func findProcesses(proc string) (hidden bool, err error) {
	_, err = os.Stat(filepath.Join(proc, "1", "stat"))
	switch {
	case err == nil:
		return false, nil
	case isProc(proc):
		return true, nil
	}
	return false, fmt.Errorf("find the host's process table (is root_path the host's root directory?): %w", err)
}

// Warnings returns one sentence for each thing that is missing, with the cost and the remedy. It is constant after New.
func (r *Resolver) Warnings() []string { return r.warnings }

// Learn remembers a cgroup that was made. A path that the kernel side had to cut is of no use.
func (r *Resolver) Learn(c conn.Cgroup) {
	id := groupID{c.ID, c.V1}
	switch {
	case c.ID == 0 || c.Path == "" || c.Path[0] != '/':
		r.stats.Unlearned++
	case len(r.groups) >= r.limit && r.groups[id] == nil:
		r.stats.Refused++
	default:
		r.groups[id] = r.known(id, c.Path)
	}
}

// Resolve returns the owner of a process. What is not certain is empty, down to the zero Owner.
//
// The executable of a container is that of its first process, or of the first process seen with a connection if that
// one cannot be read, and stays the same for the life of the container. A process whose cgroup has no path has its own:
// that is certain, even if it is not known whether the process is in a container. A service that starts programs with
// random names has random values; nothing here can tell a name from a number.
func (r *Resolver) Resolve(p conn.Process) conn.Owner {
	g := r.group(p)
	if g.reason != none {
		r.stats.Unresolved[g.reason]++
		name, _ := r.executable(p)
		return conn.Owner{Executable: name}
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

// group returns the more specific of the cgroups of a process.
func (r *Resolver) group(p conn.Process) *group {
	g := r.lookup(groupID{p.Cgroup, false})
	if p.CgroupV1 == 0 {
		return g
	}
	v1 := r.lookup(groupID{p.CgroupV1, true})
	switch {
	case g.reason == NoCgroup:
		return v1
	case v1.reason != none:
		return g
	case g.reason != none, v1.place.rank() > g.place.rank():
		return v1
	case g.path == "/" && g.place.rank() == v1.place.rank(): // version 2 is not used here
		return v1
	}
	return g
}

// lookup returns the cgroup with an id, from memory if it is there.
func (r *Resolver) lookup(id groupID) *group {
	if id.number == 0 {
		r.noGroup.reason = NoCgroup
		return &r.noGroup
	}
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
	key := programKey{group: g.id, executable: p.Executable}
	if p.Truncated {
		key.pid = p.PID
	}
	if known := r.programs[key]; known != nil {
		known.age.used = true
		return known.owner
	}
	owner, whole := g.owner, false
	owner.Executable, whole = r.executable(p)
	if p.Truncated {
		owner.Executable = r.wholeName(key, owner, whole)
	}
	r.remember(key, owner)
	return owner
}

func (r *Resolver) remember(key programKey, owner conn.Owner) {
	if len(r.programs) >= r.limit {
		r.stats.Refused++
		return
	}
	r.programs[key] = &program{owner: owner, age: age{used: true}}
}

// wholeName completes a name that the kernel side cut. If all processes of the cgroup that could be read had the same
// whole name, it returns that one, so that a program keeps its name after its process has ended.
func (r *Resolver) wholeName(key programKey, owner conn.Owner, whole bool) string {
	key.pid = 0
	shared := r.programs[key]
	switch {
	case whole && shared == nil:
		r.remember(key, owner)
	case whole && shared.owner.Executable != owner.Executable:
		shared.owner.Executable = cutText(key.executable) // two programs
	case !whole && shared != nil:
		shared.age.used = true
		return shared.owner.Executable
	}
	return owner.Executable
}

// known returns the group of a path. From the first pod of the host itself on, pods of other kubelets do not count.
func (r *Resolver) known(id groupID, path string) *group {
	p := parsePath(path, !r.hostPods)
	if p.kubelet && !r.hostPods {
		r.hostPods = true
		maps.DeleteFunc(r.groups, func(_ groupID, g *group) bool { return g.place.nested || g.owner.ClaimedID() })
	}
	if r.hostPods && p.container != "" && p.unit != "" {
		p = place{unit: p.unit} // the processor that adds what Kubernetes knows may look a claimed id up there
	}
	return &group{
		id:    id,
		path:  path,
		place: p,
		owner: conn.Owner{
			ContainerID: p.container, PodUID: p.pod, Unit: p.unit, Named: p.container != "" && !isEngineID(p.container),
			StaticPod: p.kubelet && p.container != "" && p.pod == "" && p.unit == "",
		},
		age: age{used: true},
	}
}
