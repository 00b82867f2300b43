//go:build linux

package harness_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/harness"
)

// A free address can be listened on, no two are alike, and none is the address that outgoing connections have.
func TestFreeAddress(t *testing.T) {
	seen := make(map[string]bool)
	for range 20 {
		text, err := harness.FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		address, err := netip.ParseAddrPort(text)
		if err != nil || !address.Addr().IsLoopback() || address.Addr() == netip.MustParseAddr("127.0.0.1") || seen[text] {
			t.Errorf("%s: %v", text, err)
		}
		seen[text] = true
		l, err := net.Listen("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}
