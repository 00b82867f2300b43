package owner

import (
	"errors"
	"strings"
	"testing"
)

func TestParseMachineID(t *testing.T) {
	const id = "3d1219c7c4c5404aaa1f6d2a48adfda4"
	for text, want := range map[string]string{
		id:                      id,
		id + "\n":               id,
		strings.ToUpper(id):     "",
		id[1:] + "\n":           "",
		"uninitialized\n":       "",
		"":                      "",
		strings.Repeat("0", 32): "",
		"127.0.0.1":             "",
		id + "\n" + id:          "",
		strings.Repeat("g", 32): "",
	} {
		got, err := parseMachineID(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseMachineID(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseHostname(t *testing.T) {
	for text, want := range map[string]string{
		"node-1\n":                    "node-1",
		"# set by hand\n\n node-1 \n": "node-1",
		"node-1\nnode-2":              "node-1",
		"#\n":                         "",
		"":                            "",
	} {
		if got := parseHostname(text); got != want {
			t.Errorf("parseHostname(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNameSources(t *testing.T) {
	says := func(name string) func() (string, error) { return func() (string, error) { return name, nil } }
	refuses := func() (string, error) { return "", errors.New("operation not permitted") }
	for name, tt := range map[string]struct {
		sources nameSources
		want    string
	}{
		"the reader is in the host's namespace": {nameSources{own: "a", host: "a", read: says("node"), file: says("old")}, "node"},
		"in the initial one, the first process unreadable": {
			nameSources{own: "a", initial: "a", read: says("node"), file: says("old")}, "node"},
		"in another one": {
			nameSources{own: "b", host: "a", initial: "a", read: says("pod"), enter: says("node"), file: says("old")}, "node"},
		"in the initial one, but the host is a container": {
			nameSources{own: "a", host: "b", initial: "a", read: says("outer"), enter: says("node"), file: says("old")}, "node"},
		"entering is refused": {
			nameSources{own: "b", host: "a", read: says("pod"), enter: refuses, file: says("node")}, "node"},
		"in another one, the first process unreadable": {
			nameSources{own: "b", initial: "a", read: says("pod"), enter: refuses, file: says("node")}, "node"},
		"the name is an address":      {nameSources{own: "a", host: "a", read: says("192.0.2.1"), file: says("node")}, "node"},
		"the name is not set":         {nameSources{own: "a", host: "a", read: says("(none)"), file: says("node")}, "node"},
		"nothing but addresses":       {nameSources{own: "a", host: "a", read: says("::1"), file: says("192.0.2.1")}, ""},
		"nothing but the reader's":    {nameSources{own: "b", host: "a", read: says("pod"), enter: refuses, file: says("")}, ""},
		"nothing is known of anybody": {nameSources{initial: "a", read: says("pod"), file: refuses}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.sources.name()
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("name() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
