//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long processes may take to end, and the kernel to know it.
const patience = 10 * time.Second

// unifiedMount returns where cgroups of version 2 are mounted: alone, or beside version 1.
func unifiedMount() (string, error) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var system unix.Statfs_t
		if unix.Statfs(dir, &system) == nil && system.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", errors.New("find cgroups of version 2: mounted neither at /sys/fs/cgroup nor at /sys/fs/cgroup/unified")
}

// containerPath is where containerd puts a container with systemd's cgroup driver, below the root of the hierarchy.
func containerPath(uid, id string) string {
	return fmt.Sprintf("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice/cri-containerd-%s.scope",
		strings.ReplaceAll(uid, "-", "_"), id)
}

// removeTree kills whatever lives in a cgroup and below, and removes it all. To the kernel a process is in its cgroup for longer than
// it is to its parent.
func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into a cgroup: %w", err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if err = removeOnce(dirs); err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// removeOnce expects the folders as a walk finds them, a parent before its children.
func removeOnce(dirs []string) error {
	for _, dir := range slices.Backward(dirs) {
		if err := killMembers(dir); err != nil {
			return err
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a cgroup: %w", err)
		}
	}
	return nil
}

func killMembers(dir string) error {
	members, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) || len(members) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a cgroup's members: %w", err)
	}
	// All at once, so that none is another process by the time that it is killed.
	if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil {
		return fmt.Errorf("kill a cgroup's members: %w", err)
	}
	return nil
}
