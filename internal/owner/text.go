package owner

import (
	"strings"
	"unicode/utf8"
)

// text returns a name of the host as UTF-8, which OTLP demands of every string: the file system takes any bytes.
// Invalid bytes become U+FFFD, one for each run of them.
func text(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// cutText returns a name that was cut at some byte, without the beginning of a character at its end.
func cutText(name string) string {
	for n := 1; n < utf8.UTFMax && n <= len(name); n++ {
		if last := name[len(name)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRuneInString(last) {
				name = name[:len(name)-n]
			}
			break
		}
	}
	return text(name)
}
