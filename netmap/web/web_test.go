package web

import (
	"io/fs"
	"strings"
	"testing"
)

// The licences of the packages in the page ask that their texts travel with it.
func TestLicencesAreEmbedded(t *testing.T) {
	text, err := fs.ReadFile(Files(), "LICENSES")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cytoscape", "d3-force", "preact", "uplot"} {
		_, part, found := strings.Cut(string(text), "\n"+name+" ")
		if !found || !strings.Contains(part, "Copyright") {
			t.Errorf("LICENSES has no licence of %s", name)
		}
	}
}

func TestPageIsEmbedded(t *testing.T) {
	index, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	assets := 0
	for _, part := range strings.Split(string(index), `"`) {
		if name, found := strings.CutPrefix(part, "./assets/"); found {
			assets++
			if _, err := fs.Stat(Files(), "assets/"+name); err != nil {
				t.Error(err)
			}
		}
	}
	if assets < 2 {
		t.Errorf("index.html names %d assets, not a script and a style sheet", assets)
	}
}
