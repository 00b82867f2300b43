//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Memory is a cgroup with a limit of memory, of the version that has the memory controller here.
type Memory struct{ dir string }

// NewMemory makes a cgroup below the root, with a limit in bytes.
func NewMemory(name string, limit int64) (*Memory, error) {
	mount, err := Mount()
	if err != nil {
		return nil, err
	}
	file := "memory.max"
	if _, err := os.Stat("/sys/fs/cgroup/memory/memory.limit_in_bytes"); err == nil {
		mount, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	} else if err := os.WriteFile(filepath.Join(mount, "cgroup.subtree_control"), []byte("+memory"), 0); err != nil {
		return nil, fmt.Errorf("enable the memory controller: %w", err)
	}
	m := &Memory{filepath.Join(mount, name)}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, file), []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
		return nil, fmt.Errorf("limit memory: %w", err)
	}
	return m, nil
}

// Members is the file to which a process writes its id to enter.
func (m *Memory) Members() string { return filepath.Join(m.dir, "cgroup.procs") }

// Remove removes the cgroup, once its processes have ended.
func (m *Memory) Remove() error {
	if err := unix.Rmdir(m.dir); err != nil {
		return fmt.Errorf("remove %s: %w", m.dir, err)
	}
	return nil
}
