package main

import (
	"os"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/names"
)

func TestCommittedModuleIsFresh(t *testing.T) {
	committed, err := os.ReadFile("../../../netmap/web/src/names.ts")
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != module() {
		t.Error("netmap/web/src/names.ts is stale: run go generate ./internal/names")
	}
}

func TestModuleHasEveryName(t *testing.T) {
	text := module()
	want := []string{
		"{ tag: 'pod', attribute: 'k8s.pod.name', shared: true },",
		"{ tag: 'container', attribute: 'k8s.container.name', shared: false },",
		"{ tag: 'port', attribute: 'server.port' },",
		"export const PROXIES = ['sidecar', 'ztunnel', 'waypoint', 'gateway'] as const",
		"export type ErrorType = (typeof ERROR_TYPES)[number]",
		"  '_OTHER',\n] as const",
	}
	for t := range names.Tags {
		want = append(want, "tag: '"+t.String()+"', attribute: '"+t.Attribute()+"'")
	}
	for t := range names.EdgeTags {
		want = append(want, "tag: '"+t.String()+"', attribute: '"+t.Attribute()+"'")
	}
	for _, line := range want {
		if !strings.Contains(text, line) {
			t.Errorf("the module lacks %q", line)
		}
	}
}

// Prettier joins an array that fits a line, and breaks one that does not.
func TestNoLineIsTooLong(t *testing.T) {
	for line := range strings.Lines(module()) {
		if len(line) > lineWidth+1 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}

// A list of a line or of several is the same list.
func TestWriteValues(t *testing.T) {
	long := []string{strings.Repeat("a", 70), strings.Repeat("b", 70)}
	for want, values := range map[string][]string{
		"\n/** C. */\nexport const L = ['x', 'y'] as const\n\nexport type K = (typeof L)[number]\n": {"x", "y"},
		"\n/** C. */\nexport const L = [\n  '" + long[0] + "',\n  '" + long[1] + "',\n] as const\n\n" +
			"export type K = (typeof L)[number]\n": long,
	} {
		var b strings.Builder
		writeValues(&b, "L", "K", "C.", values)
		if b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
}

// The values are those of the package names, each once.
func TestValuesAreThoseOfNames(t *testing.T) {
	text := module()
	for list, values := range map[string][]string{
		"PEER_TYPES": names.Types(), "SCOPES": names.Scopes(), "ROLES": names.Roles(), "NATS": names.NATs(),
	} {
		want := "export const " + list + " = ['" + strings.Join(values, "', '") + "'] as const\n"
		if strings.Count(text, want) != 1 {
			t.Errorf("the module has %q %d times, want once", want, strings.Count(text, want))
		}
	}
}
