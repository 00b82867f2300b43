package owner

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

func TestKernelShapes(t *testing.T) {
	r := newResolver(t)
	for name, tt := range map[string]struct {
		path string // below a segment of the test's own
		want conn.Owner
	}{
		"systemd driver": {
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
			conn.Owner{ContainerID: idA, PodUID: uidA, Executable: "app"},
		},
		"cgroupfs driver": {"/kubepods/besteffort/pod" + uidB + "/" + idB, conn.Owner{ContainerID: idB, PodUID: uidB, Executable: "app"}},
		"static pod":      {"/kubepods/pod" + hash + "/" + idA[1:] + "0", conn.Owner{ContainerID: idA[1:] + "0", Executable: "app", StaticPod: true}},
		"inner cgroup":    {"/docker/" + idB[1:] + "0/system.slice/x.service", conn.Owner{ContainerID: idB[1:] + "0", Executable: "app"}},
		"no container":    {"/jobs/job-7", conn.Owner{Executable: "app"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := own(t) + tt.path
			makeCgroup(t, r.version2, path)
			want(t, r, start(t, r.version2, path, "app"), tt.want)
		})
	}
}

func TestKernelService(t *testing.T) {
	r := newResolver(t)
	unit := own(t)[1:] + ".service"
	path := "/system.slice/" + unit
	makeCgroup(t, r.version2, path)
	long := "an-executable-with-a-name-of-more-than-31-bytes"
	want(t, r, start(t, r.version2, path, long), conn.Owner{Unit: unit, Executable: long})
}

// A container that restarts under the same name, in the same pod, is another container.
func TestKernelRestart(t *testing.T) {
	r := newResolver(t)
	pod := own(t) + "/kubepods/pod" + uidA + "/"
	for id, name := range map[string]string{idA: "before", idB: "after"} {
		makeCgroup(t, r.version2, pod+id)
		p := start(t, r.version2, pod+id, name)
		want(t, r, p, conn.Owner{ContainerID: id, PodUID: uidA, Executable: name})
	}
}

// The first process is asked for by the container, not by the process that opened the connection.
func TestKernelFirstProcess(t *testing.T) {
	r := newResolver(t)
	path := own(t) + "/docker/" + idA
	makeCgroup(t, r.version2, path)
	makeCgroup(t, r.version2, path+"/inner")
	start(t, r.version2, path, "entry")
	// The kernel counts starts in hundredths of a second, and pids may wrap around in between.
	time.Sleep(20 * time.Millisecond)
	p := start(t, r.version2, path+"/inner", "worker")
	want(t, r, p, conn.Owner{ContainerID: idA, Executable: "entry"})
}

// A container that is gone when its connection is reported is known by what the kernel told when it was made.
func TestKernelShortLife(t *testing.T) {
	r := newResolver(t)
	learnt, unknown := own(t)+"/kubepods/pod"+uidA+"/"+idA, own(t)+"/kubepods/pod"+uidA+"/"+idB
	first, second := makeCgroup(t, r.version2, learnt), makeCgroup(t, r.version2, unknown)
	r.Learn(conn.Cgroup{ID: first, Path: learnt})
	for _, path := range []string{learnt, unknown} {
		if err := os.Remove(filepath.Join(r.version2.path, path)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, r, conn.Process{PID: 1 << 30, Cgroup: first, Executable: "brief"}, conn.Owner{ContainerID: idA, PodUID: uidA, Executable: "brief"})
	want(t, r, conn.Process{PID: 1 << 30, Cgroup: second, Executable: "brief"}, conn.Owner{Executable: "brief"})
	wantStats(t, r, Stats{
		Resolved: 1, Unresolved: [Reasons]uint64{Gone: 1}, FirstUnread: 1, Cgroups: 2, Containers: 1,
	})
}

// Handles, walks and Learn agree on what a path is.
func TestKernelWaysAgree(t *testing.T) {
	r := newResolver(t)
	path := own(t) + "/docker/" + idA
	id := makeCgroup(t, r.version2, path)
	got := map[string]string{}
	got["handle"], _ = r.version2.find(id)
	r.version2.walk(func(at uint64, p string) {
		if at == id {
			got["walk"] = p
		}
	})
	for way, p := range got {
		if p != path {
			t.Errorf("by %s: %q, want %q", way, p, path)
		}
	}
	if _, err := r.version2.find(1 << 40); !errors.Is(err, errGone) {
		t.Errorf("find(an id that never was) = %v, want errGone", err)
	}
	if root, err := r.version2.find(rootID); root != "/" || err != nil {
		t.Errorf("find(root) = %q, %v, want /", root, err)
	}
}

// Without the capability the cgroups are searched, and a warning says so.
func TestKernelWithoutHandles(t *testing.T) {
	r := newResolver(t)
	path := own(t) + "/docker/" + idA
	makeCgroup(t, r.version2, path)
	p := start(t, r.version2, path, "app")
	r.version2.handles = false
	want(t, r, p, conn.Owner{ContainerID: idA, Executable: "app"})
	if walks := r.Stats().Walks; walks != 1 {
		t.Errorf("%d walks, want 1", walks)
	}
}

// The two versions count their ids apart: the same number is two cgroups.
func TestKernelVersion1(t *testing.T) {
	r := newResolver(t)
	require(t, r.version1 != nil, "the memory controller's version 1 hierarchy is not mounted here")
	path := own(t) + "/docker/" + idA
	id := makeCgroup(t, r.version1, path)
	p := start(t, r.version1, path, "app")
	p.Cgroup, p.CgroupV1 = rootID, p.Cgroup
	want(t, r, p, conn.Owner{ContainerID: idA, Executable: "app"})
	other, err := r.version2.find(id)
	if other == path {
		t.Errorf("cgroup %d of version 2 is %q, %v: the container of version 1", id, other, err)
	}
}

// Only a part of the hierarchy is shown, as in a container: nothing in it can be placed for certain.
func TestKernelPartOfHierarchy(t *testing.T) {
	r := newResolver(t)
	part := own(t) + "/docker/" + idA
	makeCgroup(t, r.version2, part)
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sys/fs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"proc": "/proc", "sys/fs/cgroup": filepath.Join(r.version2.path, part)} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	inside, err := New(root)
	if err != nil {
		t.Fatal(err)
	}
	if w := inside.Warnings(); len(w) != 1 || !strings.Contains(w[0], "cgroup namespace") {
		t.Errorf("Warnings() = %q, want one about the cgroup namespace", w)
	}
	want(t, inside, conn.Process{Cgroup: r.version2.id(part), Executable: "app"}, conn.Owner{Executable: "app"})
	if got := inside.Stats().Unresolved[NoMount]; got != 1 {
		t.Errorf("%d without a mount, want 1", got)
	}
}

// A process table with hidepid does not show the first process to another user; a directory that is none is an error.
func TestKernelHiddenProcesses(t *testing.T) {
	if proc := os.Getenv("NETCONN_TEST_PROC"); proc != "" { // the other user
		hidden, err := findProcesses(proc)
		fmt.Printf("hidden: %t, %v\n", hidden, err)
		return
	}
	require(t, os.Geteuid() == 0, "mounting takes root")
	proc := t.TempDir()
	if hidden, err := findProcesses(proc); hidden || err == nil {
		t.Errorf("findProcesses(an empty directory) = %t, %v, want an error", hidden, err)
	}
	err := unix.Mount("proc", proc, "proc", 0, "hidepid=2")
	require(t, err == nil, fmt.Sprintf("mount proc: %v", err))
	t.Cleanup(func() { _ = unix.Unmount(proc, unix.MNT_DETACH) })
	child := exec.Command("/proc/self/exe", "-test.run=^TestKernelHiddenProcesses$")
	child.Env = append(os.Environ(), "NETCONN_TEST_PROC="+proc)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := os.Chmod(filepath.Dir(proc), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "hidden: true") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestKernelCgroupsExpire(t *testing.T) {
	r := newResolver(t)
	kept, gone := own(t)+"/kept", own(t)+"/gone"
	first, second := makeCgroup(t, r.version2, kept), makeCgroup(t, r.version2, gone)
	r.Learn(conn.Cgroup{ID: first, Path: kept})
	r.Learn(conn.Cgroup{ID: second, Path: gone})
	if err := os.Remove(filepath.Join(r.version2.path, gone)); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	r.Expire(now)
	r.Expire(now.Add(idleLimit + time.Second))
	if r.groups[groupID{number: first}] == nil || r.groups[groupID{number: second}] != nil {
		t.Errorf("remembered: kept %t, gone %t", r.groups[groupID{number: first}] != nil, r.groups[groupID{number: second}] != nil)
	}
}

func BenchmarkLocate(b *testing.B) {
	r := newResolver(b)
	path := own(b) + "/kubepods/pod" + uidA + "/" + idA
	id := makeCgroup(b, r.version2, path)
	for name, handles := range map[string]bool{"handle": true, "walk": false} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r.version2.handles = handles
			for b.Loop() {
				r.walks = 1
				if g := r.locate(groupID{number: id}); g.path != path {
					b.Fatalf("locate(%d) = %q, want %q", id, g.path, path)
				}
			}
		})
	}
}
