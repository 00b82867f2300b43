//go:build linux

package e2e

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// A cgroup is where processes of the story live.
type cgroup struct{ dir *os.File }

// attr starts a process in the cgroup: it is never anywhere else.
func (g cgroup) attr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.dir.Fd())}
}

// The paths that runtimes give containers, below where their hierarchy is mounted.

func podOfSystemd(uid, id string) string {
	return fmt.Sprintf("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice/cri-containerd-%s.scope",
		strings.ReplaceAll(uid, "-", "_"), id)
}

func podOfCgroupfs(uid, id string) string {
	return fmt.Sprintf("kubepods/besteffort/pod%s/%s", uid, id)
}

func docker(id string) string { return "system.slice/docker-" + id + ".scope" }

// newID returns the id of a container that nobody else has.
func newID() string { return fmt.Sprintf("%x", randomBytes(32)) }

// newUID returns a UUID that nobody else has.
func newUID() string {
	b := randomBytes(16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// newCgroup makes a cgroup of version 2 and those above it, all of them below one that is the test's own.
func newCgroup(t *testing.T, path string) cgroup {
	t.Helper()
	dir, err := mountPoint()
	if err != nil {
		testnet.Require(t, err)
	}
	own := fmt.Sprintf("netconn-e2e-%d-%s", os.Getpid(), t.Name())
	for segment := range strings.SplitSeq(own+"/"+path, "/") {
		dir = filepath.Join(dir, segment)
		makeCgroup(t, dir)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return cgroup{f}
}

// makeCgroup makes a cgroup that is not there yet, and removes it at the end. That may take a moment: to the kernel a
// process is in its cgroup for longer than it is to its parent.
func makeCgroup(t *testing.T, dir string) {
	t.Helper()
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) {
		return
	}
	if err != nil {
		testnet.Require(t, fmt.Errorf("make a cgroup: %w", err))
	}
	t.Cleanup(func() {
		if !poll(func() bool { err = os.Remove(dir); return !errors.Is(err, unix.EBUSY) }) || err != nil {
			t.Error(err)
		}
	})
}

// mountPoint returns where version 2 is mounted: alone, or beside version 1.
func mountPoint() (string, error) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var system unix.Statfs_t
		if unix.Statfs(dir, &system) == nil && system.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", errors.New("cgroups of version 2 are not mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified")
}
