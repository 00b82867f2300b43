package owner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	rootID       = 1    // the first id that a hierarchy gives is that of its root (__kernfs_new_node)
	kernfsHandle = 0xfe // FILEID_KERNFS, include/linux/exportfs.h: eight bytes, the id; since Linux 5.5 (fe0f726c9fb6)
)

// hierarchy is a tree of cgroups that is mounted from its root on.
type hierarchy struct {
	path    string // where it is mounted, without symbolic links
	handles bool   // cgroups can be opened by their ids
}

// findHierarchies looks for version 2 and the memory controller's version 1 below a host's /sys/fs/cgroup.
func findHierarchies(dir string) (version2, version1 *hierarchy, warnings []string) {
	version2, err := mounted(unix.CGROUP2_SUPER_MAGIC, dir, filepath.Join(dir, "unified"))
	if err != nil {
		warnings = append(warnings, err.Error())
	}
	version1, err = mounted(unix.CGROUP_SUPER_MAGIC, filepath.Join(dir, "memory"))
	if err != nil {
		warnings = append(warnings, err.Error())
	}
	if version2 == nil && version1 == nil && len(warnings) == 0 {
		warnings = append(warnings, fmt.Sprintf("find cgroups at %s: only those that are made from now on are known; "+
			"mount the host's /sys/fs/cgroup there (see root_path)", dir))
	}
	for _, h := range []*hierarchy{version2, version1} {
		if h == nil {
			continue
		}
		if _, err := h.open(rootID); err != nil {
			warnings = append(warnings, fmt.Sprintf("open cgroups by their ids in %s: %v; "+
				"they are searched for instead, which is slower: add CAP_DAC_READ_SEARCH", h.path, err))
			continue
		}
		h.handles = true
	}
	return version2, version1, warnings
}

// mounted returns the first of some directories that is the root of a hierarchy of a version, or nil. A hierarchy that
// is mounted in part (from a cgroup namespace, or a runtime's bind mount) is of no use: what lies outside has no path
// in it, and what lies inside has a path that hides the container around it.
func mounted(magic int64, dirs ...string) (*hierarchy, error) {
	for _, dir := range dirs {
		var system unix.Statfs_t
		if unix.Statfs(dir, &system) != nil || int64(system.Type) != magic {
			continue
		}
		path, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return nil, fmt.Errorf("follow %s: %w", dir, err)
		}
		h := &hierarchy{path: path}
		if h.id("/") != rootID {
			return nil, fmt.Errorf("read all cgroups at %s: a cgroup namespace shows a part of them only; "+
				"mount the host's /sys/fs/cgroup and set root_path, or run in the host's cgroup namespace", dir)
		}
		return h, nil
	}
	return nil, nil
}

// isProc reports whether a process table is mounted on a directory.
func isProc(dir string) bool {
	var system unix.Statfs_t
	return unix.Statfs(dir, &system) == nil && system.Type == unix.PROC_SUPER_MAGIC
}

// find returns the path of a cgroup from the root of the hierarchy.
func (h *hierarchy) find(id uint64) (string, error) {
	if !h.handles {
		return "", errNoHandles
	}
	return h.open(id)
}

// open finds a cgroup by the handle that its id makes: nothing is searched, and nothing else can have the id meanwhile.
func (h *hierarchy) open(id uint64) (string, error) {
	mount, err := unix.Open(h.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", h.path, err)
	}
	defer unix.Close(mount)
	handle := unix.NewFileHandle(kernfsHandle, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(mount, handle, unix.O_PATH|unix.O_CLOEXEC)
	switch {
	case errors.Is(err, unix.ESTALE), errors.Is(err, unix.ENOENT):
		return "", fmt.Errorf("open cgroup %d: %w", id, errGone)
	case err != nil:
		return "", fmt.Errorf("open cgroup %d: %w", id, err)
	}
	defer unix.Close(fd)
	target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", fmt.Errorf("read the path of cgroup %d: %w", id, err)
	}
	return relative(h.path, target)
}

// relative returns the path of a cgroup from where its hierarchy is mounted. A cgroup that was removed a moment ago had
// the path that it shows.
func relative(mount, target string) (string, error) {
	rest, ok := strings.CutPrefix(trimDeleted(target), mount)
	switch {
	case ok && rest == "":
		return "/", nil
	case ok && rest[0] == '/':
		return rest, nil
	}
	return "", fmt.Errorf("place %s below %s: %w", target, mount, errOutOfReach)
}

// walk yields every cgroup of the hierarchy. Those that are removed meanwhile are left out.
func (h *hierarchy) walk(yield func(id uint64, path string)) {
	// The callback never stops the walk, so there is no error.
	_ = filepath.WalkDir(h.path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		rel, err := relative(h.path, path)
		if err != nil {
			return nil
		}
		if id := h.id(rel); id != 0 {
			yield(id, rel)
		}
		return nil
	})
}

// has tells whether the cgroup with an id is still at a path.
func (h *hierarchy) has(id uint64, path string) bool { return id != 0 && h.id(path) == id }

// id returns the id of the cgroup at a path, or 0 if there is none. It is the inode number (kernfs_id_ino, where ino_t
// has 64 bits).
func (h *hierarchy) id(path string) uint64 {
	var stat unix.Stat_t
	if unix.Lstat(filepath.Join(h.path, path), &stat) != nil {
		return 0
	}
	return stat.Ino
}
