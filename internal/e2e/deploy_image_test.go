//go:build linux

package e2e

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The licence of each module that is linked into the distribution is in the folder that the image has, and all notices
// are.
func TestDeployLicenses(t *testing.T) {
	path := filepath.Join(root, "_build/otelcol-netconn")
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs the distribution: make build")
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	notices := readText(t, root+"/_build/licenses/NOTICE")
	if len(info.Deps) < 100 {
		t.Errorf("the distribution has %d modules", len(info.Deps))
	}
	for _, module := range info.Deps {
		name := module.Path + "@" + module.Version
		entries, err := os.ReadDir(filepath.Join(root, "_build/licenses", name))
		if err != nil || len(entries) == 0 {
			t.Errorf("%s has no licence: %v", name, err)
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), "NOTICE") && !strings.Contains(notices, "== "+name+"\n") {
				t.Errorf("the notice of %s is missing", name)
			}
		}
	}
}
