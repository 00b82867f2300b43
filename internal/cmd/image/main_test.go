package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/image"
)

// folder returns a folder with a program for an architecture and its licences.
func folder(t *testing.T, architecture string, arguments ...string) string {
	t.Helper()
	source, folder := filepath.Join(t.TempDir(), "main.go"), t.TempDir()
	module := filepath.Join(folder, "licenses", "example.com/m@v1")
	if err := errors.Join(os.MkdirAll(module, 0o700), os.WriteFile(filepath.Join(module, "LICENSE"), nil, 0o600),
		os.WriteFile(filepath.Join(folder, "sbom.json"), nil, 0o600),
		os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	arguments = append(append([]string{"build"}, arguments...), "-o", filepath.Join(folder, program), source)
	command := exec.Command("go", arguments...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return folder
}

// authorities returns the options of an image that trusts some.
func authorities(t *testing.T) options {
	t.Helper()
	o := options{name: "a/b:c", certificates: filepath.Join(t.TempDir(), "ca.crt")}
	if err := os.WriteFile(o.certificates, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// The image has all files of the folder and the authorities, for the architecture of the program, and starts as the
// manifests expect.
func TestImage(t *testing.T) {
	o, from := authorities(t), folder(t, "arm64")
	o.version, o.revision, o.created = "0.2.0", "abc", 1_700_000_000
	got, err := o.image(from)
	if err != nil {
		t.Fatal(err)
	}
	want := image.Image{
		Name: "a/b:c", Architecture: "arm64", Created: time.Unix(1_700_000_000, 0),
		Files: map[string]string{
			"otelcol-netconn":                   filepath.Join(from, "otelcol-netconn"),
			"etc/ssl/certs/ca-certificates.crt": o.certificates,
			"sbom.json":                         filepath.Join(from, "sbom.json"),
			"licenses/example.com/m@v1/LICENSE": filepath.Join(from, "licenses/example.com/m@v1/LICENSE"),
		},
		Entrypoint: []string{"/otelcol-netconn"}, Arguments: []string{"--config=/etc/netconn/collector.yaml"},
		Labels: map[string]string{
			"org.opencontainers.image.source": "https://github.com/netconn/netconn", "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.version": "0.2.0", "org.opencontainers.image.revision": "abc",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Without a version, as `make image` from a copy that has no history, nothing is invented.
func TestImageWithoutVersion(t *testing.T) {
	got, err := authorities(t).image(folder(t, "amd64"))
	if err != nil || len(got.Labels) != 2 || !got.Created.IsZero() {
		t.Errorf("%v, %v, %v", got.Labels, got.Created, err)
	}
}

// One digest names the image of all architectures, and the same folders give the same one.
func TestWrite(t *testing.T) {
	o, archive := authorities(t), filepath.Join(t.TempDir(), "image.tar")
	folders := []string{folder(t, "amd64"), folder(t, "arm64")}
	both, err := write(o, archive, folders)
	if err != nil || !strings.HasPrefix(both, "sha256:") {
		t.Fatalf("%q, %v", both, err)
	}
	if again, err := write(o, archive, folders); err != nil || again != both {
		t.Errorf("written again: %s, %v, want %s", again, err, both)
	}
	if one, err := write(o, archive, folders[:1]); err != nil || one == both {
		t.Errorf("one architecture: %s, %v, and both %s", one, err, both)
	}
}

// Nothing is left of an image that could not be written.
func TestWriteFails(t *testing.T) {
	good := folder(t, "amd64")
	bad := t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, program), []byte("text"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ certificates, folder string }{
		"no folder":       {"", "/not/there"},
		"no program":      {"", t.TempDir()},
		"not a program":   {"", bad},
		"no certificates": {"/not/there", good},
	} {
		o, archive := authorities(t), filepath.Join(t.TempDir(), "image.tar")
		if c.certificates != "" {
			o.certificates = c.certificates
		}
		if digest, err := write(o, archive, []string{good, c.folder}); err == nil || digest != "" {
			t.Errorf("%s: %q, %v", name, digest, err)
		}
		if _, err := os.Stat(archive); err == nil {
			t.Errorf("%s: there is an archive", name)
		}
	}
}

// The image has no loader, so a program that needs one cannot start in it.
func TestProgramThatNeedsALoader(t *testing.T) {
	if _, err := authorities(t).image(folder(t, runtime.GOARCH, "-buildmode=pie")); err == nil ||
		!strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("got %v", err)
	}
}

// A program of another architecture than this machine's is inspected, not run.
func TestInspect(t *testing.T) {
	for _, want := range []string{"amd64", "arm64"} {
		if got, err := inspect(filepath.Join(folder(t, want), program)); err != nil || got != want {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
}
