// Package thread runs functions on a thread of their own, for state that the kernel keeps for each thread, such as
// namespaces.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Go runs f in a goroutine on a thread that runs nothing else and ends with f. It never uses the first thread of the
// process. The runtime cannot end that thread (mexit in runtime/proc.go), and /proc and nsenter take its namespaces
// for those of the process.
func Go(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		// While this goroutine holds the first thread, another goroutine cannot get it.
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
