//go:build linux

package conntrack

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// recorded returns a message of testdata/netlink.txt.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/netlink.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n"+name+"\n")
	if !found {
		t.Fatalf("no message %s is recorded", name)
	}
	lines, _, _ := strings.Cut(after, "\n\n")
	message, err := hex.DecodeString(strings.Join(strings.Fields(lines), ""))
	if err != nil {
		t.Fatalf("message %s: %v", name, err)
	}
	return message
}
