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
	owner     conn.Owner // of every process in it; the executable is that of its first process
	hierarchy *hierarchy // of its cgroup; nil: cannot be read
	top       string     // path of its cgroup there
	id        uint64     // of that cgroup
	age       age
}

// key returns the key of the container that a group is in.
func (g *group) key() containerKey { return containerKey{g.place.container, g.place.unit} }

// container returns the executable of the container that a cgroup is in. p is the process to be resolved.
func (r *Resolver) container(g *group, p conn.Process) string {
	if c := r.containers[g.key()]; c != nil {
		c.age.used = true
		return c.owner.Executable
	}
	c := &container{owner: g.owner, hierarchy: r.hierarchy(g.id), top: g.place.top, age: age{used: true}}
	c.owner.Executable = r.containerExecutable(c, p)
	switch {
	case c.owner.Executable == "": // not known yet: look again at the next connection
	case len(r.containers) >= r.limit:
		r.stats.Refused++
	default:
		r.containers[g.key()] = c
	}
	return c.owner.Executable
}

// containerExecutable returns the executable of the container's first process, or of p if that cannot be read.
func (r *Resolver) containerExecutable(c *container, p conn.Process) string {
	if c.hierarchy != nil {
		c.id = c.hierarchy.id(c.top)
		if first := r.firstExecutable(filepath.Join(c.hierarchy.path, c.top)); first != "" {
			return first
		}
	}
	r.stats.FirstUnread++
	name, _ := r.executable(p)
	return name
}

// firstExecutable returns the executable of the oldest process of a cgroup and those below it, or nothing. A process
// that ends meanwhile was not the container's first, unless the container ends too.
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
	// The callback never stops the walk: an unreadable cgroup has no readable process either.
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

// parseProcesses reads a cgroup.procs. A process of another process namespace is listed as 0 and left out.
func parseProcesses(list string) []uint64 {
	var pids []uint64
	for line := range strings.Lines(list) {
		if pid, err := strconv.ParseUint(strings.TrimSpace(line), 10, 32); err == nil && pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
