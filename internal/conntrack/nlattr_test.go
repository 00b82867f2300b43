//go:build linux

package conntrack

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

type attribute struct {
	Kind  uint16
	Value []byte
}

func collect(data []byte) (all []attribute) {
	for kind, value := range attributes(data) {
		all = append(all, attribute{kind, value})
	}
	return all
}

// What is appended is read again, and each attribute begins at a multiple of four bytes.
func TestAppendAttributes(t *testing.T) {
	data := appendBytes(nil, 1, []byte{1})
	data = appendBytes(data, 2, nil)
	data = appendUint32(data, 3, 0x01020304)
	data = appendPort(data, 4, 8080)
	nested := func(b []byte) []byte { return appendBytes(b, 6, []byte{6, 6, 6}) }
	data = appendAttribute(data, 5|unix.NLA_F_NESTED, nested)
	wantEqual(t, "attributes", collect(data), []attribute{
		{1, []byte{1}},
		{2, []byte{}},
		{3, binary.NativeEndian.AppendUint32(nil, 0x01020304)},
		{4, []byte{0x1f, 0x90}},
		{5, []byte{7, 0, 6, 0, 6, 6, 6, 0}},
	})
	if len(data)%4 != 0 {
		t.Errorf("%d bytes, want a multiple of four", len(data))
	}
	wantEqual(t, "nested", collect(collect(data)[4].Value), []attribute{{6, []byte{6, 6, 6}}})
}

// Reading stops where an attribute has a length that cannot be.
func TestBrokenAttributes(t *testing.T) {
	first := []byte{5, 0, 1, 0, 9, 0, 0, 0}
	want := []attribute{{1, []byte{9}}}
	for name, rest := range map[string][]byte{
		"nothing":                  {},
		"a part of a header":       {8, 0, 2},
		"a length below a header":  {3, 0, 2, 0, 1, 1, 1, 1},
		"a length of zero":         {0, 0, 2, 0, 1, 1, 1, 1},
		"a length beyond the data": {9, 0, 2, 0, 1, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			wantEqual(t, "attributes", collect(append(first[:len(first):len(first)], rest...)), want)
		})
	}
	wantEqual(t, "an attribute at the end without padding", collect(first[:5]), want)
}

func TestAttributesStop(t *testing.T) {
	n := 0
	for range attributes(recorded(t, "ctnetlink/entry/dnat")[sizeofNfgenmsg:]) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d attributes, want 2", n)
	}
}

func TestAttributesAfter(t *testing.T) {
	data := appendBytes([]byte{1, 2, 3, 4}, 7, []byte{7})
	for size, want := range map[int]int{0: 0, 4: 1, len(data): 0, len(data) + 1: 0} {
		n := 0
		for range attributesAfter(size, data) {
			n++
		}
		if n != want {
			t.Errorf("%d attributes after %d bytes, want %d", n, size, want)
		}
	}
}

// A value of the wrong length has no meaning.
func TestParseValues(t *testing.T) {
	if n, ok := parseUint32([]byte{1, 0, 0, 0}); n != 1 || !ok {
		t.Errorf("four bytes: %d, %v", n, ok)
	}
	for _, value := range [][]byte{nil, {1}, {1, 0, 0}, {1, 0, 0, 0, 0}} {
		if n, ok := parseUint32(value); n != 0 || ok {
			t.Errorf("number of %d bytes: %d, %v", len(value), n, ok)
		}
	}
	for port, value := range map[uint16][]byte{8080: {0x1f, 0x90}, 255: {0, 255}, 0: {1, 2, 3}} {
		if got := parsePort(value); got != port {
			t.Errorf("port %v: %d, want %d", value, got, port)
		}
	}
	for address, value := range map[string][]byte{
		"10.0.0.1":   {10, 0, 0, 1},
		"192.0.2.1":  {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1},
		"fd00::1":    {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		"invalid IP": {1, 2, 3},
	} {
		if got := parseAddr(value); got.String() != address {
			t.Errorf("address %v: %v, want %v", value, got, address)
		}
	}
	if parseAddr(nil) != (netip.Addr{}) {
		t.Error("nothing is an address")
	}
}

// Whatever the kernel sends, reading ends, and no value is longer than the data.
func FuzzAttributes(f *testing.F) {
	f.Add(recorded(f, "ctnetlink/entry/dnat"))
	f.Add([]byte{4, 0, 1, 0, 4, 0, 2, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for _, value := range attributes(data) {
			n += unix.SizeofNlAttr + len(value)
		}
		if n > len(data) {
			t.Errorf("%d bytes of attributes in %d", n, len(data))
		}
	})
}
