//go:build linux

package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// connectRaw is connect() with an address that package unix has no type for.
func connectRaw(fd int, address *unix.RawSockaddr) error {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(address)), unsafe.Sizeof(*address))
	if errno != 0 {
		return errno
	}
	return nil
}
