//go:build linux

package kernel

import (
	"sync/atomic"
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

// uringParams is struct io_uring_params (include/uapi/linux/io_uring.h), with the offsets that sendByRing needs.
type uringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     struct {
		head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
		_                                                           uint64
	}
	cq struct {
		head, tail, ringMask, ringEntries, overflow, cqes, flags, _ uint32
		_                                                           uint64
	}
}

// uringEntry is struct io_uring_sqe.
type uringEntry struct {
	opcode, flags uint8
	_             uint16
	fd            int32
	_             uint64
	address       uint64
	length        uint32
	messageFlags  uint32
	_             [4]uint64
}

const (
	uringOpSend      = 26 // IORING_OP_SEND
	uringGetEvents   = 1  // IORING_ENTER_GETEVENTS
	uringOffsetSQ    = 0
	uringOffsetSQEs  = 0x10000000
	uringMapFlags    = unix.MAP_SHARED | unix.MAP_POPULATE
	uringMapProtects = unix.PROT_READ | unix.PROT_WRITE
)

// sendByRing sends all of p with io_uring, a request after the other.
func sendByRing(fd int, p []byte) error {
	var params uringParams
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(ring))
	size := max(params.sq.array+4*params.sqEntries, params.cq.cqes+16*params.cqEntries)
	rings, err := unix.Mmap(int(ring), uringOffsetSQ, int(size), uringMapProtects, uringMapFlags) // one mapping for both (5.4)
	if err != nil {
		return err
	}
	defer unix.Munmap(rings)
	entries, err := unix.Mmap(int(ring), uringOffsetSQEs, 64*int(params.sqEntries), uringMapProtects, uringMapFlags)
	if err != nil {
		return err
	}
	defer unix.Munmap(entries)
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[offset])) }
	for len(p) > 0 {
		*(*uringEntry)(unsafe.Pointer(&entries[0])) = uringEntry{opcode: uringOpSend, fd: int32(fd),
			address: uint64(uintptr(unsafe.Pointer(&p[0]))), length: uint32(len(p))}
		*at(params.sq.array) = 0
		atomic.AddUint32(at(params.sq.tail), 1)
		if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, ring, 1, 1, uringGetEvents, 0, 0); errno != 0 {
			return errno
		}
		head := atomic.LoadUint32(at(params.cq.head))
		result := *(*int32)(unsafe.Pointer(&rings[params.cq.cqes+16*(head&*at(params.cq.ringMask))+8]))
		atomic.AddUint32(at(params.cq.head), 1)
		if result < 0 {
			return unix.Errno(-result)
		}
		p = p[result:]
	}
	return nil
}
