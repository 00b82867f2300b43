package signals

import (
	"strings"
	"unicode/utf8"
)

// How many bytes of a text are kept.
const (
	maxName = 128
	maxCode = 32
	maxLine = 256
)

// cut returns the first n bytes of s, less a letter that they would divide, as a copy: s may be a part of a large
// message. Bytes that are not UTF-8 are replaced.
func cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	if utf8.ValidString(s) {
		return strings.Clone(s)
	}
	return cut(strings.ToValidUTF8(s, "\uFFFD"), n)
}
