//go:build linux

package bookinfo

import (
	"os"
	"testing"

	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// Every process of a mesh is this program under another name.
func TestMain(m *testing.M) {
	if program.Main() {
		return
	}
	os.Exit(m.Run())
}
