//go:build linux

package mesh_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

func newMesh(t *testing.T) *mesh.Mesh {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a mesh needs root"))
	}
	m, err := mesh.New(mesh.Options{Name: mesh.Unique("netconn-mesh")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() }) // most tests do themselves
	return m
}

// must takes what a constructor returns, and ends the test if there is an error.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// traces returns what there is of a mesh of that name: cgroups, folders, processes.
func traces(t *testing.T, name string) (all []string) {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup/" + name, "/sys/fs/cgroup/unified/" + name, filepath.Join(os.TempDir(), name)} {
		found := must(filepath.Glob(pattern))(t)
		all = append(all, found...)
	}
	for _, exe := range must(filepath.Glob("/proc/[0-9]*/exe"))(t) {
		if path, err := os.Readlink(exe); err == nil && strings.Contains(path, "/"+name+"/") {
			all = append(all, exe+" -> "+path)
		}
	}
	return all
}

// inUse reports whether a process or a thread is in a network namespace; other holders do not show, so this is for
// after a mesh is gone.
func inUse(t *testing.T, inode uint32) bool {
	t.Helper()
	for _, link := range must(filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/net"))(t) {
		if target, err := os.Readlink(link); err == nil && target == fmt.Sprintf("net:[%d]", inode) {
			return true
		}
	}
	return false
}

// A small mesh, with a process of each kind, leaves nothing when it is closed.
func TestCloseLeavesNothing(t *testing.T) {
	name := mesh.Unique("netconn-mesh")
	m := must(mesh.New(mesh.Options{Name: name}))(t)
	node := must(m.Node("node1", 1, "172.18.0.3"))(t)
	pod := must(node.Pod("app", 11))(t)
	for _, s := range []mesh.Spec{
		{Name: "shop", Role: program.Role{App: &program.App{Port: 9080}}},
		{Name: "envoy", Role: program.Role{Sidecar: &program.Sidecar{}}, ID: mesh.ProxyID},
	} {
		must(must(pod.Container())(t).Start(s))(t)
	}
	if len(traces(t, name)) < 4 || !inUse(t, pod.Inode) {
		t.Fatalf("the mesh is %v, which is too little to be all", traces(t, name))
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if left := traces(t, name); len(left) > 0 {
		t.Errorf("closed, it leaves %v", left)
	}
	// Threads end in the background, and another test's namespace may have the number for a while.
	for deadline := time.Now().Add(20 * time.Second); inUse(t, pod.Inode) || inUse(t, node.Inode); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("closed, its namespaces are in use: %t, %t", inUse(t, pod.Inode), inUse(t, node.Inode))
		}
	}
}

// What a program leaves that is killed, another one sweeps away; the processes end by themselves, with their input.
func TestSweepAfterKill(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a mesh needs root"))
	}
	name := mesh.Unique("netconn-mesh")
	victim := exec.Command(must(os.Executable())(t))
	victim.Env = append(os.Environ(), victimVariable+"="+name)
	victim.Stderr = os.Stderr
	out := must(victim.StdoutPipe())(t)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var ready [1]byte
	if _, err := out.Read(ready[:]); err != nil {
		t.Fatal(err)
	}
	if len(traces(t, name)) < 3 {
		t.Fatalf("the mesh is %v, which is too little to be all", traces(t, name))
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	if len(traces(t, name)) == 0 {
		t.Fatal("nothing is left to sweep: the test proves nothing")
	}
	for range 2 {
		if err := mesh.Sweep(name); err != nil {
			t.Error(err)
		}
		if left := traces(t, name); len(left) > 0 {
			t.Errorf("swept, it leaves %v", left)
		}
	}
}

// victimVariable has this program make a mesh of that name, and wait for its end.
const victimVariable = "NETCONN_MESH_VICTIM"

func victim(name string) error {
	m, err := mesh.New(mesh.Options{Name: name})
	if err != nil {
		return err
	}
	node, err := m.Node("node1", 1, "172.18.0.3")
	if err != nil {
		return err
	}
	pod, err := node.Pod("app", 11)
	if err != nil {
		return err
	}
	c, err := pod.Container()
	if err != nil {
		return err
	}
	if _, err := c.Start(mesh.Spec{Name: "shop", Role: program.Role{App: &program.App{Port: 9080}}}); err != nil {
		return err
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
	return nil
}

// A constructor that fails half way undoes what it did.
func TestNewUndoesItself(t *testing.T) {
	name := mesh.Unique("netconn-mesh")
	if err := os.MkdirAll(filepath.Join(os.TempDir(), name), 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Join(os.TempDir(), name))
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a mesh needs root"))
	}
	if _, err := mesh.New(mesh.Options{Name: name}); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("got %v, want that the folder exists", err)
	}
	want := []string{filepath.Join(os.TempDir(), name)} // it was there before: another program made it
	if diff := cmp.Diff(want, traces(t, name)); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
}

// A process is where it is to be, is who it is to be, and is called what it is to be called.
func TestProcess(t *testing.T) {
	m := newMesh(t)
	node := must(m.Node("node1", 1, "172.18.0.3"))(t)
	pod := must(node.Pod("app", 11))(t)
	c := must(pod.Container())(t)
	p := must(c.Start(mesh.Spec{Name: "envoy", Role: program.Role{Sidecar: &program.Sidecar{}}, ID: mesh.ProxyID}))(t)
	proc := fmt.Sprintf("/proc/%d/", p.PID)
	if got := must(os.Readlink(proc + "ns/net"))(t); got != fmt.Sprintf("net:[%d]", pod.Inode) {
		t.Errorf("it is in %s, want the pod's namespace, %d", got, pod.Inode)
	}
	if got := must(os.Readlink(proc + "exe"))(t); filepath.Base(got) != "envoy" {
		t.Errorf("its executable is %s", got)
	}
	path := "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + strings.ReplaceAll(pod.UID, "-", "_") +
		".slice/cri-containerd-" + c.ID + ".scope\n"
	if got := string(must(os.ReadFile(proc + "cgroup"))(t)); !strings.HasSuffix(got, path) || len(c.ID) != 64 {
		t.Errorf("its cgroups are\n%s, want one that ends in\n%s", got, path)
	}
	status := string(must(os.ReadFile(proc + "status"))(t))
	for _, want := range []string{"Name:\tenvoy\n", "Uid:\t1337\t1337\t1337\t1337\n", "Gid:\t1337\t1337\t1337\t1337\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("its status has no %q", want)
		}
	}
}

// A process that cannot play its part says why, and one that is gone is not waited for.
func TestProcessSaysWhy(t *testing.T) {
	m := newMesh(t)
	pod := must(must(m.Node("node1", 1, "172.18.0.3"))(t).Pod("app", 11))(t)
	first := must(must(pod.Container())(t).Start(mesh.Spec{Name: "shop", Role: program.Role{App: &program.App{Port: 9080}}}))(t)
	_, err := must(pod.Container())(t).Start(mesh.Spec{Name: "rival", Role: program.Role{App: &program.App{Port: 9080}}})
	if err == nil || !strings.Contains(err.Error(), "start rival: ") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("started on a port that is taken: %v", err)
	}
	if err := first.Ask(program.Ask{URL: "http://10.244.1.11:9081/", Times: 1}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("asked where nothing listens: %v", err)
	}
	if err := first.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := first.Legs(); err == nil {
		t.Error("a process that was killed answers")
	}
	if err := m.Close(); err != nil {
		t.Errorf("close with a process that is gone: %v", err)
	}
}

// A killed process takes no more orders. What it counted is lost, and a second end is no error.
func TestKill(t *testing.T) {
	m := newMesh(t)
	node := must(m.Outside("outside", "172.18.0.1"))(t)
	host := must(node.Host())(t)
	p := must(host.Start(mesh.Spec{Name: "app", Role: program.Role{App: &program.App{}}}))(t)
	for range 2 {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	if legs, err := p.Stop(); legs != nil || err != nil {
		t.Errorf("a stop after that: %v, %v", legs, err)
	}
	if _, err := p.Legs(); err == nil || err.Error() != "send an order to app: it has ended" {
		t.Errorf("an order after that: %v", err)
	}
}
