// Package memory finds the limits of this process's memory.
//
// In: GOMEMLIMIT, and the files of the cgroups that the process is in, of version 2 (memory.max) or 1
// (memory.limit_in_bytes), with their ancestors as far as they are mounted. Out: the smallest limit of each kind. A
// file that cannot be read is no limit.
package memory

import (
	"bufio"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// A Limit is a number of bytes that this process may use. The zero value: there is no limit.
type Limit struct {
	Bytes  int64
	Source string // the file that has it, or GOMEMLIMIT
}

// Smaller returns the smaller of two limits.
func (l Limit) Smaller(o Limit) Limit {
	if l.Bytes == 0 || o.Bytes > 0 && o.Bytes < l.Bytes {
		return o
	}
	return l
}

// Limits are of two kinds. The kernel ends a process that needs more than its cgroup's limit, which includes memory
// that the kernel keeps for the process. Go collects garbage more often as it comes near to its own.
type Limits struct {
	Cgroup, Go Limit
}

// Read returns the limits of this process.
func Read() Limits {
	l := Limits{Cgroup: ofCgroups("/")}
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		l.Go = Limit{n, "GOMEMLIMIT"}
	}
	return l
}

// ofCgroups returns the smallest limit of the process's cgroups, with files below root.
func ofCgroups(root string) (least Limit) {
	groups, err := os.Open(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return Limit{}
	}
	defer groups.Close()
	mounts, err := os.Open(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return Limit{}
	}
	defer mounts.Close()
	all := parseMounts(mounts)
	dirs := directories(parseGroups(groups), all)
	for _, dir := range append(dirs, outside(root, all, dirs)...) {
		l := read(filepath.Join(root, dir))
		l.Source = strings.TrimPrefix(l.Source, strings.TrimSuffix(root, "/"))
		least = least.Smaller(l)
	}
	return least
}

// groups are the paths of a process's cgroups: in version 2, and of the memory controller in version 1.
type groups struct{ version2, version1 string }

// parseGroups reads /proc/PID/cgroup (cgroups(7)).
func parseGroups(r io.Reader) (g groups) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		id, rest, _ := strings.Cut(lines.Text(), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		switch {
		case id == "0" && controllers == "":
			g.version2 = path
		case contains(controllers, "memory"):
			g.version1 = path
		}
	}
	return g
}

// A mount shows a part of a hierarchy.
type mount struct {
	root, point string // the cgroup that is mounted, and where
	version1    bool
}

// parseMounts reads the mounts of cgroups from /proc/PID/mountinfo (proc_pid_mountinfo(5)).
func parseMounts(r io.Reader) (all []mount) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		place, system := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(system) < 3 {
			continue
		}
		m := mount{root: place[3], point: place[4], version1: system[0] == "cgroup"}
		if system[0] == "cgroup2" || m.version1 && contains(system[2], "memory") {
			all = append(all, m)
		}
	}
	return all
}

func contains(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item == name {
			return true
		}
	}
	return false
}

// directories returns where the process's cgroups are, with all of their ancestors that are mounted. A mount that does
// not show the cgroup of the process is left out: its limits are those of others.
func directories(g groups, mounts []mount) (dirs []string) {
	for _, m := range mounts {
		group := g.version2
		if m.version1 {
			group = g.version1
		}
		rest, below := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
		if group == "" || !below || rest != "" && rest[0] != '/' {
			continue
		}
		dirs = append(dirs, upTo(m.point, rest)...)
	}
	return dirs
}

// outside returns the ancestors that a mount shows from outside of the process's cgroup namespace, such as the host's
// in a pod. Its root is then shown as the way up to it, and the way back down has to be searched: /../.. is two levels
// above one of dirs.
func outside(root string, mounts []mount, dirs []string) (ancestors []string) {
	var own []os.FileInfo
	for _, dir := range dirs {
		if info, err := os.Stat(filepath.Join(root, dir)); err == nil {
			own = append(own, info)
		}
	}
	for _, m := range mounts {
		if levels := strings.Count(m.root, "/.."); levels > 0 && strings.Repeat("/..", levels) == m.root {
			if dir := descend(filepath.Join(root, m.point), levels, own); dir != "" {
				ancestors = append(ancestors, upTo(m.point, strings.TrimPrefix(dir, filepath.Join(root, m.point)))...)
			}
		}
	}
	return ancestors
}

// descend returns the directory so many levels below another one that is one of those; empty: there is none.
func descend(dir string, levels int, one []os.FileInfo) string {
	if levels == 0 {
		info, err := os.Stat(dir)
		if err == nil && slices.ContainsFunc(one, func(o os.FileInfo) bool { return os.SameFile(o, info) }) {
			return dir
		}
		return ""
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if e.IsDir() {
			if found := descend(filepath.Join(dir, e.Name()), levels-1, one); found != "" {
				return found
			}
		}
	}
	return ""
}

// upTo returns a directory below a mount point and all above it, the mount point last.
func upTo(point, rest string) (dirs []string) {
	for dir := path.Clean("/" + rest); ; dir = path.Dir(dir) {
		dirs = append(dirs, path.Join(point, dir))
		if dir == "/" {
			return dirs
		}
	}
}

// unlimited is above any limit that version 1 has: it shows the largest number of whole pages.
const unlimited = 1 << 62

// read returns the limit of one cgroup.
func read(dir string) Limit {
	for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
		file := filepath.Join(dir, name)
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && n > 0 && n < unlimited {
			return Limit{n, file}
		}
	}
	return Limit{}
}
