//go:build linux

package e2e

import (
	"strings"
	"testing"
	"time"
)

// While nothing answers where the agent sends to, its log says so once for each signal, and names the address. The
// attempts after those are silent.
func TestDeployQuiet(t *testing.T) {
	t.Parallel() // no connections are looked at
	nothing := freeAddress(t)
	a := runAgentCollector(t, nothing)
	const refused = "failed to connect to"
	until(t, "the first attempts", func() bool { return strings.Count(a.Log(), refused) >= 3 })
	time.Sleep(5 * time.Second) // attempts follow after 1, 1.6 and 2.6 seconds
	for line := range strings.Lines(a.Log()) {
		if strings.Contains(line, "\twarn\t") && !strings.Contains(line, nothing) {
			t.Errorf("it warns of something else: %s", line)
		}
	}
	if n := strings.Count(a.Log(), "\twarn\t") + strings.Count(a.Log(), "\terror\t"); n != 3 {
		t.Errorf("%d warnings and errors, want one for each of three signals", n)
	}
}
