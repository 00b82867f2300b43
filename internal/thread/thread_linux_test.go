package thread_test

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/thread"
)

// TestMain is to begin on the first thread, which only an init can see to.
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // see above

// attempts is how often goroutines are started while the first thread is the one that is free to take them.
const attempts = 100

// met counts how many of the attempts ended up on the first thread, without the package and with it.
var met struct{ plain, own int }

func TestMain(m *testing.M) {
	first := func() bool { return unix.Gettid() == unix.Getpid() }
	procs := runtime.GOMAXPROCS(1)
	runtime.UnlockOSThread()
	for range attempts {
		done := make(chan bool)
		go func() { done <- first() }()
		if <-done {
			met.plain++
		}
		_ = thread.Run(func() error {
			if first() {
				met.own++
			}
			return nil
		})
	}
	runtime.GOMAXPROCS(procs)
	os.Exit(m.Run())
}

func TestNeverTheFirstThread(t *testing.T) {
	if met.plain == 0 {
		t.Fatal("no goroutine came to the first thread: the test cannot tell")
	}
	if met.own > 0 {
		t.Errorf("%d of %d came to the first thread, which does not end", met.own, attempts)
	}
}

// A thread that has been in another namespace is gone with its work, and the process is where it was.
func TestEndsWithItsWork(t *testing.T) {
	var tid int
	if err := thread.Run(func() error {
		tid = unix.Gettid()
		return unix.Unshare(unix.CLONE_FS) // its own from here on: it must not serve anybody else
	}); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if unix.Tgkill(unix.Getpid(), tid, 0) == unix.ESRCH {
			return
		}
		runtime.Gosched()
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	t.Errorf("thread %d is still there", tid)
}
