package conntrack

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/thread"
)

// homeThread is a thread in a network namespace of its own, the home namespace. In it every other namespace has an id
// (nsid). No other program gives ids there, so they can be counted up, and the BPF program that runs on the thread can
// look into every namespace that has one.
type homeThread struct {
	netns *os.File
	work  chan func()
}

func openHome() (*homeThread, error) {
	h := &homeThread{work: make(chan func())}
	ready := make(chan error)
	thread.Go(func() { h.serve(ready) })
	if err := <-ready; err != nil {
		return nil, err
	}
	return h, nil
}

// serve runs on the thread, which ends when it returns.
func (h *homeThread) serve(ready chan<- error) {
	err := h.unshare()
	ready <- err
	if err != nil {
		return
	}
	for f := range h.work {
		f()
	}
}

func (h *homeThread) unshare() (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace to ask from: %w", err)
	}
	if h.netns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return fmt.Errorf("open the namespace to ask from: %w", err)
	}
	return nil
}

// do runs f on the thread.
func (h *homeThread) do(f func()) {
	done := make(chan struct{})
	h.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// Close ends the thread. No other method may be called after it.
func (h *homeThread) Close() error {
	close(h.work)
	return h.netns.Close()
}
