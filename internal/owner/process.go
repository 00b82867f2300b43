package owner

import (
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/netconn/netconn/internal/conn"
)

// executable returns the name of a process's executable, completed from /proc if the kernel side cut it and the process
// still exists. It reports whether the name is whole.
func (r *Resolver) executable(p conn.Process) (name string, whole bool) {
	if !p.Truncated {
		return text(trimDeleted(p.Executable)), true
	}
	if p.PID != 0 {
		if full := r.linkTarget(uint64(p.PID)); strings.HasPrefix(full, p.Executable) {
			return text(full), true
		}
	}
	return cutText(p.Executable), false
}

// link returns the name of the executable that /proc shows for a process, or nothing.
func (r *Resolver) link(pid uint64) string { return text(r.linkTarget(pid)) }

// linkTarget returns the same name as the bytes that the file system has.
func (r *Resolver) linkTarget(pid uint64) string {
	target, err := os.Readlink(filepath.Join(r.proc, strconv.FormatUint(pid, 10), "exe"))
	if err != nil {
		return ""
	}
	return parseLink(target)
}

// parseLink returns the name of the file that /proc/<pid>/exe points to. A file that never had a name gives none: runc
// starts a container as such a copy of itself.
func parseLink(target string) string {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "/memfd:") {
		return ""
	}
	name := path.Base(trimDeleted(target))
	if name == "/" {
		return ""
	}
	return name
}

// trimDeleted removes the suffix that the kernel gives to the path of a file that was replaced, as in an upgrade.
func trimDeleted(name string) string { return strings.TrimSuffix(name, " (deleted)") }

// parseStart returns when a process started, in ticks after boot: field 22 of /proc/<pid>/stat (proc_pid_stat(5)). The
// second field is a name in parentheses that may hold anything, parentheses too.
func parseStart(stat string) (ticks uint64, ok bool) {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, false
	}
	fields := strings.Fields(stat[i+1:])
	if len(fields) < 20 {
		return 0, false
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	return ticks, err == nil
}
