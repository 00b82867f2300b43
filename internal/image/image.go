//go:build linux

package testcluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
)

// An Image is a container image of one layer.
type Image struct {
	Name       string            // with the registry and the tag
	Files      map[string]string // the paths in the image, and the paths of the files that are copied there
	Entrypoint []string
	Env        []string // NAME=VALUE
}

// Write writes an archive that `ctr images import` and `docker load` take.
func (i Image) Write(w io.Writer) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{
			"Entrypoint": i.Entrypoint, "Env": i.Env,
			"Labels": map[string]string{"org.opencontainers.image.ref.name": i.Name},
		},
		"rootfs": map[string]any{
			"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))},
		},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]any{
		map[string]any{"Config": "config.json", "RepoTags": []string{i.Name}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		text []byte
	}{{"manifest.json", manifest}, {"config.json", config}, {"layer.tar", layer}} {
		if err := addFile(archive, f.name, f.text); err != nil {
			return err
		}
	}
	return archive.Close()
}

// layer returns the image's file system.
func (i Image) layer() ([]byte, error) {
	var text bytes.Buffer
	archive := tar.NewWriter(&text)
	folders := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		if err := addFolders(archive, path.Dir(name), folders); err != nil {
			return nil, err
		}
		content, err := os.ReadFile(i.Files[name])
		if err != nil {
			return nil, err
		}
		if err := addFile(archive, name, content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// addFolders adds a folder and those above it, unless they are there.
func addFolders(archive *tar.Writer, folder string, there map[string]bool) error {
	if there[folder] {
		return nil
	}
	there[folder] = true
	if err := addFolders(archive, path.Dir(folder), there); err != nil {
		return err
	}
	return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755})
}

func addFile(archive *tar.Writer, name string, content []byte) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Size: int64(len(content)),
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}
