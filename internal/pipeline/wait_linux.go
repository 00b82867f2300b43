package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A waiter waits until a ring has a record. The kernel wakes it for the first one after a reading.
type waiter struct {
	epoll *os.File // its descriptor is readable when one of those that it watches is; nil: there is no ring
	poked int      // an eventfd, to end a wait
}

// newWaiter watches rings by their file descriptors.
func newWaiter(rings []int) (_ *waiter, err error) {
	w := &waiter{poked: -1}
	if len(rings) == 0 {
		return w, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("wait for records: %w", err), w.close())
		}
	}()
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the runtime waits for it
		return nil, errors.Join(err, unix.Close(fd))
	}
	w.epoll = os.NewFile(uintptr(fd), "epoll")
	if w.poked, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, err
	}
	for _, watched := range append(rings, w.poked) {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(watched)}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, watched, &event); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// waits reports whether it can wait.
func (w *waiter) waits() bool { return w.epoll != nil }

// wait returns when a ring has a record, after a poke, or when so much time has passed, which it reports.
func (w *waiter) wait(most time.Duration) (timeout bool) {
	if w.epoll == nil {
		return true
	}
	raw, err := w.epoll.SyscallConn()
	if err != nil || w.epoll.SetReadDeadline(time.Now().Add(most)) != nil {
		return true // it is closed
	}
	err = raw.Read(func(fd uintptr) bool {
		var ready [1]unix.EpollEvent
		n, err := unix.EpollWait(int(fd), ready[:], 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	var count [8]byte
	_, _ = unix.Read(w.poked, count[:]) // EAGAIN without a poke
	return err != nil
}

// poke ends the wait that runs, or else the next one.
func (w *waiter) poke() {
	if w.epoll != nil {
		_, _ = unix.Write(w.poked, binary.NativeEndian.AppendUint64(nil, 1)) // EAGAIN if it was poked often
	}
}

func (w *waiter) close() error {
	if w.epoll == nil {
		return nil
	}
	err := w.epoll.Close()
	w.epoll = nil
	if w.poked >= 0 {
		err = errors.Join(err, unix.Close(w.poked))
	}
	return err
}
