//go:build linux

package lab

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A Container is a cgroup with the name that a container's has.
type Container struct {
	ID     string // 64 hexadecimal digits
	dir    string
	handle *os.File
}

// NewContainer makes the cgroup of a container that nobody else has, below the one that parent names.
func NewContainer(parent string) (*Container, error) {
	mount, err := unifiedMount()
	if err != nil {
		return nil, err
	}
	var random [32]byte
	rand.Read(random[:]) // never fails
	c := &Container{ID: fmt.Sprintf("%x", random)}
	c.dir = filepath.Join(mount, parent, "docker-"+c.ID+".scope")
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a container's cgroup: %w", err)
	}
	if c.handle, err = os.Open(c.dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open a container's cgroup: %w", err), os.Remove(c.dir))
	}
	return c, nil
}

// FD is what exec.Cmd takes to start a process in the cgroup.
func (c *Container) FD() int { return int(c.handle.Fd()) }

// Remove removes the cgroup. Its processes have ended; to the kernel they may be in it for a moment longer.
func (c *Container) Remove() error {
	c.handle.Close()
	return remove(c.dir)
}

// RemoveParent removes the cgroup below which containers were made.
func RemoveParent(parent string) error {
	mount, err := unifiedMount()
	if err != nil {
		return err
	}
	return remove(filepath.Join(mount, parent))
}

func remove(dir string) (err error) {
	for range 200 {
		if err = os.Remove(dir); !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

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
