package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write returns the digest and the parts of the archive of an image with two files.
func write(t *testing.T, change func(*Image)) (digest string, files map[string][]byte) {
	t.Helper()
	program, text := filepath.Join(t.TempDir(), "program"), filepath.Join(t.TempDir(), "text")
	if err := errors.Join(os.WriteFile(program, []byte("program"), 0o700), os.WriteFile(text, []byte("text"), 0o600)); err != nil {
		t.Fatal(err)
	}
	i := Image{
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
		Name:    "a.test:5000/b:c", Architecture: "arm64", Entrypoint: []string{"/bin/x/program"}, Arguments: []string{"-a"}, Env: []string{"B=C"},
		Labels: map[string]string{"k": "v"},
		Files:  map[string]string{"bin/x/program": program, "/bin/text": text},
	}
	if change != nil {
		change(&i)
	}
	var archive bytes.Buffer
	digest, err := Write(&archive, i)
	if err != nil {
		t.Fatal(err)
	}
	files, _ = untar(t, archive.Bytes())
	return digest, files
}

// descriptor is how a part of an image is named in another one.
type descriptor struct {
	MediaType, Digest string
	Size              int
	Annotations       map[string]string
	Platform          struct{ Architecture, OS string }
}

// get returns the part that a descriptor names, whose length and checksum are as it says.
func (d descriptor) get(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	content, there := files["blobs/"+strings.ReplaceAll(d.Digest, ":", "/")]
	if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); !there || sum != d.Digest || len(content) != d.Size {
		t.Fatalf("%+v names %d bytes with the checksum %s, there: %t", d, len(content), sum, there)
	}
	return content
}

func decode[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

type manifest struct {
	SchemaVersion int
	Config        descriptor
	Layers        []descriptor
}

// Each part names the next one by its checksum, down to the files.
func TestLayout(t *testing.T) {
	digest, files := write(t, nil)
	if got := string(files["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("the layout is %s", got)
	}
	index := decode[struct{ Manifests []descriptor }](t, files["index.json"])
	if m := index.Manifests[0]; m.Digest != digest || m.Annotations["io.containerd.image.name"] != "a.test:5000/b:c" ||
		m.Annotations["org.opencontainers.image.ref.name"] != "c" {
		t.Errorf("the digest is %s, the index has %+v", digest, m)
	}
	m := decode[manifest](t, index.Manifests[0].get(t, files))
	packed := m.Layers[0].get(t, files)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	type settings struct {
		Entrypoint, Cmd, Env []string
		Labels               map[string]string
	}
	type config struct {
		Architecture, OS, Created string
		Config                    settings
		Rootfs                    struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	want := config{Architecture: "arm64", OS: "linux", Created: "2026-01-02T02:04:05Z", Config: settings{
		Entrypoint: []string{"/bin/x/program"}, Cmd: []string{"-a"}, Env: []string{"B=C"}, Labels: map[string]string{"k": "v"},
	}}
	want.Rootfs.DiffIDs = []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}
	if diff := cmp.Diff(want, decode[config](t, m.Config.get(t, files))); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	content, names := untar(t, layer)
	if diff := cmp.Diff([]string{"bin/ 755", "bin/text 644", "bin/x/ 755", "bin/x/program 755"}, names); diff != "" {
		t.Errorf("the layer has (-want +got):\n%s", diff)
	}
	if string(content["bin/x/program"]) != "program" || string(content["bin/text"]) != "text" {
		t.Errorf("the files are %q", content)
	}
}

// Two architectures are one image: the index that the layout names has the image of each, with its own files.
func TestIndex(t *testing.T) {
	folder := t.TempDir()
	var images []Image
	for _, architecture := range []string{"amd64", "arm64"} {
		name := filepath.Join(folder, architecture)
		if err := os.WriteFile(name, []byte(architecture), 0o600); err != nil {
			t.Fatal(err)
		}
		images = append(images, Image{Name: "a.test/b:c", Architecture: architecture, Files: map[string]string{"program": name}})
	}
	var archive bytes.Buffer
	digest, err := Write(&archive, images...)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := untar(t, archive.Bytes())
	layout := decode[struct{ Manifests []descriptor }](t, files["index.json"])
	if len(layout.Manifests) != 1 || layout.Manifests[0].Digest != digest || layout.Manifests[0].MediaType != kindIndex ||
		layout.Manifests[0].Annotations["io.containerd.image.name"] != "a.test/b:c" {
		t.Fatalf("the digest is %s, the layout has %+v", digest, layout.Manifests)
	}
	index := decode[struct{ Manifests []descriptor }](t, layout.Manifests[0].get(t, files))
	var got []string
	for _, d := range index.Manifests {
		m := decode[manifest](t, d.get(t, files))
		config := decode[struct{ Architecture string }](t, m.Config.get(t, files))
		z, err := gzip.NewReader(bytes.NewReader(m.Layers[0].get(t, files)))
		if err != nil {
			t.Fatal(err)
		}
		layer, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		content, _ := untar(t, layer)
		got = append(got, d.Platform.OS, d.Platform.Architecture, config.Architecture, string(content["program"]))
	}
	want := []string{"linux", "amd64", "amd64", "amd64", "linux", "arm64", "arm64", "arm64"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, there := files["manifest.json"]; there {
		t.Error("Docker would load one of the two images under the name of both")
	}
}

// Images of two names have no index in common, and an archive has at least one image.
func TestWriteRefuses(t *testing.T) {
	for name, images := range map[string][]Image{"none": nil, "two names": {{Name: "a:b"}, {Name: "a:c"}}} {
		if digest, err := Write(io.Discard, images...); err == nil || digest != "" {
			t.Errorf("%s: %q, %v", name, digest, err)
		}
	}
}

// Docker loads the same parts by a manifest of its own.
func TestDocker(t *testing.T) {
	_, files := write(t, nil)
	got := decode[[]struct {
		Config           string
		RepoTags, Layers []string
	}](t, files["manifest.json"])
	index := decode[struct{ Manifests []descriptor }](t, files["index.json"])
	m := decode[manifest](t, index.Manifests[0].get(t, files))
	blob := func(d descriptor) string { return "blobs/" + strings.ReplaceAll(d.Digest, ":", "/") }
	if len(got) != 1 || got[0].Config != blob(m.Config) || !cmp.Equal(got[0].Layers, []string{blob(m.Layers[0])}) ||
		!cmp.Equal(got[0].RepoTags, []string{"a.test:5000/b:c"}) {
		t.Errorf("got %+v, and the layout has %+v", got, m)
	}
}

// The digest is that of the files: where and when they were copied makes no difference, their content, their names and
// what is started do. The name of the image is not part of it.
func TestDigest(t *testing.T) {
	first, _ := write(t, nil)
	for what, change := range map[string]struct {
		same bool
		do   func(*Image)
	}{
		"the same files elsewhere": {true, func(*Image) {}},
		"another time and umask": {true, func(i *Image) {
			name := i.Files["bin/x/program"]
			if err := errors.Join(os.Chtimes(name, time.Now(), time.Unix(1, 0)), os.Chmod(name, 0o777)); err != nil {
				t.Fatal(err)
			}
		}},
		"another name":               {true, func(i *Image) { i.Name = "a.test:5000/b:d" }},
		"another content":            {false, func(i *Image) { i.Files["bin/text"] = i.Files["bin/x/program"] }},
		"one file less":              {false, func(i *Image) { delete(i.Files, "/bin/text") }},
		"another entrypoint":         {false, func(i *Image) { i.Entrypoint = nil }},
		"another time of the commit": {false, func(i *Image) { i.Created = i.Created.Add(time.Second) }},
		"no time":                    {false, func(i *Image) { i.Created = time.Time{} }},
		"another architecture":       {false, func(i *Image) { i.Architecture = "amd64" }},
	} {
		if digest, _ := write(t, change.do); (digest == first) != change.same {
			t.Errorf("%s: %s and %s, want the same: %t", what, first, digest, change.same)
		}
	}
}

// A file that is not there is an error, and so is a full disk.
func TestWriteFails(t *testing.T) {
	if _, err := Write(io.Discard, Image{Files: map[string]string{"a": "/not/there"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	if digest, err := Write(full, Image{Name: "a:b"}); err == nil || digest != "" {
		t.Errorf("got %q, %v", digest, err)
	}
}

func untar(t *testing.T, text []byte) (files map[string][]byte, names []string) {
	t.Helper()
	files = make(map[string][]byte)
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %o", header.Name, header.Mode))
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
