package conntrack

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

var errShort = errors.New("decode netlink message: too short")

// attributes returns the attributes of a netlink message (struct nlattr), with the flags removed from their types. It
// stops at an attribute whose length is wrong. The netlink library would allocate memory for each, and an answer of
// ctnetlink has forty.
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

// attributesAfter returns the attributes that follow a header of some size.
func attributesAfter(header int, data []byte) iter.Seq2[uint16, []byte] {
	return attributes(data[min(header, len(data)):])
}

// appendAttribute appends an attribute, with the value that a function appends.
func appendAttribute(out []byte, kind uint16, value func([]byte) []byte) []byte {
	start := len(out)
	out = value(append(out, 0, 0, 0, 0))
	binary.NativeEndian.PutUint16(out[start:], uint16(len(out)-start))
	binary.NativeEndian.PutUint16(out[start+2:], kind)
	return pad(out)
}

// appendUint32 appends an attribute of four bytes in the byte order of the machine.
func appendUint32(out []byte, kind uint16, value uint32) []byte {
	return appendAttribute(out, kind, func(b []byte) []byte { return binary.NativeEndian.AppendUint32(b, value) })
}

// appendBytes appends an attribute.
func appendBytes(out []byte, kind uint16, value []byte) []byte {
	return appendAttribute(out, kind, func(b []byte) []byte { return append(b, value...) })
}

// aligned rounds up to four bytes (NLA_ALIGNTO).
func aligned(size int) int { return (size + 3) &^ 3 }

func pad(out []byte) []byte {
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	return out
}

// parseUint32 reads a value of four bytes in the byte order of the machine.
func parseUint32(value []byte) (n uint32, ok bool) {
	if len(value) != 4 {
		return 0, false
	}
	return binary.NativeEndian.Uint32(value), true
}

// parseAddr reads an address; it is invalid if the value has the length of none.
func parseAddr(value []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(value)
	return a.Unmap()
}

// parsePort reads a value of two bytes in network byte order; 0 if it has another length.
func parsePort(value []byte) uint16 {
	if len(value) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(value)
}
