package owner

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// require skips the test with a reason, or fails it where kernel tests must run.
func require(t testing.TB, ok bool, reason string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("NETCONN_REQUIRE_KERNEL") == "1":
		t.Fatal(reason)
	default:
		t.Skip(reason)
	}
}

// newHost returns a root directory that shows this machine's processes and cgroups. Version 2 is mounted in it where
// the machine does not have it.
func newHost(t testing.TB) string {
	t.Helper()
	require(t, os.Geteuid() == 0, "making cgroups takes root")
	root := t.TempDir()
	for _, dir := range []string{"/proc", "/sys"} {
		if err := os.Symlink(dir, filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	if v2, _, _ := findHierarchies("/sys/fs/cgroup"); v2 != nil {
		return root
	}
	cgroups := filepath.Join(root, "sys", "fs", "cgroup")
	if err := errors.Join(os.Remove(filepath.Join(root, "sys")), os.MkdirAll(cgroups, 0o755)); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount("none", cgroups, "cgroup2", 0, "")
	require(t, err == nil, fmt.Sprintf("mount cgroup2: %v", err))
	t.Cleanup(func() {
		if err := unix.Unmount(cgroups, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return root
}

// newResolver returns a Resolver of this machine whose version 2 cgroups can be opened by their ids.
func newResolver(t testing.TB) *Resolver {
	t.Helper()
	r, err := New(newHost(t))
	if err != nil {
		t.Fatal(err)
	}
	require(t, r.version2 != nil && r.version2.handles, fmt.Sprintf("opening cgroups by their ids: %q", r.Warnings()))
	return r
}

// makeCgroup makes a cgroup and those above it, removes at the end what it made, and returns the id. The first segment
// of a path that must not begin at the root is the test's own.
func makeCgroup(t testing.TB, h *hierarchy, path string) uint64 {
	t.Helper()
	for end := range boundaries(path) {
		dir := filepath.Join(h.path, path[:end])
		err := os.Mkdir(dir, 0o755)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		require(t, err == nil, fmt.Sprintf("make a cgroup: %v", err))
		// Another test may have one of its own below by now: the last that leaves removes it.
		t.Cleanup(func() { _ = os.Remove(dir) })
	}
	return h.id(path)
}

// own returns a segment that no other test and no other run has.
func own(t testing.TB) string {
	return fmt.Sprintf("/netconn-%d-%s", os.Getpid(), strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
}

// start runs a copy of sleep with a name of its own in a cgroup.
func start(t testing.TB, h *hierarchy, path, name string) conn.Process {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	require(t, err == nil, fmt.Sprintf("find sleep: %v", err))
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file, "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	// Start returns when its pipe has been closed, which a kernel may do a moment before the process is the new
	// program.
	for exe := ""; filepath.Base(exe) != name; {
		if exe, err = os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)); err != nil {
			t.Fatal(err)
		}
	}
	procs := filepath.Join(h.path, path, "cgroup.procs")
	if err := os.WriteFile(procs, fmt.Appendln(nil, cmd.Process.Pid), 0); err != nil {
		t.Fatal(err)
	}
	const room = 31 // in the kernel side's record
	return conn.Process{
		PID: uint32(cmd.Process.Pid), Cgroup: h.id(path), Executable: name[:min(len(name), room)], Truncated: len(name) >= room,
	}
}
