package netmapextension

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// TestConfigFaults reads testdata/config/<fault>.yaml: the first line is a comment, with what the error has to say.
func TestConfigFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no faults", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			conf, err := confmaptest.LoadConf(file)
			if err != nil {
				t.Fatal(err)
			}
			if err = read(conf); err == nil || !strings.Contains(err.Error(), firstComment(t, file)) {
				t.Errorf("got %v, want %s", err, firstComment(t, file))
			}
		})
	}
}

func read(conf *confmap.Conf) error {
	c := createDefaultConfig()
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	return confmap.Validate(c)
}

func firstComment(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	lines.Scan()
	want, ok := strings.CutPrefix(lines.Text(), "# ")
	if !ok || want == "" {
		t.Fatalf("%s does not begin with a comment", file)
	}
	return want
}

func TestConfigsThatAreRight(t *testing.T) {
	for name, keys := range map[string]map[string]any{
		"default":         {},
		"loopback":        {"endpoint": "127.0.0.53:80"},
		"loopback6":       {"endpoint": "[::1]:80"},
		"mapped loopback": {"endpoint": "[::ffff:127.0.0.1]:80"},
		"unauthenticated": {"endpoint": "0.0.0.0:80", "allow_unauthenticated": true},
		"authenticated":   {"endpoint": "0.0.0.0:80", "auth": map[string]any{"authenticator": "basicauth"}},
		"everything": {
			"endpoint": "localhost:1", "hosts": []any{"map.example"}, "max_edges": 5, "learning_period": "0s",
			"links": []any{
				map[string]any{"name": "a", "kind": "other", "url": "http://a.example:3000/x?p={k8s.pod.name}&f={from}&t={to}"},
				map[string]any{"name": "b", "kind": "traces", "url": "http://a.example/{trace_id}?s={span_id}"},
			},
		},
	} {
		if err := read(confmap.NewFromStringMap(keys)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheDefaultBudget(t *testing.T) {
	for _, tt := range []struct{ edges, mib, bytes int }{
		{20_000, 0, 20_000 * 8192}, {1, 0, 32 << 20}, {20_000, 64, 64 << 20}, {1_000_000, 0, 8192_000_000},
	} {
		c := Config{MaxEdges: tt.edges, MaxMemoryMiB: tt.mib}
		if got := c.maxBytes(); got != tt.bytes {
			t.Errorf("%d edges, %d MiB: a budget of %d bytes, want %d", tt.edges, tt.mib, got, tt.bytes)
		}
	}
}
