//go:build linux

// Package e2e tests the distribution as a user runs it: the program that `make build` makes, with a configuration file,
// an OTLP receiver or a Prometheus page at its other end, and traffic whose bytes are known.
//
// The traffic is made by processes of the test, drivers, in network namespaces and cgroups of its own. The cgroups have
// the names that Kubernetes and Docker give them, so that netconn sees pods and containers. A test checks the resources
// of its own drivers only: the collector also reports the other connections of the host.
//
// NETCONN_COLLECTOR is the path of the program. A test waits for conditions, never for a time; only a defect needs the
// deadline.
package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

const deadline = time.Minute

func TestMain(m *testing.M) {
	if program.Main() {
		return
	}
	if os.Getenv(driverVariable) != "" {
		drive()
		return
	}
	os.Exit(m.Run())
}

// until waits for a condition, and ends the test after the deadline.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := harness.Until(deadline, what, holds); err != nil {
		t.Fatal(err)
	}
}

// poll waits for a condition, and reports whether it held before the deadline.
func poll(holds func() bool) bool { return pollFor(deadline, holds) }

func pollFor(limit time.Duration, holds func() bool) bool {
	return harness.Until(limit, "", holds) == nil
}
