package owner

import (
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/netconn/netconn/internal/conn"
)

// cutLength is how many bytes of a name the kernel side has room for. A name of that length may go on.
const cutLength = 31

func cut(name string) bool { return len(name) == cutLength }

// executable returns the name of a process's executable: what the kernel gave, completed from /proc where it was cut
// and the process is still there.
func (r *Resolver) executable(p conn.Process) string {
	if cut(p.Executable) && p.PID != 0 {
		if full := r.link(uint64(p.PID)); strings.HasPrefix(full, p.Executable) {
			return full
		}
	}
	return trimDeleted(p.Executable)
}

// link returns the base name of the executable that /proc shows for a process, or nothing.
func (r *Resolver) link(pid uint64) string {
	target, err := os.Readlink(filepath.Join(r.proc, strconv.FormatUint(pid, 10), "exe"))
	if err != nil {
		return ""
	}
	return parseLink(target)
}

// parseLink returns the name of the file that /proc/<pid>/exe points to. A file that never had a name is none: runc
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

// trimDeleted takes off what the kernel writes after the path of a file that was replaced, as in an upgrade.
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
