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
	for n := maxValue; n > maxValue-utf8.UTFMax; n-- {
		if utf8.RuneStart(s[n]) {
			return s[:n]
		}
	}
	return s[:maxValue] // not UTF-8
}

func (v Value) String() string {
	if v == (Value{}) {
		return ""
	}
	return v.handle.Value()
}
