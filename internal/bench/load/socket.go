//go:build linux

package load

import (
	"fmt"
	"io"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the loops. They are raw: the scheduler does not know that the thread blocks, so it neither
// moves work away from it nor wakes anything up.

func endpoint(address string) (*unix.RawSockaddrInet4, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("read address: %w", err)
	}
	sa := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4()}
	port := (*[2]byte)(unsafe.Pointer(&sa.Port))
	port[0], port[1] = byte(a.Port()>>8), byte(a.Port())
	return sa, nil
}

func listen(at *unix.RawSockaddrInet4) (int, error) {
	fd, err := openSocket()
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	if err := listenOn(fd, at); err != nil {
		closeSocket(fd)
		return -1, err
	}
	return fd, nil
}

func listenOn(fd int, at *unix.RawSockaddrInet4) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("set SO_REUSEADDR: %w", err)
	}
	_, _, e := syscall.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(at)), unix.SizeofSockaddrInet4)
	if e != 0 {
		return fmt.Errorf("bind: %w", e)
	}
	if err := unix.Listen(fd, 16384); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}

func openSocket() (int, error) {
	fd, _, e := syscall.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	return int(fd), toError(e)
}

func connect(to *unix.RawSockaddrInet4) (int, error) {
	fd, err := openSocket()
	if err != nil {
		return -1, err
	}
	_, _, e := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(to)), unix.SizeofSockaddrInet4)
	if e != 0 {
		closeSocket(fd)
		return -1, fmt.Errorf("connect: %w", e)
	}
	return fd, nil
}

func accept(l int) (int, error) {
	fd, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(l), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
	return int(fd), toError(e)
}

func closeSocket(fd int) { _, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

func read(fd int, p []byte) (int, error) {
	n, _, e := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), toError(e)
}

func write(fd int, p []byte) (int, error) {
	n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		unix.MSG_NOSIGNAL,
		0, 0)
	return int(n), toError(e)
}

func readFull(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := read(fd, p)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		p = p[n:]
	}
	return nil
}

func writeFull(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := write(fd, p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// toError keeps an errno of 0 from becoming an error that is not nil.
func toError(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
