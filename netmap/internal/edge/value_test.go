package edge

import (
	"strings"
	"testing"
)

// The memory that a label takes does not depend on its length beyond 128 bytes, and as much for its lower case.
func TestLongValuesAreCut(t *testing.T) {
	for text, want := range map[string]int{
		strings.Repeat("a", 128): 128, strings.Repeat("a", 129): 128, strings.Repeat("a", 4096): 128, strings.Repeat("aB", 4096): 256,
	} {
		if got := Text(text).Len(); got != want {
			t.Errorf("a text of %d bytes takes %d, want %d", len(text), got, want)
		}
	}
}
