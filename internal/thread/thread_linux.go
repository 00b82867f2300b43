// Package thread gives work a thread of its own, for what the kernel knows by thread: the namespaces that one is in,
// above all.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Go runs f in a goroutine on a thread that nothing else is run on, and that ends with f. It is never the first thread
// of the process: the runtime cannot end that one, and keeps it where it stands for good (runtime.LockOSThread says
// "exits the thread", and mexit in runtime/proc.go has the exception), and its namespaces are what /proc and nsenter
// take for the whole process's.
func Go(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		// While this goroutine holds the first thread, another one cannot be given it.
		elsewhere := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(elsewhere)
			f()
		}()
		<-elsewhere
		runtime.UnlockOSThread()
	}()
}

// Run does the same, and returns with what f returns.
func Run(f func() error) error {
	done := make(chan error, 1)
	Go(func() { done <- f() })
	return <-done
}
