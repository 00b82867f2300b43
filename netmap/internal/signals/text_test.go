package signals

import (
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
)

func TestCut(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"short":               {"abc", "abc"},
		"empty":               {"", ""},
		"exact":               {"12345678", "12345678"},
		"long":                {"123456789", "12345678"},
		"within a letter":     {"1234567é", "1234567"},
		"between letters":     {"123456éé", "123456é"},
		"not UTF-8":           {"a\xffb", "a\uFFFDb"},
		"not UTF-8, too long": {"1234567\xff", "1234567"},
		"only continuations":  {strings.Repeat("\x80", 20), ""},
		"hostile":             {"<b>\u202e", "<b>\u202e"},
	} {
		if got := cut(c.text, 8); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A part of a large message would keep all of it in memory.
func TestCutCopies(t *testing.T) {
	message := strings.Repeat("x", 1<<16)
	for _, n := range []int{5, 1 << 16} {
		if got := cut(message, n); unsafe.StringData(got) == unsafe.StringData(message) {
			t.Errorf("the first %d bytes are those of the message", n)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("é\xff", 1)
	f.Add(strings.Repeat("\xf0\x9f\x98\x80", 9), 30)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 0 || n > 1000 {
			return
		}
		got := cut(text, n)
		if len(got) > n || !utf8.ValidString(got) {
			t.Errorf("%q, %d: %q", text, n, got)
		}
		if utf8.ValidString(text) && !strings.HasPrefix(text, got) {
			t.Errorf("%q is no beginning of %q", got, text)
		}
	})
}

// What was cut is not cut again.
func TestCutTwice(t *testing.T) {
	for _, text := range []string{"abc", "1234567é", "a\xffb", "1234567\xff", strings.Repeat("é", 9)} {
		once := cut(text, 8)
		if twice := cut(once, 8); twice != once {
			t.Errorf("%q: %q, then %q", text, once, twice)
		}
	}
}
