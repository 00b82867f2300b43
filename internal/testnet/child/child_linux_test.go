package child_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet/child"
)

const parentVariable = "NETCONN_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) != "" {
		parent()
	}
	os.Exit(m.Run())
}

// parent starts a child, ends every thread that it can, says who the child is, and waits to be killed.
func parent() {
	c, err := child.Start(exec.Command("sleep", "60"))
	if err != nil {
		panic(err)
	}
	for range 100 {
		done := make(chan struct{})
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			close(done)
		}()
		<-done
	}
	time.Sleep(100 * time.Millisecond) // for what would be killed with a thread
	fmt.Println(c.PID, lives(c.PID))
	time.Sleep(time.Minute)
}

// lives is false of a zombie, which is whoever's who adopted it.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// A child lives as long as the program, not as the thread that happened to start it, and no longer.
func TestEndsWithItsParent(t *testing.T) {
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), parentVariable+"=1")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := child.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	var pid int
	var alive bool
	if _, err := fmt.Fscan(out, &pid, &alive); err != nil || !alive {
		t.Fatalf("its threads ended, and the child lives: %t, %v", alive, err)
	}
	p.Kill()
	for deadline := time.Now().Add(10 * time.Second); lives(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the parent has ended, and the child lives")
		}
	}
}

func TestStates(t *testing.T) {
	if _, err := child.Start(exec.Command("/nonexistent")); err == nil {
		t.Error("nothing was started, without an error")
	}
	c, err := child.Start(exec.Command("sh", "-c", "exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if code := c.State().ExitCode(); code != 3 {
		t.Errorf("it ended with %d, want 3", code)
	}
	c.Signal(syscall.SIGKILL)
	c.Kill()
	if code := c.State().ExitCode(); code != 3 {
		t.Errorf("killed after its end, it ended with %d", code)
	}
}
