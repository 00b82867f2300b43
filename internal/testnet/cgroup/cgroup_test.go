//go:build linux

package cgroup_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// root is the name of the tree of one test.
func root(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("netconn-cgroup-%d-%s", os.Getpid(), t.Name())
	t.Cleanup(func() {
		if err := cgroup.Remove(name); err != nil {
			t.Error(err)
		}
	})
	return name
}

func newCgroup(t *testing.T, path ...string) *cgroup.Cgroup {
	t.Helper()
	c, err := cgroup.New(path...)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func exists(t *testing.T, path ...string) bool {
	t.Helper()
	mount, err := cgroup.Mount()
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(filepath.Join(append([]string{mount}, path...)...))
	return err == nil
}

// command returns a program that is to start in a cgroup.
func command(in *cgroup.Cgroup, name string, arguments ...string) *exec.Cmd {
	c := exec.Command(name, arguments...)
	c.SysProcAttr = &syscall.SysProcAttr{}
	in.Put(c.SysProcAttr)
	return c
}

// A process starts in the cgroup and in no other one of version 2.
func TestPut(t *testing.T) {
	name := root(t)
	c := newCgroup(t, name, "system.slice", "app.service")
	out, err := command(c, "cat", "/proc/self/cgroup").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "0::/" + name + "/system.slice/app.service\n"; !strings.Contains(string(out), want) {
		t.Errorf("the process is in %q, want %q", out, want)
	}
}

// Two handles of one cgroup are no error, and a handle may be closed twice.
func TestPath(t *testing.T) {
	name := root(t)
	path := newCgroup(t, name, "below").Path()
	if _, err := os.Stat(filepath.Join(path, "cgroup.procs")); err != nil || !strings.HasSuffix(path, name+"/below") {
		t.Errorf("the cgroup %s/below is at %s: %v", name, path, err)
	}
}

func TestNewTwice(t *testing.T) {
	name := root(t)
	first, second := newCgroup(t, name, "a"), newCgroup(t, name, "a")
	for _, c := range []*cgroup.Cgroup{first, second, first} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if !exists(t, name, "a") {
		t.Error("a closed handle has removed the cgroup")
	}
}

// Remove kills what runs in the tree, wherever it is, and leaves nothing.
func TestRemoveKills(t *testing.T) {
	name := root(t)
	var running []*exec.Cmd
	for _, path := range []string{"a/b", "c"} {
		c := command(newCgroup(t, name, path), "sleep", "60")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, c)
	}
	if err := cgroup.Remove(name); err != nil {
		t.Error(err)
	}
	for _, c := range running {
		_ = c.Wait()
		if status := c.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
			t.Errorf("the process ended with %v, want that it was killed", status)
		}
	}
	if exists(t, name) {
		t.Error("the tree exists")
	}
	if err := cgroup.Remove(name); err != nil {
		t.Errorf("remove what does not exist: %v", err)
	}
}

// Remove takes one branch away and leaves the other.
func TestRemoveBranch(t *testing.T) {
	name := root(t)
	newCgroup(t, name, "a/b")
	newCgroup(t, name, "a/c")
	if err := cgroup.Remove(name, "a/b"); err != nil {
		t.Fatal(err)
	}
	if exists(t, name, "a/b") || !exists(t, name, "a/c") {
		t.Errorf("b exists: %v, c exists: %v", exists(t, name, "a/b"), exists(t, name, "a/c"))
	}
}

// What cannot be a cgroup is an error that names the path.
func TestNewFails(t *testing.T) {
	name := root(t)
	newCgroup(t, name)
	_, err := cgroup.New(name, "cgroup.procs", "a")
	if err == nil || !strings.Contains(err.Error(), "make a cgroup: ") || !strings.Contains(err.Error(), "cgroup.procs") {
		t.Errorf("got %v", err)
	}
}

func TestPaths(t *testing.T) {
	got := []string{cgroup.SystemdPod("12-ab", "f00"), cgroup.CgroupfsPod("12-ab", "f00"), cgroup.Docker("f00")}
	want := []string{
		"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12_ab.slice/cri-containerd-f00.scope",
		"kubepods/besteffort/pod12-ab/f00",
		"system.slice/docker-f00.scope",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestIDs(t *testing.T) {
	for pattern, make := range map[string]func() string{
		"^[0-9a-f]{64}$": cgroup.NewID, "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$": cgroup.NewUID,
	} {
		a, b := make(), make()
		if !regexp.MustCompile(pattern).MatchString(a) || a == b {
			t.Errorf("%q and %q, want %s and no two alike", a, b, pattern)
		}
	}
}

// Cgroups are where the kernel says that this process is in one.
func TestMount(t *testing.T) {
	mount, err := cgroup.Mount()
	if err != nil {
		testnet.Require(t, err)
	}
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err != nil {
		t.Errorf("%s is not the root of a hierarchy of version 2: %v", mount, err)
	}
}
