//go:build linux

// Package e2e tests the distribution as a user runs it: the program that `make build` makes, with a configuration file,
// an OTLP receiver or a Prometheus page at its other end, and traffic that is known to the byte.
//
// The traffic is made by processes of the test (puppets) in network namespaces and cgroups of its own, the cgroups with
// the names that Kubernetes and Docker give them, so that netconn sees pods and containers. Only their resources are
// looked at: the machine's other connections are there too, and nobody's business here.
//
// NETCONN_COLLECTOR is the path of the program. Whatever is waited for is a condition; the deadline is one that only a
// defect needs.
package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet/mesh/actor"
)

const deadline = time.Minute

func TestMain(m *testing.M) {
	if actor.Main() {
		return
	}
	if os.Getenv(puppetVariable) != "" {
		dance()
		return
	}
	os.Exit(m.Run())
}

// until asks again and again until the answer is yes, and ends the test if that takes too long.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	if !poll(yes) {
		t.Fatalf("waited in vain for %s", what)
	}
}

// poll asks until the answer is yes, or the deadline has passed.
func poll(yes func() bool) bool { return pollFor(deadline, yes) }

func pollFor(limit time.Duration, yes func() bool) bool {
	for end := time.Now().Add(limit); !yes(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
