package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// build builds a small program, and returns its path.
func build(t *testing.T, architecture string) string {
	t.Helper()
	folder := t.TempDir()
	source := filepath.Join(folder, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("go", "build", "-o", filepath.Join(folder, "program"), source)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(folder, "program")
}

// folder returns a folder with licences and certificates.
func folder(t *testing.T) parts {
	t.Helper()
	p := parts{name: "a/b:c", licenses: filepath.Join(t.TempDir(), "licenses"), certificates: filepath.Join(t.TempDir(), "ca.crt")}
	module := filepath.Join(p.licenses, "example.com/m@v1")
	if err := errors.Join(os.MkdirAll(module, 0o700), os.WriteFile(filepath.Join(module, "LICENSE"), nil, 0o600),
		os.WriteFile(filepath.Join(p.licenses, "NOTICE"), nil, 0o600), os.WriteFile(p.certificates, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	return p
}

// The image has the program, the licences in their folders and the authorities, for the architecture of the program,
// and starts as the manifests expect.
func TestImage(t *testing.T) {
	p, program := folder(t), build(t, "arm64")
	i, err := p.image(program)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"otelcol-netconn":                   program,
		"etc/ssl/certs/ca-certificates.crt": p.certificates,
		"licenses/NOTICE":                   filepath.Join(p.licenses, "NOTICE"),
		"licenses/example.com/m@v1/LICENSE": filepath.Join(p.licenses, "example.com/m@v1/LICENSE"),
	}
	if diff := cmp.Diff(want, i.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if i.Architecture != "arm64" || i.Name != "a/b:c" || !cmp.Equal(i.Entrypoint, []string{"/otelcol-netconn"}) {
		t.Errorf("%+v", i)
	}
}

func TestWrite(t *testing.T) {
	p, program, archive := folder(t), build(t, runtime.GOARCH), filepath.Join(t.TempDir(), "image.tar")
	digest, err := write(p, program, archive)
	if err != nil || !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("%q, %v", digest, err)
	}
	if again, err := write(p, program, archive); err != nil || again != digest {
		t.Errorf("written again: %s, %v, want %s", again, err, digest)
	}
}

// Nothing is left of an image that could not be written.
func TestWriteFails(t *testing.T) {
	program := build(t, runtime.GOARCH)
	for name, change := range map[string]func(*parts) string{
		"no program":      func(*parts) string { return "/not/there" },
		"not a program":   func(p *parts) string { return p.certificates },
		"no licences":     func(p *parts) string { p.licenses = "/not/there"; return program },
		"no certificates": func(p *parts) string { p.certificates = "/not/there"; return program },
	} {
		p, archive := folder(t), filepath.Join(t.TempDir(), "image.tar")
		if digest, err := write(p, change(&p), archive); err == nil || digest != "" {
			t.Errorf("%s: %q, %v", name, digest, err)
		}
		if _, err := os.Stat(archive); err == nil {
			t.Errorf("%s: there is an archive", name)
		}
	}
}

// The image has no loader, so a program that needs one cannot start in it.
func TestProgramThatNeedsALoader(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the test program is not an ELF file")
	}
	program := filepath.Join(t.TempDir(), "program")
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("go", "build", "-buildmode=pie", "-o", program, source)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := folder(t).image(program); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("got %v", err)
	}
}
