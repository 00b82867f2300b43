//go:build linux

package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// newCgroup makes a cgroup below one that is the test's own.
func newCgroup(t *testing.T, name string) *cgroup.Cgroup {
	t.Helper()
	own := fmt.Sprintf("netconn-e2e-%d-%s", os.Getpid(), path.Base(t.Name()))
	c, err := cgroup.New(own, name)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		c.Close()
		if err := cgroup.Remove(own); err != nil {
			t.Error(err)
		}
	})
	return c
}
