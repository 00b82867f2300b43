package filter

import (
	"errors"
	"strings"
	"testing"

	"github.com/netconn/netconn/netmap/internal/edge"
)

func TestErrors(t *testing.T) {
	for text, want := range map[string]Error{
		"clinet.pod=a":                    {0, `unknown tag "clinet.pod"`},
		"port=1 clinet.pod=a":             {7, `unknown tag "clinet.pod"`},
		"=a":                              {0, `unknown tag ""`},
		"client.=a":                       {0, `unknown tag "client."`},
		"client.port=80":                  {0, `unknown tag "client.port"`},
		"pod=\"a":                         {4, "a quote is not closed"},
		`pod="a"b`:                        {7, "text after a closing quote"},
		`pod=a"b"`:                        {5, "a quote within a value; put all of the value between quotes"},
		"!":                               {1, "a term is empty"},
		`""`:                              {0, "a term is empty"},
		strings.Repeat("a ", MaxTerms+1):  {2 * MaxTerms, "more than 32 terms"},
		"pod=" + strings.Repeat("a,", 40): {4 + 2*MaxValues - 1, "more than 32 values"},
		strings.Repeat("a", MaxBytes+1):   {MaxBytes, "the filter is longer than 2048 bytes"},
	} {
		_, err := Parse(text)
		var got *Error
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%.40s: %+v, want %+v", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"client.namespace=prod server.zone!=a *pay*", `pod="a\"b" !x`, "address=10.0.0.0/8,::1", "=", "!=", "a!", "\"", "-", "*", "pod=**a*",
		"kind!=other,internal", "port=\xff", "a\x00b", `"\`, "!!a", "pod==", "pod=!=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, s, l := sample()
		parsed, err := Parse(text)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Offset < 0 || wrong.Offset > len(text) || wrong.Message == "" {
				t.Fatalf("%q: error %#v", text, err)
			}
			return
		}
		holds := parsed.Matcher().Match(c, s, l)
		if len(parsed.terms) == 1 {
			parsed.terms[0].not = !parsed.terms[0].not
			if parsed.Matcher().Match(c, s, l) == holds {
				t.Fatalf("%q: the term and its negation both hold: %v", text, holds)
			}
		}
	})
}

func TestQuotes(t *testing.T) {
	for text, want := range map[string]string{
		`"a"`: "a", `"a b"`: "a b", `"a,b"`: "a,b", `"a\"b"`: `a"b`, `"a\\b"`: `a\b`, `"a\b"`: `a\b`, `"\\"`: `\`, `"a*"`: "a*", `""`: "",
	} {
		f, err := Parse("client.pod=" + text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !f.Matcher().Match(end(t, "pod", want), new(edge.End), new(edge.Link)) {
			t.Errorf("%s does not match %s", text, want)
		}
	}
}

func TestTheLongestFilter(t *testing.T) {
	for text, accepted := range map[string]bool{
		strings.Repeat("a", MaxBytes): true, strings.Repeat("a", MaxBytes+1): false,
		strings.Repeat("a ", MaxTerms): true, strings.Repeat("a ", MaxTerms) + "b": false,
		"pod=" + strings.Repeat("a,", MaxValues-1) + "b": true, "pod=" + strings.Repeat("a,", MaxValues) + "b": false,
	} {
		if _, err := Parse(text); (err == nil) != accepted {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}

func TestTextWithAnEqualsSign(t *testing.T) {
	for text, tt := range map[string]struct {
		value string
		want  bool
	}{
		"shop pod=cart":      {"shop", false}, // two terms
		"cart pod=cart":      {"cart", true},
		"cart\tpod=cart\n":   {"cart", true},
		"cart\r\npod!=shop":  {"cart", true},
		`"a=b"`:              {"a=b", true},
		`!"a=b"`:             {"a=b", false},
		"*a=b":               {"xa=b", true},
		"*a=b*":              {"a=c", false},
		"a,b=c":              {"xa,b=cx", true},
		"a,b!=c":             {"a,b=c", false}, // no term of its own either
		`pod="a=b" pod=*=b`:  {"a=b", true},
		"pod=a=b":            {"a=b", true},
		"pod=a!b":            {"a!b", true},
		"pod==":              {"=", true},
		"wow!":               {"wow! it works", true}, // an exclamation mark at the end
		"wow!x pod=wow!*":    {"wow!x", true},
		"pod=cart,shop shop": {"shop", true},
		"pod=cart, shop":     {"shop", true}, // the second value is empty, and no end has the pod cart
	} {
		f, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := f.Matcher().Match(end(t, "pod", tt.value), new(edge.End), new(edge.Link)); got != tt.want {
			t.Errorf("%q of %q: %v, want %v", text, tt.value, got, tt.want)
		}
	}
}
