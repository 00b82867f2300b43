package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes files below a folder.
func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// tree returns the files below a folder.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, folder+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Licences are copied from the module and from parts that came from elsewhere, not sources with such a name, and not
// from tests.
func TestCopy(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write(t, from, map[string]string{
		"LICENSE": "a", "NOTICE.txt": "b\n", "third_party/x/COPYING": "c", "license.go": "package x", "testdata/LICENSE": "d", "README": "e",
	})
	var notices bytes.Buffer
	if err := (module{"example.com/m@v1", from}).copy(to, &notices); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"example.com/m@v1/LICENSE": "a", "example.com/m@v1/NOTICE.txt": "b\n", "example.com/m@v1/third_party/x/COPYING": "c",
	}
	if diff := cmp.Diff(want, tree(t, to)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "== example.com/m@v1\n\nb\n\n"; notices.String() != want {
		t.Errorf("the notices are %q, want %q", notices.String(), want)
	}
}

// A module without a licence is an error: nobody may pass it on.
func TestNoLicence(t *testing.T) {
	from := t.TempDir()
	write(t, from, map[string]string{"NOTICE": "b", "LICENSE.go": "package x"})
	var b bytes.Buffer
	if err := (module{"example.com/m@v1", from}).copy(t.TempDir(), &b); err == nil {
		t.Error("no error")
	}
}

func TestModules(t *testing.T) {
	s := sources{goRoot: "/go", cache: "/cache", local: "/here"}
	got := s.modules(&debug.BuildInfo{GoVersion: "go1.26.8 X:y", Deps: []*debug.Module{
		{Path: "github.com/BurntSushi/toml", Version: "v1.0.0"},
		{Path: "example.com/own", Version: "v0.0.0", Replace: &debug.Module{Path: "../"}},
		{Path: "example.com/other", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/Fork", Version: "v2.0.0-RC"}},
	}})
	want := []module{
		{"example.com/other@v1.0.0", "/cache/example.com/!fork@v2.0.0-!r!c"}, {"example.com/own@v0.0.0", "/here"},
		{"github.com/BurntSushi/toml@v1.0.0", "/cache/github.com/!burnt!sushi/toml@v1.0.0"}, {"go@go1.26.8", "/go"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
