//go:build linux

package conntrack

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeProc is a directory with processes in it, as /proc has them.
type fakeProc struct {
	t    *testing.T
	root string
}

func newFakeProc(t *testing.T) fakeProc {
	p := fakeProc{t, t.TempDir()}
	for _, name := range []string{"sys", "self", "uptime"} {
		p.makeDir(name)
	}
	return p
}

func (p fakeProc) path(names ...string) string {
	return filepath.Join(append([]string{p.root}, names...)...)
}

func (p fakeProc) makeDir(name string) {
	p.t.Helper()
	if err := os.MkdirAll(p.path(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

// inNamespace puts a process or a thread of it into a network namespace.
func (p fakeProc) inNamespace(name string, inode uint32) {
	p.t.Helper()
	p.makeDir(name + "/ns")
	if err := os.Symlink(fmt.Sprintf("net:[%d]", inode), p.path(name, "ns/net")); err != nil {
		p.t.Fatal(err)
	}
}

func (p fakeProc) mount(process string, inode uint32, path string) {
	p.t.Helper()
	p.makeDir(process)
	line := fmt.Sprintf("497 96 0:4 net:[%d] %s rw shared:258 - nsfs nsfs rw\n", inode, path)
	if err := os.WriteFile(p.path(process, "mountinfo"), []byte(line), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// A namespace is found through a process, a thread or a mount, and by the path that is likely to last longest.
func TestSearch(t *testing.T) {
	p := newFakeProc(t)
	p.inNamespace("100", 1)
	p.inNamespace("100/task/100", 1)
	p.inNamespace("100/task/101", 2) // a thread in a namespace of its own
	p.inNamespace("200", 3)
	p.inNamespace("300", 4)
	p.inNamespace("350/task/351", 4) // a thread of a later process that visits it
	p.inNamespace("350/task/352", 3)
	p.makeDir("400/ns") // a process that has ended, or that may not be looked at
	p.inNamespace("self", 9)
	p.mount("1", 3, "/run/netns/pod")
	p.mount("self", 5, "/run/netns/without-processes")
	f := newFinder(p.root)
	now := time.Now()
	paths, complete := f.search(now)
	if !complete {
		t.Error("the first search is not complete")
	}
	wantEqual(t, "paths", paths, map[uint32]string{
		1: p.path("100/ns/net"),
		2: p.path("100/task/101/ns/net"),
		3: p.path("1/root/run/netns/pod"),
		4: p.path("300/ns/net"),
		5: p.path("self/root/run/netns/without-processes"),
	})
	paths, complete = f.search(now.Add(threadsPause / 2))
	if complete || paths[2] != "" || paths[1] == "" {
		t.Errorf("soon after it: complete %v, %v; want no threads", complete, paths)
	}
	if _, complete = f.search(now.Add(time.Hour)); !complete {
		t.Error("an hour later the search is not complete")
	}
	if f.searches != 3 {
		t.Errorf("%d searches are counted, want 3", f.searches)
	}
}

// A search takes no more than a fiftieth of the time, and there are none in quick succession.
func TestSearchPause(t *testing.T) {
	f := newFinder(newFakeProc(t).root)
	now := time.Now()
	if f.tooEarly(now) {
		t.Error("too early for the first search")
	}
	began := time.Now()
	f.search(now)
	took := time.Since(began)
	if !f.tooEarly(now.Add(searchPause - 1)) {
		t.Errorf("another search is made before %v", searchPause)
	}
	if f.tooEarly(now.Add(max(searchPause, searchShare*took))) {
		t.Error("too early for another search after the pause")
	}
	if pause := f.nextThreads.Sub(now); pause < threadsPause {
		t.Errorf("threads are looked at after %v, want %v", pause, threadsPause)
	}
}

// A lookup names a process. A process that is not in the namespace is looked at once between two searches.
func TestInProcess(t *testing.T) {
	p := newFakeProc(t)
	p.inNamespace("100", 1)
	p.inNamespace("100/task/100", 1)
	p.inNamespace("100/task/101", 2)
	f := newFinder(p.root)
	for inode, want := range map[uint32]string{1: p.path("100/ns/net"), 2: p.path("100/task/101/ns/net")} {
		if path, found := f.inProcess(100, inode); !found || path != want {
			t.Errorf("namespace %d: %q, %v; want %q", inode, path, found, want)
		}
	}
	if path, found := f.inProcess(0, 1); found {
		t.Errorf("no process: %q", path)
	}
	if path, found := f.inProcess(300, 1); found {
		t.Errorf("a process that has ended: %q", path)
	}
	if _, found := f.inProcess(100, 3); found {
		t.Error("namespace 3 is found before the process is in it")
	}
	p.inNamespace("100/task/102", 3)
	if _, found := f.inProcess(100, 3); found {
		t.Error("the process is looked at again without a search")
	}
	f.search(time.Now())
	if _, found := f.inProcess(100, 3); !found {
		t.Error("the process is not looked at again after a search")
	}
}

func TestMaxThreads(t *testing.T) {
	p := newFakeProc(t)
	p.inNamespace("100", 1)
	for i := range 2 * maxThreads {
		p.inNamespace(fmt.Sprint("100/task/", 100+i), uint32(10+i))
	}
	f := newFinder(p.root)
	found := 0
	for i := range 2 * maxThreads {
		if _, ok := f.inProcess(100, uint32(10+i)); ok {
			found++
		}
	}
	if found != maxThreads {
		t.Errorf("%d threads were looked at, want %d", found, maxThreads)
	}
}

// A path that leads to another namespace by now is not opened.
func TestOpenNetns(t *testing.T) {
	inode, err := readInode("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	file, err := openNetns("/proc/self/ns/net", inode)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if _, err := openNetns("/proc/self/ns/net", inode+1); err == nil {
		t.Error("another namespace is opened")
	}
	if _, err := openNetns("/proc/self/ns/none", inode); err == nil {
		t.Error("a path that leads nowhere is opened")
	}
	if _, err := readInode("/proc/self/ns/mnt"); err == nil {
		t.Error("a mount namespace is taken for a network namespace")
	}
}

// A search that waits, as on a busy machine, does not postpone the next one: only its processor time counts.
func TestSearchThatWaits(t *testing.T) {
	const wait = 200 * time.Millisecond
	proc := t.TempDir()
	mounts := filepath.Join(proc, "1", "mountinfo")
	if err := os.Mkdir(filepath.Dir(mounts), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(mounts, 0o600); err != nil { // opening it waits for a writer
		t.Fatal(err)
	}
	began := time.Now() // before the writer, which may run at once
	go func() {
		time.Sleep(wait)
		if w, err := os.OpenFile(mounts, os.O_WRONLY, 0); err == nil {
			w.Close()
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f, before := newFinder(proc), threadTime()
	f.search(began)
	used := threadTime() - before
	if took := time.Since(began); took < wait {
		t.Fatalf("the search took %v, and did not wait", took)
	}
	if longest := max(searchShare*used, searchPause); f.nextSearch.Sub(began) > longest {
		t.Errorf("the next search is %v after this one began, want %v at most", f.nextSearch.Sub(began), longest)
	}
}
