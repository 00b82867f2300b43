package harness

import (
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	log := "info Starting\nwarn Something is missing. {\"error\": \"missing CAP_NET_ADMIN\"}\n" +
		"warn Something is missing. {\"error\": \"the kernel forbids programs that iterate over maps\"}\n"
	want := []string{"warn Something is missing. {\"error\": \"missing CAP_NET_ADMIN\"}\n"}
	if got := Missing(log); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !ReadsFiles(log) || ReadsFiles(want[0]) {
		t.Errorf("reads files: %v with its line, %v without", ReadsFiles(log), ReadsFiles(want[0]))
	}
}
