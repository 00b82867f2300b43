//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startVictoria starts the VictoriaMetrics that `make test-backends` built. It answers as Prometheus does, without the
// delay of half a minute that it has by default.
func startVictoria(t *testing.T, flags ...string) *prometheus {
	t.Helper()
	p := &prometheus{t, freeAddress(t)}
	startBackend(t, "victoria-metrics", append(flags, "-storageDataPath="+t.TempDir(), "-httpListenAddr="+p.address,
		"-search.latencyOffset=0s", "-search.disableCache",
		"-memory.allowedBytes=64MB")...)
	until(t, "VictoriaMetrics", func() bool { return answers("http://" + p.address + "/health") })
	return p
}

// victoriaScraping starts a VictoriaMetrics that scrapes the page, with a configuration of Prometheus. With times of its
// own it would go on with a flow that has expired, until the exporter forgets the flow.
func victoriaScraping(t *testing.T, page string) *prometheus {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	text := strings.Replace(fmt.Sprintf(scraped, page), "{", "{honor_timestamps: true, ", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startVictoria(t, "-promscrape.config="+file)
}
