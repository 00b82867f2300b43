package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// sizeofRtgenmsg is the size of struct rtgenmsg with the padding before the attributes.
const sizeofRtgenmsg = 4

// requestTimeout is how long an answer of the kernel may take. It comes at once, or never, but this thread may have to
// wait for a processor before it can read it.
const requestTimeout = time.Second

// dial opens a netlink socket in a namespace. The socket keeps the namespace alive until it is closed.
func dial(family int, in *os.File) (*netlink.Conn, error) {
	c, err := netlink.Dial(family, &netlink.Config{NetNS: int(in.Fd()), Strict: true})
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return c, nil
}

// request sends a netlink message and returns the answers. It returns ErrTooEarly if none was read in time.
func request(c *netlink.Conn, kind uint16, flags netlink.HeaderFlags, message []byte) ([]netlink.Message, error) {
	if err := c.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
		return nil, fmt.Errorf("limit the time of an answer: %w", err)
	}
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags}, Data: message,
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%w: %w", ErrTooEarly, err)
	}
	return answers, err
}

// parseNsid reads a message of RTM_GETNSID: the id of a namespace in the namespace that was asked about, and in the one
// that asks; -1: it has none there.
func parseNsid(data []byte) (theirs, ours int32) {
	theirs, ours = -1, -1
	for kind, value := range attributesAfter(sizeofRtgenmsg, data) {
		n, ok := parseUint32(value)
		switch {
		case !ok:
		case kind == unix.NETNSA_NSID:
			theirs = int32(n)
		case kind == unix.NETNSA_CURRENT_NSID:
			ours = int32(n)
		}
	}
	return theirs, ours
}

// parseIfAddr reads a message of RTM_GETADDR: an address, and the index of its interface. IFA_ADDRESS is the address of
// the other end where there is an IFA_LOCAL (rtnetlink(7)).
func parseIfAddr(data []byte) (a netip.Addr, index uint32) {
	if len(data) < unix.SizeofIfAddrmsg {
		return a, 0
	}
	index = binary.NativeEndian.Uint32(data[4:])
	for kind, value := range attributesAfter(unix.SizeofIfAddrmsg, data) {
		if kind == unix.IFA_LOCAL || kind == unix.IFA_ADDRESS && !a.IsValid() {
			a = parseAddr(value)
		}
	}
	return a, index
}

// parseRoute reads a message of RTM_GETROUTE: the index of the interface that the packet leaves by; 0: none.
func parseRoute(data []byte) (index uint32) {
	for kind, value := range attributesAfter(unix.SizeofRtMsg, data) {
		if kind == unix.RTA_OIF {
			index, _ = parseUint32(value)
		}
	}
	return index
}

// noRoute reports whether an error says that there is no route, or only one that forbids its use (unreachable,
// prohibit, blackhole).
func noRoute(err error) bool {
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EACCES) ||
		errors.Is(err, unix.EINVAL)
}

// notSupported reports whether an error says that the kernel lacks a family or a feature.
func notSupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT)
}

// parseLink reads a message of RTM_GETLINK: the id of the namespace that the other end of an interface is in.
func parseLink(data []byte) (id int32, ok bool) {
	for kind, value := range attributesAfter(unix.SizeofIfInfomsg, data) {
		if kind == unix.IFLA_LINK_NETNSID {
			n, valid := parseUint32(value)
			id, ok = int32(n), valid && int32(n) >= 0
		}
	}
	return id, ok
}

// bytesOf returns a copy of the bytes of a struct.
func bytesOf[T any](v *T) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))...)
}
