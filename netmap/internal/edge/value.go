package edge

import (
	"strings"
	"unicode/utf8"
	"unique"
)

// maxValue is how many bytes of a value are kept. Workloads choose their own labels, so the length is not trusted.
const maxValue = 256

// Value is a text that is stored once, however many ends have it. Comparable; the zero Value is the empty text.
type Value struct{ handle unique.Handle[string] }

// Text makes a Value. It cuts a text that is too long between two runes, and replaces bytes that are not UTF-8.
func Text(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{unique.Make(strings.ToValidUTF8(cut(s), "\uFFFD"))}
}

// cut returns the first maxValue bytes of s, less a rune that they would divide.
func cut(s string) string {
	if len(s) <= maxValue {
		return s
	}
	s = s[:maxValue]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if r, size := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && size == 1 {
		s = s[:len(s)-1] // the first byte of the rune
	}
	return s
}

func (v Value) String() string {
	if v == (Value{}) {
		return ""
	}
	return v.handle.Value()
}
