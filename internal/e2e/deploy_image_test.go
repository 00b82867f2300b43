//go:build linux

package e2e

import (
	"debug/buildinfo"
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the Dockerfile copies is there, and needs nothing that an empty image does not have.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(root + "/deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	copied := regexp.MustCompile(`(?m)^COPY ([^-\s]\S*) (\S+)$`).FindAllStringSubmatch(string(text), -1)
	if len(copied) != 2 || copied[0][1] != "_build/licenses" {
		t.Fatalf("it copies %v, want the licences and the program", copied)
	}
	copied = copied[1:]
	if !strings.Contains(string(text), `ENTRYPOINT ["`+copied[0][2]+`"]`) {
		t.Errorf("what is copied to %s is not what is started", copied[0][2])
	}
	path := filepath.Join(root, copied[0][1])
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs the distribution: make build")
	}
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader, and the image has none")
		}
	}
}

// The licence of each module that is linked into the distribution is in the folder that the image copies, and all
// notices are.
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
