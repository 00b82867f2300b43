package conntrack

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

var errShort = errors.New("decode netlink message: too short")

// attributes returns the attributes of a netlink message (struct nlattr) without the flags of their kinds, and ends where they make no
// sense any more. They are read and written here rather than by the library, which allocates for each, and an answer of ctnetlink has
// forty.
func attributes(data []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(data) >= unix.SizeofNlAttr {
			size := int(binary.NativeEndian.Uint16(data))
			if size < unix.SizeofNlAttr || size > len(data) {
				return
			}
			kind := binary.NativeEndian.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(kind, data[unix.SizeofNlAttr:size]) {
				return
			}
			data = data[min(aligned(size), len(data)):]
		}
	}
}

// appendAttribute appends an attribute.
func appendAttribute(out []byte, kind uint16, value func([]byte) []byte) []byte {
	start := len(out)
	out = value(append(out, 0, 0, 0, 0))
	binary.NativeEndian.PutUint16(out[start:], uint16(len(out)-start))
	binary.NativeEndian.PutUint16(out[start+2:], kind)
	return pad(out)
}

// appendNumber appends an attribute of four bytes, in the order of the machine.
func appendNumber(out []byte, kind uint16, value uint32) []byte {
	return appendAttribute(out, kind, func(b []byte) []byte { return binary.NativeEndian.AppendUint32(b, value) })
}

// aligned rounds up to four bytes (NLA_ALIGNTO).
func aligned(size int) int { return (size + 3) &^ 3 }

func pad(out []byte) []byte {
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	return out
}

// number reads four bytes in the order of the machine. A value of another size is none.
func number(value []byte) (n uint32, ok bool) {
	if len(value) != 4 {
		return 0, false
	}
	return binary.NativeEndian.Uint32(value), true
}

// address reads one; invalid if it is of no size that an address has.
func address(value []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(value)
	return a.Unmap()
}
