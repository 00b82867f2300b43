//go:build linux

// Package node tests netconn as deploy/ installs it, on a real node of Kubernetes (internal/testcluster). The pods are
// applications that count what they send and receive; what arrives at the backend must be the same. TestPod needs only
// containerd, and is short enough for every run of CI.
package node

import (
	"os"
	"testing"

	"github.com/netconn/netconn/internal/testcluster"
)

func TestMain(m *testing.M) {
	if os.Getenv("NETCONN_KUBERNETES") == "" {
		os.Exit(m.Run()) // the tests say what they need
	}
	os.Exit(testcluster.Enter(m.Run))
}
