//go:build linux

package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
)

// missingRights says what the collector logs without a capability of the DaemonSet. CAP_SYS_ADMIN includes the two
// without which nothing works, so it is dropped with them.
var missingRights = map[string]struct{ with, want string }{
	"BPF":             {"SYS_ADMIN", "missing CAP_BPF: run as root, or grant these"},
	"PERFMON":         {"SYS_ADMIN", "missing CAP_PERFMON: run as root, or grant these"},
	"NET_ADMIN":       {"", "missing CAP_NET_ADMIN: netconn.nat is unresolved"},
	"NET_BROADCAST":   {"", "it takes CAP_NET_BROADCAST"},
	"SYS_ADMIN":       {"", "it takes CAP_SYS_ADMIN and CAP_NET_ADMIN"},
	"SYS_PTRACE":      {"", "missing CAP_SYS_PTRACE: containers of other users"},
	"DAC_READ_SEARCH": {"", "add CAP_DAC_READ_SEARCH"},
}

// Each capability of the DaemonSet that is dropped is named in the log, with what it costs.
func TestDeployMissingCapability(t *testing.T) {
	if _, err := exec.LookPath("setpriv"); err != nil {
		testnet.Require(t, err)
	}
	all := agentCapabilities(t)
	for _, dropped := range all {
		t.Run(dropped, func(t *testing.T) {
			row, ok := missingRights[dropped]
			if !ok {
				t.Fatal("there is no row for it")
			}
			set := "-all"
			for _, name := range all {
				if name != dropped && name != row.with {
					set += ",+" + strings.ToLower(name)
				}
			}
			wantMissing(t, exec.Command("setpriv", "--bounding-set="+set, "--no-new-privs", "/proc/self/fd/3"), row.want)
		})
	}
	for name := range missingRights {
		if !slices.Contains(all, name) {
			t.Errorf("the DaemonSet does not add %s", name)
		}
	}
}

// The agent without hostPID has the host's /proc all the same.
func TestDeployMissingHostPID(t *testing.T) {
	if _, err := exec.LookPath("unshare"); err != nil {
		testnet.Require(t, err)
	}
	wantMissing(t, exec.Command("unshare", "--pid", "--fork", "--kill-child", "/proc/self/fd/3"), "hostPID: true")
}

// wantMissing starts the distribution by a command and waits for a sentence in its log.
func wantMissing(t *testing.T, command *exec.Cmd, want string) {
	t.Helper()
	s := setup{Receiver: []string{"error_mode: ignore", "collection_interval: 100ms"}}
	c := launchBy(t, command, nil, []string{"NETCONN_TEST_CONFIGURATION=" + s.text(t)}, "env:NETCONN_TEST_CONFIGURATION")
	until(t, "the end of the start", func() bool { return strings.Contains(c.Log(), "Everything is ready.") })
	if !strings.Contains(c.Log(), want) {
		t.Errorf("the log has no %q:\n%s", want, c.Log())
	}
}
