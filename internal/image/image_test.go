//go:build linux

package testcluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An archive is as docker save writes it: the manifest names the configuration and the layer, the configuration the
// layer's checksum.
func TestImage(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	image := Image{Name: "a.test/b:c", Files: map[string]string{"bin/x/program": program, "bin/other": program}, Entrypoint: []string{"/bin/x/program"}}
	var archive bytes.Buffer
	if err := image.Write(&archive); err != nil {
		t.Fatal(err)
	}
	files, _ := untar(t, archive.Bytes())
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	var config struct {
		Config struct{ Entrypoint []string }
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := errors.Join(json.Unmarshal(files["manifest.json"], &manifest), json.Unmarshal(files[manifest[0].Config], &config)); err != nil {
		t.Fatal(err)
	}
	layer := files[manifest[0].Layers[0]]
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); config.Rootfs.DiffIDs[0] != want {
		t.Errorf("the layer is %s, the configuration has %s", want, config.Rootfs.DiffIDs[0])
	}
	if manifest[0].RepoTags[0] != image.Name || config.Config.Entrypoint[0] != "/bin/x/program" {
		t.Errorf("%+v %+v", manifest, config)
	}
	_, names := untar(t, layer)
	if diff := cmp.Diff([]string{"bin/", "bin/other", "bin/x/", "bin/x/program"}, names); diff != "" {
		t.Errorf("the layer has (-want +got):\n%s", diff)
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
		names = append(names, header.Name)
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
