package dns

import (
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Limits of RFC 1035 section 2.3.4.
const (
	maxName  = 255 // bytes of a name, with the lengths of its labels
	maxLabel = 63
)

// Name is a domain name: its labels in lower case, each after its length, without the root's. Comparable. The zero
// value is the root.
type Name struct {
	labels [maxName]byte
	size   uint8
}

// read reads the name of a question, and returns the offset behind it. A question is the first name of a message, so it
// has nothing to point to: a pointer in it is wrong.
func (n *Name) read(raw []byte, at int) (next int, err error) {
	n.size = 0
	for at < len(raw) {
		length := int(raw[at])
		switch {
		case length == 0:
			return at + 1, nil
		case length > maxLabel:
			return 0, ErrMalformed
		case at+1+length > len(raw):
			return 0, errShort
		case !n.add(raw[at : at+1+length]):
			return 0, ErrMalformed
		}
		at += 1 + length
	}
	return 0, errShort
}

// add appends a label with its length. False: the name is too long.
func (n *Name) add(label []byte) bool {
	if int(n.size)+len(label)+1 > maxName { // with the root's length
		return false
	}
	to := n.labels[n.size:]
	to[0] = label[0]
	for i, c := range label[1:] {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to[i+1] = c
	}
	n.size += uint8(len(label))
	return true
}

// skip returns the offset behind the name of a record. It follows no pointer, so it needs no guard against loops.
func skip(raw []byte, at int) (next int, err error) {
	for at < len(raw) {
		length := int(raw[at])
		switch {
		case length == 0:
			return at + 1, nil
		case length&0xc0 == 0xc0 && at+2 > len(raw):
			return 0, errShort
		case length&0xc0 == 0xc0:
			return at + 2, nil
		case length > maxLabel:
			return 0, ErrMalformed
		}
		at += 1 + length
	}
	return 0, errShort
}

// String returns the name with dots, without the last one; the root is ".". A byte that no host name has is written as
// its decimal number after a backslash (RFC 1035 section 5.1), so the result is printable ASCII.
func (n *Name) String() string {
	if n.size == 0 {
		return "."
	}
	var b strings.Builder
	b.Grow(int(n.size))
	for at := 0; at < int(n.size); at += 1 + int(n.labels[at]) {
		if at > 0 {
			b.WriteByte('.')
		}
		for _, c := range n.labels[at+1 : at+1+int(n.labels[at])] {
			writeByte(&b, c)
		}
	}
	return b.String()
}

func writeByte(b *strings.Builder, c byte) {
	if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '*' {
		b.WriteByte(c)
		return
	}
	b.WriteByte('\\')
	if c < 100 {
		b.WriteByte('0')
	}
	if c < 10 {
		b.WriteByte('0')
	}
	b.WriteString(strconv.Itoa(int(c)))
}

// Domain returns the registered domain that a name is in: example.co.uk for a.b.example.co.uk. Names of reverse
// look-ups are all one. A name that is a public suffix, or has one label, is its own domain.
func Domain(name string) string {
	for _, reverse := range []string{"in-addr.arpa", "ip6.arpa"} {
		if name == reverse || strings.HasSuffix(name, "."+reverse) {
			return reverse
		}
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return domain
}
