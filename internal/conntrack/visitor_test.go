//go:build linux

package conntrack

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/thread"
)

// visit has threads of this process in another namespace for a moment at a time, as a proxy of many pods has.
func visit(t *testing.T, path string) {
	there, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); err == nil && time.Now().Before(end); {
		err = thread.Run(func() error {
			for _, n := range []*os.File{there, home} {
				if err := unix.Setns(int(n.Fd()), unix.CLONE_NEWNET); err != nil {
					return err
				}
				time.Sleep(300 * time.Microsecond)
			}
			return nil
		})
	}
	t.Fatal(err) // the test that started this process kills it
}

// A namespace is found through a process that is in it, not through a thread that visits it.
func TestVisitor(t *testing.T) {
	const variable = "NETCONN_TEST_VISIT"
	if path := os.Getenv(variable); path != "" {
		visit(t, path)
	}
	n := testnet.New(t)
	pod := exec.Command("sleep", "infinity")
	n.Start(pod)
	visitor := exec.Command("/proc/self/exe", "-test.run", "^TestVisitor$") // newer, so /proc has it after the pod
	visitor.Env = append(os.Environ(), variable+"=/proc/"+strconv.Itoa(pod.Process.Pid)+"/ns/net")
	if err := visitor.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = visitor.Process.Kill()
		_ = visitor.Wait()
	})
	visited := false
	for end := time.Now().Add(10 * time.Second); !visited && time.Now().Before(end); {
		for _, task := range fileNames("/proc/"+strconv.Itoa(visitor.Process.Pid)+"/task", -1) {
			inode, err := readInode("/proc/" + strconv.Itoa(visitor.Process.Pid) + "/task/" + task + "/ns/net")
			visited = visited || err == nil && inode == n.Inode
		}
	}
	if !visited {
		t.Fatal("no thread visits the namespace")
	}
	for range 100 {
		f := newFinder("/proc")
		paths, _ := f.search(time.Now())
		file, err := openNetns(paths[n.Inode], n.Inode)
		if err != nil {
			t.Fatalf("%s: %v", paths[n.Inode], err)
		}
		file.Close()
	}
}
