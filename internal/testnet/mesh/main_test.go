//go:build linux

package mesh_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// Every process of a mesh is this program under another name.
func TestMain(m *testing.M) {
	if program.Main() {
		return
	}
	if name := os.Getenv(victimVariable); name != "" {
		if err := victim(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	os.Exit(m.Run())
}
