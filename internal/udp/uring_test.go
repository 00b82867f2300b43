//go:build linux

package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// What these tests use of linux/io_uring.h.
const (
	uringPolled      = 1 << 1 // IORING_SETUP_SQPOLL
	uringGetEvents   = 1 << 0 // IORING_ENTER_GETEVENTS
	uringWake        = 1 << 1 // IORING_ENTER_SQ_WAKEUP
	uringAsync       = 1 << 4 // IOSQE_ASYNC
	uringSendMessage = 9      // IORING_OP_SENDMSG
	uringReceive     = 27     // IORING_OP_RECV
	uringSend        = 26     // IORING_OP_SEND
	uringCompletions = 0x8000000
	uringSubmissions = 0x10000000
)

// A uring is an io_uring with room for one request.
type uring struct {
	t       *testing.T
	fd      int
	params  uringParams
	ring    []byte // of submissions
	results []byte
	entries []byte
	flags   byte // of each request
}

type uringParams struct {
	Submissions, Completions, Flags, ThreadCPU, ThreadIdle, Features, Workers uint32
	_                                                                         [3]uint32
	Queue                                                                     struct{ Head, Tail, Mask, Entries, Flags, Dropped, Array, _, _, _ uint32 }
	Result                                                                    struct{ Head, Tail, Mask, Entries, Overflow, Entry, Flags, _, _, _ uint32 }
}

// newUring sets up a ring, or skips the test where the kernel refuses any.
func newUring(t *testing.T, flags uint32, ofRequests byte) *uring {
	t.Helper()
	r := &uring{t: t, params: uringParams{Flags: flags, ThreadIdle: 1000}, flags: ofRequests}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&r.params)), 0)
	if errno != 0 {
		testnet.Require(t, errors.Join(errors.New("io_uring_setup"), errno))
	}
	r.fd = int(fd)
	t.Cleanup(func() { unix.Close(r.fd) })
	p := &r.params
	r.ring = r.mapped(0, p.Queue.Array+4*p.Submissions)
	r.results = r.mapped(uringCompletions, p.Result.Entry+16*p.Completions)
	r.entries = r.mapped(uringSubmissions, 64*p.Submissions)
	return r
}

func (r *uring) mapped(offset int64, size uint32) []byte {
	r.t.Helper()
	m, err := unix.Mmap(r.fd, offset, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = unix.Munmap(m) })
	return m
}

func at(ring []byte, offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&ring[offset])) }

// do has the kernel do one request about a file, waits for its end, and returns the result.
func (r *uring) do(operation byte, fd int, pointer unsafe.Pointer, size int) int32 {
	r.t.Helper()
	clear(r.entries)
	r.entries[0], r.entries[1] = operation, r.flags
	binary.NativeEndian.PutUint32(r.entries[4:], uint32(fd))
	binary.NativeEndian.PutUint64(r.entries[16:], uint64(uintptr(pointer)))
	binary.NativeEndian.PutUint32(r.entries[24:], uint32(size))
	*at(r.ring, r.params.Queue.Array) = 0
	atomic.AddUint32(at(r.ring, r.params.Queue.Tail), 1)
	head := at(r.results, r.params.Result.Head)
	for atomic.LoadUint32(at(r.results, r.params.Result.Tail)) == atomic.LoadUint32(head) {
		_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, uringGetEvents|uringWake, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			r.t.Fatal(errno)
		}
	}
	runtime.KeepAlive(pointer)
	entry := r.params.Result.Entry + 16*(atomic.LoadUint32(head)&*at(r.results, r.params.Result.Mask))
	result := int32(*at(r.results, entry+8))
	atomic.AddUint32(head, 1)
	return result
}

// message sends a datagram by an io_uring, to an address if it is not nil.
func (r *uring) message(fd, size int, to *unix.RawSockaddrInet4) int32 {
	r.t.Helper()
	var pinned runtime.Pinner
	defer pinned.Unpin()
	buffer := make([]byte, size)
	pinned.Pin(&buffer[0])
	if to == nil {
		return r.do(uringSend, fd, unsafe.Pointer(&buffer[0]), size)
	}
	vector := &unix.Iovec{Base: &buffer[0], Len: uint64(size)}
	m := &unix.Msghdr{Name: (*byte)(unsafe.Pointer(to)), Namelen: unix.SizeofSockaddrInet4, Iov: vector, Iovlen: 1}
	for _, p := range []any{to, vector, m} {
		pinned.Pin(p)
	}
	return r.do(uringSendMessage, fd, unsafe.Pointer(m), 1)
}

// take receives a datagram by an io_uring, and returns its size.
func (r *uring) take(fd int) int32 {
	r.t.Helper()
	var pinned runtime.Pinner
	defer pinned.Unpin()
	buffer := make([]byte, 2000)
	pinned.Pin(&buffer[0])
	return r.do(uringReceive, fd, unsafe.Pointer(&buffer[0]), len(buffer))
}

// What an io_uring sends and receives counts once. The caller may run the request, or a worker, or the thread that polls
// the ring. An unconnected socket has the peer that the request names.
func TestIOUring(t *testing.T) {
	for name, how := range map[string]struct {
		ring    uint32
		request byte
	}{"by the caller": {}, "by a worker": {0, uringAsync}, "by a thread that polls": {uringPolled, 0}} {
		t.Run(name, func(t *testing.T) {
			n := testnet.New(t)
			w := observe(t, Options{All: true}, n)
			r := newUring(t, how.ring, how.request)
			s := listen(t, n, "udp4", "127.0.0.1:9000")
			connected := dial(t, n, "udp4", "127.0.0.1:9000")
			free := listen(t, n, "udp4", "127.0.0.1:9001")
			sends := func(c *net.UDPConn, size int, to *unix.RawSockaddrInet4) {
				t.Helper()
				control(t, c, func(fd int) error {
					if got := r.message(fd, size, to); got != int32(size) {
						t.Fatalf("sent: %d, want %d", got, size)
					}
					return nil
				})
				control(t, s, func(fd int) error {
					if got := r.take(fd); got != int32(size) {
						t.Fatalf("received: %d, want %d", got, size)
					}
					return nil
				})
			}
			address := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte{127, 0, 0, 1}}
			binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&address.Port))[:], 9000)
			sends(connected, 100, nil)
			sends(connected, 7, nil)
			w.snapshot(false)
			sends(free, 20, address)
			all := w.want(figures{client, open, 107, 0, 2, 0}, figures{client, open, 20, 0, 1, 0},
				figures{server, open, 0, 107, 0, 2}, figures{server, open, 0, 20, 0, 1})
			for i := range 2 {
				if all[i].Tuple != all[i+2].Tuple.Reverse() {
					t.Errorf("tuples: %v and %v", all[i].Tuple, all[i+2].Tuple)
				}
			}
		})
	}
}
