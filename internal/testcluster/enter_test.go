//go:build linux

package testcluster

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Inside, Enter runs the tests and returns their exit code; it starts nothing.
func TestEnterInside(t *testing.T) {
	t.Setenv(insideVariable, "1")
	ran := 0
	if code := Enter(func() int { ran++; return 7 }); code != 7 || ran != 1 {
		t.Errorf("ran %d times, exit code %d", ran, code)
	}
}

// Folders are removed from the inside out, as cgroups must be. What is gone is no error, but a file in the way is.
func TestRemoveTree(t *testing.T) {
	root := filepath.Join(t.TempDir(), "node")
	for _, below := range []string{"system", "pods/a/b", "pods/c"} {
		if err := os.MkdirAll(filepath.Join(root, below), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeTree(root); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is left: %v", err)
	}
	if err := removeTree(root); err != nil {
		t.Errorf("again: %v", err)
	}
	file := filepath.Join(root, "pods", "process")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(root); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("a folder that is not empty: %v", err)
	}
}

// The mount of version 2 is one that the kernel calls so.
func TestUnifiedMount(t *testing.T) {
	var s unix.Statfs_t
	if err := unix.Statfs(unifiedMount(), &s); err != nil {
		t.Skip(err)
	}
	if s.Type != unix.CGROUP2_SUPER_MAGIC {
		t.Skipf("%s is a file system of the type %x", unifiedMount(), s.Type)
	}
	if _, err := os.Stat(filepath.Join(unifiedMount(), "cgroup.procs")); err != nil {
		t.Error(err)
	}
}

// On a node the API server asks the kubelet with a certificate of its own, and wants the controllers that are there.
func TestMode(t *testing.T) {
	c, _ := objects(t)
	if got := c.mode(); !slices.Contains(got, "--disable-admission-plugins=ServiceAccount") ||
		slices.ContainsFunc(got, func(a string) bool { return strings.Contains(a, "Node") }) {
		t.Errorf("without a node: %q", got)
	}
	c.address = netip.MustParseAddr("172.31.7.10")
	got := c.mode()
	want := []string{
		"--authorization-mode=Node,RBAC", "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + c.path("client.crt"), "--kubelet-client-key=" + c.path("client.key"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with a node (-want +got):\n%s", diff)
	}
	if cert, key := read(t, c.path("client.crt")), read(t, c.path("client.key")); len(cert) == 0 || len(key) == 0 {
		t.Error("the certificate for the kubelet is empty")
	}
	if c.Host() != "https://172.31.7.10:6443" {
		t.Errorf("the API server is at %s", c.Host())
	}
}

// What is waited for is asked about until it is there.
func TestWait(t *testing.T) {
	c, _ := objects(t)
	asked := 0
	c.wait("the third answer", func() error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}

// The log of a program that is started again keeps what was there; a program that does not exist ends the test.
func TestStartAppends(t *testing.T) {
	dir := programs(t, "tool")
	log := filepath.Join(t.TempDir(), "log")
	for _, argument := range []string{"first", "second"} {
		p := start(t, log, filepath.Join(dir, "tool"), argument)
		select {
		case <-p.Ended:
		case <-time.After(time.Minute):
			t.Fatal("it does not end")
		}
	}
	path := filepath.Join(dir, "tool")
	if got, want := string(read(t, log)), path+"\nfirst\n"+path+"\nsecond\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log: %v, %v", info, err)
	}
	missing := filepath.Join(dir, "missing")
	got := ending(t, func(r *recorder) { start(r, log, missing) })
	if !strings.HasPrefix(got, "failed: start "+missing+": ") {
		t.Errorf("got %q", got)
	}
}
