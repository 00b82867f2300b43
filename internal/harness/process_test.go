//go:build linux

package harness_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/harness"
)

const parentVariable = "NETCONN_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) != "" {
		parent()
	}
	os.Exit(m.Run())
}

// parent starts a child, ends every thread that it can, prints the PID of the child, and waits to be killed.
func parent() {
	c, err := harness.Start(exec.Command("sleep", "60"))
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

// lives reports whether a process runs. A zombie, which waits for its new parent, does not.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// A child ends with the program that started it, and not with the thread that happened to start it.
func TestEndsWithItsParent(t *testing.T) {
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), parentVariable+"=1")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := harness.Start(command)
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

func TestState(t *testing.T) {
	if _, err := harness.Start(exec.Command("/nonexistent")); err == nil {
		t.Error("nothing was started, without an error")
	}
	p, err := harness.Start(exec.Command("sh", "-c", "exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if code := p.State().ExitCode(); code != 3 {
		t.Errorf("it ended with %d, want 3", code)
	}
	p.Signal(syscall.SIGKILL)
	p.Kill()
	if code := p.State().ExitCode(); code != 3 {
		t.Errorf("killed after its end, it ended with %d", code)
	}
}

// A process that is stopped ends by itself, or is killed; only an end with exit status 0 is no error.
func TestStop(t *testing.T) {
	for script, want := range map[string]string{
		`trap "exit 0" TERM; echo up; sleep 60 & wait`: "",
		`trap "exit 5" TERM; echo up; sleep 60 & wait`: "exit status 5",
		`trap "" TERM; echo up; sleep 60; sleep 60`:    "still running after 300ms",
		`trap "" TERM HUP; echo up; exec sleep 10`:     "still running after 300ms",
	} {
		command := exec.Command("sh", "-c", script)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p, err := harness.Start(command)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // the trap is set
			t.Fatal(err)
		}
		for range 2 {
			err := p.Stop(300 * time.Millisecond)
			if want == "" && err != nil || want != "" && err == nil {
				t.Errorf("%s: %v, want %q", script, err, want)
			}
			if err != nil && !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "signal: killed") {
				t.Errorf("%s: %v, want %q", script, err, want)
			}
		}
		if lives(p.PID) {
			t.Errorf("%s: it lives", script)
		}
	}
}
