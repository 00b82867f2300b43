package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// program builds a program from a module that is replaced by a folder, and returns its path.
func program(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test/main\n\ngo 1.26.0\n\nrequire example.test/part v0.0.0\n\n" +
			"replace example.test/part => ./part\n",
		"main.go":      "package main\n\nimport \"example.test/part\"\n\nfunc main() { part.Do() }\n",
		"part/go.mod":  "module example.test/part\n",
		"part/part.go": "package part\n\nfunc Do() {}\n",
	} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "build", "-trimpath", "-o", "mine", ".")
	command.Dir = folder
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(folder, "mine")
}

// A document of the fields that the tests look at.
type document struct {
	BOMFormat, SpecVersion string
	Metadata               struct {
		Timestamp string
		Component component
	}
	Components   []component
	Dependencies []struct {
		Ref       string
		DependsOn []string
	}
}

// The bill of a real program names it, the folder that it was built with under the module's name, Go's library, and the
// page's packages; and the program depends on each of them.
func TestBill(t *testing.T) {
	path := program(t)
	lock := filepath.Join(t.TempDir(), "package-lock.json")
	text := `{"packages": {"node_modules/@a/b": {"version": "1.2.3", "integrity": "sha512-AAE="}}}`
	if err := os.WriteFile(lock, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := subject{version: "0.2.0", module: "example.test/part", created: 1_700_000_000}
	first, err := s.read(path, lock)
	if err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(first, &got); err != nil {
		t.Fatal(err)
	}
	if got.BOMFormat != "CycloneDX" || got.SpecVersion != "1.6" || got.Metadata.Timestamp != "2023-11-14T22:13:20Z" {
		t.Errorf("%+v", got)
	}
	c := got.Metadata.Component
	if c.Name != "mine" || c.Version != "0.2.0" || len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64 {
		t.Errorf("the program is %+v", c)
	}
	if want := []property{{"go:CGO_ENABLED", "0"}, {"go:GOARCH", "arm64"}, {"go:GOOS", "linux"}}; !cmp.Equal(want, c.Properties) {
		t.Errorf("its properties are %v", c.Properties)
	}
	var refs []string
	for _, c := range got.Components {
		refs = append(refs, c.Ref)
	}
	if len(refs) != 3 || !strings.HasPrefix(refs[0], "pkg:golang/stdlib@1.") || refs[1] != "pkg:golang/example.test/part@v0.2.0" ||
		refs[2] != "pkg:npm/%40a/b@1.2.3" {
		t.Errorf("the components are %v", refs)
	}
	if d := got.Dependencies; len(d) != 1 || d[0].Ref != c.Ref || !cmp.Equal(d[0].DependsOn, refs) {
		t.Errorf("the dependencies are %+v", d)
	}
	if again, err := s.read(path, lock); err != nil || string(again) != string(first) {
		t.Errorf("read again, the bill is another one (%v)", err)
	}
}

// A module that is replaced by another one is the other one: that is what was linked.
func TestModules(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8 X:nothing", Deps: []*debug.Module{
		{Path: "example.test/A", Version: "v1.0.0+incompatible", Sum: "h1:a="},
		{Path: "example.test/b", Version: "v1.0.0", Sum: "h1:b=", Replace: &debug.Module{Path: "example.test/c", Version: "v2.0.0", Sum: "h1:c="}},
		{Path: "example.test/d", Version: "v0.0.0", Replace: &debug.Module{Path: "/a/folder"}},
	}}
	library := func(url, name, version string, properties ...property) component {
		return component{Type: "library", Ref: url, URL: url, Name: name, Version: version, Properties: properties}
	}
	want := []component{
		library("pkg:golang/stdlib@1.26.8", "stdlib", "1.26.8"),
		library("pkg:golang/example.test/A@v1.0.0%2Bincompatible", "example.test/A", "v1.0.0+incompatible", property{"go:sum", "h1:a="}),
		library("pkg:golang/example.test/c@v2.0.0", "example.test/c", "v2.0.0", property{"go:sum", "h1:c="}),
		library("pkg:golang/example.test/d@v3", "example.test/d", "v3"),
	}
	if diff := cmp.Diff(want, subject{version: "3", module: "example.test/d"}.modules(info)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The page has parts of what it depends on, also of what that depends on, and none of what it was built with.
func TestParseLock(t *testing.T) {
	got, err := parseLock([]byte(`{"packages": {
		"": {"version": "0.0.0"},
		"node_modules/b/node_modules/a": {"version": "2.0.0", "integrity": "sha512-AAH/"},
		"node_modules/a": {"version": "1.0.0", "integrity": "sha512-AQ=="},
		"node_modules/built-with": {"version": "1.0.0", "dev": true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []component{
		{Type: "library", Ref: "pkg:npm/a@1.0.0", URL: "pkg:npm/a@1.0.0", Name: "a", Version: "1.0.0", Hashes: []hash{{"SHA-512", "01"}}},
		{Type: "library", Ref: "pkg:npm/a@2.0.0", URL: "pkg:npm/a@2.0.0", Name: "a", Version: "2.0.0", Hashes: []hash{{"SHA-512", "0001ff"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What cannot be read is an error, not a shorter list.
func TestReadFails(t *testing.T) {
	path, bad := program(t), filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(bad, []byte(`{"packages": {"node_modules/a": {"integrity": "sha1-AA=="}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ program, lock string }{
		"no program":       {"/not/there", ""},
		"not a program":    {bad, ""},
		"no lock":          {path, "/not/there"},
		"not a lock":       {path, path},
		"a folder":         {filepath.Dir(path), ""},
		"a folder of them": {path, filepath.Dir(path)},
		"another checksum": {path, bad},
	} {
		if text, err := (subject{}).read(c.program, c.lock); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// The characters that separate the parts of a package URL are escaped in its names.
func TestNewComponent(t *testing.T) {
	for _, c := range []struct{ kind, name, version, want string }{
		{"golang", "example.test/a", "v1.2.3", "pkg:golang/example.test/a@v1.2.3"},
		{"golang", "example.test/a/v2", "v2.0.0+incompatible", "pkg:golang/example.test/a/v2@v2.0.0%2Bincompatible"},
		{"npm", "@scope/a", "1.0.0-rc.1", "pkg:npm/%40scope/a@1.0.0-rc.1"},
	} {
		got := newComponent(c.kind, c.name, c.version)
		if got.URL != c.want || got.Ref != c.want || got.Name != c.name || got.Version != c.version || got.Type != "library" {
			t.Errorf("%+v, want %s", got, c.want)
		}
	}
}

// Without the time of a commit the bill has no time.
//
// The time of the build would make each one differ.
func TestBillWithoutTime(t *testing.T) {
	bill := subject{version: "1"}.bill(&debug.BuildInfo{}, nil)
	if metadata := bill["metadata"].(map[string]any); metadata["timestamp"] != nil {
		t.Errorf("the time is %v", metadata["timestamp"])
	}
}
