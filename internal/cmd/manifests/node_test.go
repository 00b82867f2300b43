package main

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// parse returns the document of a text.
func parse(t *testing.T, s string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(s), &n); err != nil {
		t.Fatal(err)
	}
	return n.Content[0]
}

func format(t *testing.T, n *yaml.Node) string {
	t.Helper()
	out, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestMapping(t *testing.T) {
	m := mapping(entry{"b", text("2")}, entry{"left", nil}, entry{"a", sequence(plain("true"), plain("7"))},
		entry{"c", block("one\ntwo\n")})
	if got, want := format(t, m), "b: \"2\"\na:\n    - true\n    - 7\nc: |\n    one\n    two"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestGet(t *testing.T) {
	m := parse(t, "{a: 1, b: {a: 2}, name: x}")
	if n := get(m, "a"); n == nil || n.Value != "1" {
		t.Errorf("a is %v", n)
	}
	if n := get(get(m, "b"), "a"); n == nil || n.Value != "2" {
		t.Errorf("b.a is %v", n)
	}
	for _, missing := range []string{"1", "c", "x"} {
		if n := get(m, missing); n != nil {
			t.Errorf("%s is %q", missing, n.Value)
		}
	}
	if n := get(parse(t, "[a, b]"), "a"); n != nil {
		t.Errorf("an item of a sequence is a value: %q", n.Value)
	}
	if !named(m, "x") || named(m, "y") || named(get(m, "b"), "x") {
		t.Error("named by another key or value")
	}
}

// A copy without keys keeps the comments of the others, and leaves the original as it is.
func TestWithout(t *testing.T) {
	m := parse(t, "a: 1\n# why b\nb: 2 # here\nc: 3\n")
	if got, want := format(t, without(m, "a", "c", "d")), "# why b\nb: 2 # here"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := format(t, m); !strings.HasPrefix(got, "a: 1") || !strings.HasSuffix(got, "c: 3") {
		t.Errorf("the original is\n%s", got)
	}
}
