package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
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

// A module without a licence is an error: it must not be passed on.
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

// compare builds a program of this module that is linked from another one.
func compare(t *testing.T) (program string) {
	t.Helper()
	folder, err := os.MkdirTemp(".", "_program") // go test ./... leaves it out
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	write(t, folder, map[string]string{"main.go": "package main\n\nimport \"github.com/google/go-cmp/cmp\"\n\nfunc main() { cmp.Equal(1, 1) }\n"})
	program = filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./"+folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// The licences of a program are those of Go and of what it is linked from. What was in the folder is gone.
func TestCollect(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	goRoot, program, cache := strings.TrimSpace(string(out)), compare(t), t.TempDir()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	module := info.Deps[0].Path + "@" + info.Deps[0].Version
	write(t, cache, map[string]string{module + "/LICENSE": "a", module + "/NOTICE": "b\n"})
	folder := filepath.Join(t.TempDir(), "licenses")
	write(t, folder, map[string]string{"example.com/old@v1/LICENSE": "old"})
	if err := collect(sources{goRoot: goRoot, cache: cache}, program, folder); err != nil {
		t.Fatal(err)
	}
	files := tree(t, folder)
	goes, compares := false, false
	for name := range files {
		goes = goes || strings.HasPrefix(name, "go@go1.") && strings.HasSuffix(name, "/LICENSE")
		compares = compares || strings.HasPrefix(name, "github.com/google/go-cmp@v") && strings.HasSuffix(name, "/LICENSE")
		if strings.Contains(name, "example.com/old") {
			t.Errorf("%s is still there", name)
		}
	}
	if want := "== " + module + "\n\nb\n\n"; !goes || !compares || files["NOTICE"] != want {
		t.Errorf("of Go %t, of go-cmp %t, notices %q, want %q", goes, compares, files["NOTICE"], want)
	}
	if err := collect(sources{goRoot: goRoot, cache: "/not/there"}, program, folder); err == nil || !strings.Contains(err.Error(), "go-cmp") {
		t.Errorf("without the modules: %v", err)
	}
}

// A file that is no Go program has no modules.
func TestCollectFromNoProgram(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, map[string]string{"text": "text"})
	if err := collect(sources{}, filepath.Join(folder, "text"), filepath.Join(folder, "to")); err == nil {
		t.Error("no error")
	}
}

// Go's tools are left out; a folder of that name in another module is not, nor is Go's own library.
func TestSkip(t *testing.T) {
	for path, want := range map[string]bool{
		"go@go1.26/cmd": true, "go@go1.26/test": true, "go@go1.26/misc": true, "go@go1.26/src": false, "go@go1.26/src/cmd": true,
		"m@v1/cmd": false, "m@v1/_examples": true, "m@v1/.github": true, "m@v1/node_modules": true, "m@v1/testdata": true,
		"m@v1/web/build/out": true, "m@v1/web/build": false, "m@v1/out": false,
	} {
		name, _, _ := strings.Cut(path, "/")
		got := (module{name, name}).skip(path, filepath.Base(path)) != nil
		if got != want {
			t.Errorf("%s: skipped is %t, want %t", path, got, want)
		}
	}
}
