//go:build linux

package cgroup_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// A process that enters the cgroup and needs more than the limit is killed, and one that needs less is not.
func TestMemory(t *testing.T) {
	m, err := cgroup.NewMemory(fmt.Sprintf("netconn-memory-%d", os.Getpid()), 32<<20)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		if err := m.Remove(); err != nil {
			t.Error(err)
		}
	})
	for mib, killed := range map[int]bool{8: false, 64: true} {
		command := exec.Command("sh", "-c", `echo $$ >"$0" && exec dd if=/dev/zero of=/dev/null count=1 bs="$1"M`,
			m.Members(), fmt.Sprint(mib))
		out, err := command.CombinedOutput()
		if (err != nil) != killed || killed && !strings.Contains(err.Error(), "killed") {
			t.Errorf("with %d MiB: %v\n%s", mib, err, out)
		}
	}
}

// The name of a cgroup is used once.
func TestMemoryTwice(t *testing.T) {
	name := fmt.Sprintf("netconn-memory-twice-%d", os.Getpid())
	m, err := cgroup.NewMemory(name, 32<<20)
	if err != nil {
		testnet.Require(t, err)
	}
	if _, err := cgroup.NewMemory(name, 32<<20); err == nil {
		t.Error("the cgroup was made twice")
	}
	if err := m.Remove(); err != nil {
		t.Error(err)
	}
	if err := m.Remove(); err == nil {
		t.Error("the cgroup was removed twice")
	}
}
