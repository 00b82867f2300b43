package edge

import (
	"strings"
	"unicode/utf8"
	"unique"
)

// maxValue is how many bytes of a value are kept. Workloads choose their own labels, so the length is not trusted.
const maxValue = 128

// Value is a text that is stored once, however many ends have it. Comparable; the zero Value is the empty text.
type Value struct{ handle unique.Handle[text] }

// text is a text, and the same with its ASCII letters in lower case; folded is empty if that is the same.
type text struct{ plain, folded string }

// Text makes a Value. It cuts a text that is too long between two runes, and replaces bytes that are not UTF-8.
func Text(s string) Value {
	if s == "" {
		return Value{}
	}
	t := text{plain: strings.ToValidUTF8(cut(s), "\uFFFD")}
	if f := Fold(t.plain); f != t.plain {
		t.folded = f
	}
	return Value{unique.Make(t)}
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
	return v.handle.Value().plain
}

// Len returns the number of bytes that are stored for the text.
func (v Value) Len() int {
	if v == (Value{}) {
		return 0
	}
	t := v.handle.Value()
	return len(t.plain) + len(t.folded)
}

// Folded returns the text with its ASCII letters in lower case.
func (v Value) Folded() string {
	if v == (Value{}) {
		return ""
	}
	if t := v.handle.Value(); t.folded != "" {
		return t.folded
	}
	return v.handle.Value().plain
}

// Fold changes ASCII letters to lower case. It leaves other letters alone, because names are identifiers, not prose.
func Fold(s string) string {
	if strings.IndexFunc(s, isUpper) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if isUpper(rune(c)) {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }
