package owner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a made-up root directory: a process table and a tree of cgroups. Directories stand for cgroups as they
// are: both have an inode number, and neither can be opened by a handle of the wrong kind.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t, t.TempDir()}
	m.process(1, "/usr/lib/systemd/systemd", 1)
	return m
}

// write makes a file of the machine.
func (m machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// process makes a process that started at a time; without an executable its link cannot be read.
func (m machine) process(pid uint32, executable string, start uint64) {
	m.t.Helper()
	m.write(fmt.Sprintf("proc/%d/stat", pid), fmt.Sprintf("%d (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %d 1000 200", pid, start))
	if executable == "" {
		return
	}
	if err := os.Symlink(executable, filepath.Join(m.root, "proc", fmt.Sprint(pid), "exe")); err != nil {
		m.t.Fatal(err)
	}
}

// cgroup makes a cgroup with processes in it and returns its id.
func (m machine) cgroup(path string, pids ...uint32) uint64 {
	m.t.Helper()
	var list strings.Builder
	for _, pid := range pids {
		fmt.Fprintln(&list, pid)
	}
	m.write(filepath.Join("cgroup", path, "cgroup.procs"), list.String())
	return m.tree().id(path)
}

// gone removes a cgroup, or with it whatever is below.
func (m machine) gone(path string) {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.root, "cgroup", path)); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) tree() *hierarchy { return &hierarchy{path: filepath.Join(m.root, "cgroup")} }

// resolver returns a Resolver of the machine that has to walk.
func (m machine) resolver() *Resolver {
	m.t.Helper()
	r, err := New(m.root)
	if err != nil {
		m.t.Fatal(err)
	}
	r.version2 = m.tree()
	return r
}

// link makes a symbolic link of the machine.
func (m machine) link(path, target string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		m.t.Fatal(err)
	}
}
