package conntrack

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/thread"
)

// A room is a thread in a network namespace of its own. Ids that it gives to other namespaces are nobody else's, so they can be its own
// to count, and the program that runs on it may look into all of them.
type room struct {
	file *os.File // its namespace
	work chan func()
}

func openRoom() (*room, error) {
	r := &room{work: make(chan func())}
	ready := make(chan error)
	thread.Go(func() { r.serve(ready) })
	if err := <-ready; err != nil {
		return nil, err
	}
	return r, nil
}

// serve owns the thread, which ends with it.
func (r *room) serve(ready chan<- error) {
	err := r.enter()
	ready <- err
	if err != nil {
		return
	}
	for f := range r.work {
		f()
	}
}

func (r *room) enter() (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace to ask from: %w", err)
	}
	if r.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return fmt.Errorf("open the namespace to ask from: %w", err)
	}
	return nil
}

// do runs f on the thread.
func (r *room) do(f func()) {
	done := make(chan struct{})
	r.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// Close ends the thread. What it was given to do has been done.
func (r *room) Close() error {
	close(r.work)
	return r.file.Close()
}
