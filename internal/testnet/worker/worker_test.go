//go:build linux

package worker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// An order is what a worker of these tests is to do: say what it is, or one of the others.
type order struct {
	Sleep time.Duration
	Exit  int
	Echo  string
}

// An answer is what a worker says of itself.
type answer struct {
	Echo, Executable, Network, Cgroup string
	Arguments                         []string
	UID                               int
	Shared                            string // what is in descriptor 3
}

const workerVariable = "NETCONN_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) == "" {
		os.Exit(m.Run())
	}
	if err := worker.Serve(os.Stdin, os.Stdout, execute); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func execute(o order) answer {
	time.Sleep(o.Sleep)
	if o.Exit != 0 {
		os.Exit(o.Exit)
	}
	a := answer{Echo: o.Echo, Arguments: os.Args[1:], UID: os.Getuid()}
	a.Executable, _ = os.Readlink("/proc/self/exe")
	a.Network, _ = os.Readlink("/proc/self/ns/net")
	cgroups, _ := os.ReadFile("/proc/self/cgroup")
	_, a.Cgroup, _ = strings.Cut(string(cgroups), "0::")
	shared, _ := io.ReadAll(os.NewFile(3, "shared"))
	a.Shared = string(shared)
	return a
}

// start starts a worker in a directory that every user may enter.
func start(t *testing.T, s worker.Spec) *worker.Worker {
	t.Helper()
	dir, err := os.MkdirTemp("", "netconn-worker-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if s.Program, err = worker.Executable(dir, "shop"); err != nil {
		t.Fatal(err)
	}
	s.Env = []string{workerVariable + "=1"}
	w, err := worker.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Kill() })
	return w
}

// A worker has the name, the arguments, the namespace, the cgroup, the user and the files that it was given.
func TestPlace(t *testing.T) {
	n, err := netns.New()
	if err != nil {
		testnet.Require(t, err)
	}
	defer n.Close()
	root := fmt.Sprintf("netconn-worker-%d", os.Getpid())
	c, err := cgroup.New(root, "a.scope")
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		if err := cgroup.Remove(root); err != nil {
			t.Error(err)
		}
	})
	shared := filepath.Join(t.TempDir(), "shared")
	if err := os.WriteFile(shared, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := start(t, worker.Spec{Arguments: []string{"x", "y"}, In: n, Cgroup: c, ID: 1337, Files: []*os.File{file}})
	var got answer
	if err := w.Call(order{Echo: "hello"}, &got); err != nil {
		t.Fatal(err)
	}
	want := answer{
		Echo: "hello", Executable: "shop", Arguments: []string{"x", "y"}, Network: fmt.Sprintf("net:[%d]", n.Inode),
		Cgroup: "/" + root + "/a.scope\n", UID: 1337, Shared: "text",
	}
	got.Executable = filepath.Base(got.Executable)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("worker (-want +got):\n%s", diff)
	}
	if w.Name != "shop" {
		t.Errorf("its name is %s", w.Name)
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}

// Orders are executed one after the other; an answer that is late is an error.
func TestOrders(t *testing.T) {
	w := start(t, worker.Spec{Limit: time.Second})
	for _, text := range []string{"a", "b"} {
		if err := w.Send(order{Echo: text, Sleep: 10 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a", "b"} {
		var got answer
		if err := w.Receive(&got); err != nil || got.Echo != want {
			t.Errorf("got %q, %v; want %q", got.Echo, err, want)
		}
	}
	err := w.Call(order{Sleep: time.Hour}, &answer{})
	if err == nil || err.Error() != "read an answer of shop: not within 1s" {
		t.Errorf("an answer that does not come: %v", err)
	}
	if err := w.Stop(); err != nil {
		t.Errorf("stop in the middle of an order: %v", err)
	}
}

// A worker that ends by itself is an error at the next answer, and at its end.
func TestEnd(t *testing.T) {
	w := start(t, worker.Spec{})
	if err := w.Call(order{Exit: 3}, &answer{}); err == nil || err.Error() != "read an answer of shop: it has ended" {
		t.Errorf("a worker that has ended: %v", err)
	}
	if err := w.Stop(); err == nil || err.Error() != "stop shop: exit status 3" {
		t.Errorf("stop: %v", err)
	}
	if err := w.Send(order{}); err == nil || !strings.Contains(err.Error(), "send an order to shop: ") {
		t.Errorf("send to a worker that was stopped: %v", err)
	}
}

func TestKill(t *testing.T) {
	w := start(t, worker.Spec{})
	if err := w.Kill(); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(w.PID, 0); err != unix.ESRCH {
		t.Errorf("the worker exists: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	if _, err := worker.Start(worker.Spec{Program: "/nonexistent/shop"}); err == nil || !strings.HasPrefix(err.Error(), "start shop: ") {
		t.Errorf("got %v", err)
	}
}

// What is not JSON ends a worker with an error; an answer that cannot be written does too.
func TestServeFails(t *testing.T) {
	echo := func(o order) answer { return answer{Echo: o.Echo} }
	if err := worker.Serve(strings.NewReader("nonsense\n"), io.Discard, echo); err == nil {
		t.Error("nonsense is an order")
	}
	in, write := io.Pipe()
	defer write.Close()
	go func() { _ = json.NewEncoder(write).Encode(order{}) }()
	out, reader := io.Pipe()
	out.Close()
	if err := worker.Serve(in, reader, echo); err == nil || !strings.Contains(err.Error(), "answer an order: ") {
		t.Errorf("an answer that is not read: %v", err)
	}
}

// The input that ends in the middle of an order ends the worker.
func TestServeEndsWithItsInput(t *testing.T) {
	in, write := io.Pipe()
	begun := make(chan bool)
	go func() {
		_ = json.NewEncoder(write).Encode(order{})
		<-begun
		write.Close()
	}()
	var out bytes.Buffer
	err := worker.Serve(in, &out, func(order) answer {
		close(begun)
		select {} // for ever
	})
	if err != nil || out.Len() > 0 {
		t.Errorf("%v, and it answers %q", err, &out)
	}
}

// A program that has the name already is taken as it is; one on another file system is copied.
func TestExecutable(t *testing.T) {
	dir := t.TempDir()
	first, err := worker.Executable(dir, "app")
	if err != nil {
		t.Fatal(err)
	}
	second, err := worker.Executable(dir, "app")
	if err != nil || second != first || filepath.Base(first) != "app" {
		t.Errorf("%s and %s, %v", first, second, err)
	}
	memory, err := os.MkdirTemp("/dev/shm", "netconn-worker-")
	if err != nil {
		t.Skip("no other file system")
	}
	defer os.RemoveAll(memory)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := worker.Rename(script, memory, "app")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "#!/bin/sh\n" {
		t.Errorf("the copy is %q, %v", text, err)
	}
	if _, err := worker.Rename("/nonexistent", dir, "other"); err == nil || !strings.Contains(err.Error(), "copy this program to ") {
		t.Errorf("rename a program that does not exist: %v", err)
	}
}
