package owner

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/netconn/netconn/internal/conn"
)

// container is what does not change in a container's life.
type container struct {
	owner     conn.Owner // of every process in it; its executable is the first process's
	hierarchy *hierarchy // where its cgroup is; nil if that cannot be read
	top       string     // path of its cgroup there
	id        uint64     // of that cgroup
	age       age
}

// container returns the executable of the container that a cgroup is in. p is the process that asks.
func (r *Resolver) container(g *group, p conn.Process) string {
	if c := r.containers[g.place.container]; c != nil {
		c.age.used = true
		return c.owner.Executable
	}
	c := &container{owner: g.owner, hierarchy: r.hierarchy(p.Cgroup), top: g.place.top, age: age{used: true}}
	c.owner.Executable = r.containerExecutable(c, p)
	switch {
	case c.owner.Executable == "": // nothing was learnt: ask again at the next connection
	case len(r.containers) >= r.limit:
		r.stats.Refused++
	default:
		r.containers[g.place.container] = c
	}
	return c.owner.Executable
}

// containerExecutable returns the executable of the container's first process, or of the one that asks where that
// cannot be read.
func (r *Resolver) containerExecutable(c *container, p conn.Process) string {
	if c.hierarchy != nil {
		c.id = c.hierarchy.id(c.top)
		if first := r.firstExecutable(filepath.Join(c.hierarchy.path, c.top)); first != "" {
			return first
		}
	}
	r.stats.FirstUnread++
	return r.executable(p)
}

// firstExecutable returns the executable of the oldest process of a cgroup and those below it, or nothing. Processes
// come and go meanwhile; one that is gone cannot have been the container's first, or the container is gone too.
func (r *Resolver) firstExecutable(dir string) string {
	var first, started uint64
	for _, pid := range processes(dir) {
		stat, err := os.ReadFile(filepath.Join(r.proc, strconv.FormatUint(pid, 10), "stat"))
		if err != nil {
			continue
		}
		at, ok := parseStart(string(stat))
		if ok && (first == 0 || at < started || at == started && pid < first) {
			first, started = pid, at
		}
	}
	if first == 0 {
		return ""
	}
	return r.link(first)
}

// processes returns the processes of a cgroup and those below it.
func processes(dir string) []uint64 {
	var pids []uint64
	// What cannot be read has no process that can be read either: the callback never stops the walk.
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		list, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err == nil {
			pids = append(pids, parseProcesses(string(list))...)
		}
		return nil
	})
	return pids
}

// parseProcesses reads a cgroup.procs. A process of another process namespace is there as 0 and is left out.
func parseProcesses(list string) []uint64 {
	var pids []uint64
	for line := range strings.Lines(list) {
		if pid, err := strconv.ParseUint(strings.TrimSpace(line), 10, 32); err == nil && pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
