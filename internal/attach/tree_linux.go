package attach

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// kernfsHandle is FILEID_KERNFS of include/linux/exportfs.h: a file handle of eight bytes, the id. Since Linux 5.5
// (fe0f726c9fb6).
const kernfsHandle = 0xfe

// Tree is the hierarchy of cgroups of version 2.
type Tree struct{ root *os.File }

// OpenTree finds the hierarchy of a host, below the directory that shows the host's root.
func OpenTree(root string) (*Tree, error) {
	dir := filepath.Join(root, "sys/fs/cgroup")
	for _, d := range []string{dir, filepath.Join(dir, "unified")} {
		var system unix.Statfs_t
		if unix.Statfs(d, &system) != nil || system.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		f, err := os.Open(d)
		if err != nil {
			return nil, fmt.Errorf("open the cgroups: %w", err)
		}
		if id, err := idOf(f); err != nil || id != RootID {
			return nil, errors.Join(f.Close(), fmt.Errorf("read all cgroups at %s: a cgroup namespace shows "+
				"a part of them only; mount the host's /sys/fs/cgroup and set root_path, or run in the host's cgroup "+
				"namespace", d))
		}
		return &Tree{root: f}, nil
	}
	return nil, fmt.Errorf("find cgroups of version 2 at %s: mount the host's /sys/fs/cgroup there (root_path)", dir)
}

// Close gives the handle back. It may be called twice.
func (t *Tree) Close() error {
	if err := t.root.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// open opens a cgroup by the handle that its id makes, or searches for it if CAP_DAC_READ_SEARCH is missing.
func (t *Tree) open(id uint64) (*os.File, error) {
	handle := unix.NewFileHandle(kernfsHandle, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(int(t.root.Fd()), handle, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	switch {
	case err == nil:
		return os.NewFile(uintptr(fd), fmt.Sprintf("cgroup %d", id)), nil
	case errors.Is(err, unix.EPERM):
		return t.search(id)
	case errors.Is(err, unix.ESTALE), errors.Is(err, unix.ENOENT):
		return nil, fmt.Errorf("open cgroup %d: %w", id, ErrGone)
	}
	return nil, fmt.Errorf("open cgroup %d: %w", id, err)
}

// search visits all cgroups for one. Those that are removed meanwhile are left out.
func (t *Tree) search(id uint64) (found *os.File, err error) {
	err = filepath.WalkDir(t.root.Name(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return nil
		}
		if number, err := idOf(f); err != nil || number != id {
			return f.Close()
		}
		found = f
		return filepath.SkipAll
	})
	if err == nil && found == nil {
		err = ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("search cgroup %d: %w", id, err)
	}
	return found, nil
}

// above returns the ids of the cgroups that include a cgroup, the nearest first.
func above(f *os.File) (ids []uint64, err error) {
	id, err := idOf(f)
	for err == nil && id != RootID {
		if f, err = parentOf(f); err != nil {
			break
		}
		defer f.Close()
		if id, err = idOf(f); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, err
}

func parentOf(f *os.File) (*os.File, error) {
	fd, err := unix.Openat(int(f.Fd()), "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, fmt.Errorf("open the parent of %s: %w", f.Name(), ErrGone)
	case err != nil:
		return nil, fmt.Errorf("open the parent of %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()+"/.."), nil
}

// idOf returns the id of a cgroup, which is its inode number (kernfs_id_ino, where ino_t has 64 bits).
func idOf(f *os.File) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return 0, fmt.Errorf("read the id of %s: %w", f.Name(), err)
	}
	return stat.Ino, nil
}
