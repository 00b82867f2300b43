//go:build linux

// Package cgroup makes cgroups of version 2 with the names that container runtimes give theirs, so that a process in
// one looks like a container. It needs root.
//
// A Cgroup is left behind when this program is killed: Remove takes away a whole tree by its name.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limit is how long processes may take to end, and the kernel to notice: a process that its parent has waited for is
// still in its cgroup for a moment.
const limit = 10 * time.Second

// Mount returns where cgroups of version 2 are mounted: alone, or beside version 1.
func Mount() (string, error) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var system unix.Statfs_t
		if unix.Statfs(dir, &system) == nil && system.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", errors.New("find cgroups of version 2: mounted neither at /sys/fs/cgroup nor at /sys/fs/cgroup/unified")
}

// A Cgroup is a place for processes.
type Cgroup struct{ dir *os.File }

// New makes a cgroup and its parents; the path is relative to the mount point. A cgroup that exists is no error.
func New(path ...string) (*Cgroup, error) {
	mount, err := Mount()
	if err != nil {
		return nil, err
	}
	full := filepath.Join(append([]string{mount}, path...)...)
	if err := os.MkdirAll(full, 0o755); err != nil {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	dir, err := os.Open(full)
	if err != nil {
		return nil, fmt.Errorf("open a cgroup: %w", err)
	}
	return &Cgroup{dir}, nil
}

// Path returns where the cgroup is in the file system.
func (c *Cgroup) Path() string { return c.dir.Name() }

// Put has a process start in the cgroup, so that it is never in another one.
func (c *Cgroup) Put(attr *syscall.SysProcAttr) {
	attr.UseCgroupFD, attr.CgroupFD = true, int(c.dir.Fd())
}

// Close gives the handle back. The cgroup stays. It may be called twice.
func (c *Cgroup) Close() error {
	if err := c.dir.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Remove kills the processes of a cgroup and of all below it, and removes them. The path is relative to the mount
// point. A cgroup that does not exist is no error.
func Remove(path ...string) error {
	mount, err := Mount()
	if err != nil {
		return err
	}
	dirs, err := tree(filepath.Join(append([]string{mount}, path...)...))
	if err != nil {
		return fmt.Errorf("list cgroups: %w", err)
	}
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if err = removeAll(dirs); err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// tree returns a directory and those below it, a parent before its children.
func tree(root string) (dirs []string, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err == nil && entry.IsDir():
			dirs = append(dirs, path)
		}
		return err
	})
	return dirs, err
}

func removeAll(dirs []string) error {
	for _, dir := range slices.Backward(dirs) {
		if err := kill(dir); err != nil {
			return err
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a cgroup: %w", err)
		}
	}
	return nil
}

// kill ends the processes of a cgroup, all at once: a PID that is read first could be reused before it is killed.
func kill(dir string) error {
	members, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) || err == nil && len(members) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a cgroup's processes: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil {
		return fmt.Errorf("kill a cgroup's processes: %w", err)
	}
	return nil
}
