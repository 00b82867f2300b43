// Package image writes container images without a container engine.
//
// An Image has the files of one layer and the command that a container starts. Write makes an OCI layout of it, as an
// archive that `ctr images import`, `docker load`, `podman load` and `skopeo copy` accept. Images of the same name for
// several architectures become one image index, from which a container engine takes the image of its machine. The same
// files always give the same archive, byte for byte, so its digest identifies them.
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
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// An Image has one layer.
type Image struct {
	Name         string            // with the registry, if it has one, and the tag
	Architecture string            // as GOARCH has it
	Created      time.Time         // of the sources, so that the digest does not depend on the time of the build
	Files        map[string]string // the paths in the image, and the paths of the files that are copied there
	Entrypoint   []string
	Arguments    []string // where a container names none
	Env          []string // NAME=VALUE
	Labels       map[string]string
}

// A blob is a part of an image, named by its checksum.
type blob struct {
	text   []byte
	digest string
}

func newBlob(text []byte) blob { return blob{text, fmt.Sprintf("sha256:%x", sha256.Sum256(text))} }

func (b blob) path() string { return "blobs/" + strings.ReplaceAll(b.digest, ":", "/") }

// descriptor is how a manifest names a blob.
func (b blob) descriptor(kind string) map[string]any {
	return map[string]any{"mediaType": kind, "digest": b.digest, "size": len(b.text)}
}

const (
	kindIndex    = "application/vnd.oci.image.index.v1+json"
	kindManifest = "application/vnd.oci.image.manifest.v1+json"
	kindConfig   = "application/vnd.oci.image.config.v1+json"
	kindLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Write writes the archive, and returns the digest of the image: a pod that names it runs these files and no other.
// Several images have one name, and the digest is that of their index.
func Write(w io.Writer, images ...Image) (digest string, err error) {
	if len(images) == 0 {
		return "", errors.New("no image to write")
	}
	archive := tar.NewWriter(w)
	if err := addFile(archive, "oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return "", err
	}
	var manifests []any
	for _, i := range images {
		if i.Name != images[0].Name {
			return "", fmt.Errorf("%s and %s cannot be in one index", images[0].Name, i.Name)
		}
		manifest, err := i.write(archive, len(images) == 1)
		if err != nil {
			return "", err
		}
		manifests = append(manifests, manifest)
	}
	entry := manifests[0].(map[string]any)
	if len(images) > 1 {
		index := encodeIndex(manifests...)
		if err := addBlobs(archive, index); err != nil {
			return "", err
		}
		entry = index.descriptor(kindIndex)
	}
	entry["annotations"] = images[0].annotations()
	if err := addFile(archive, "index.json", 0o644, encodeIndex(entry).text); err != nil {
		return "", err
	}
	return entry["digest"].(string), archive.Close()
}

// write adds the blobs of an image to the archive, and returns the descriptor of its manifest. The manifest of
// `docker save`, which old versions of Docker read, has no room for a second architecture.
func (i Image) write(archive *tar.Writer, only bool) (map[string]any, error) {
	content, err := i.layer()
	if err != nil {
		return nil, err
	}
	packed, err := compress(content)
	if err != nil {
		return nil, err
	}
	config, layer := i.config(newBlob(content).digest), newBlob(packed)
	manifest := encode(map[string]any{
		"schemaVersion": 2, "mediaType": kindManifest,
		"config": config.descriptor(kindConfig), "layers": []any{layer.descriptor(kindLayer)},
	})
	if only {
		docker := encode([]any{map[string]any{
			"Config": config.path(), "RepoTags": []string{i.Name}, "Layers": []string{layer.path()},
		}})
		if err := addFile(archive, "manifest.json", 0o644, docker.text); err != nil {
			return nil, err
		}
	}
	d := manifest.descriptor(kindManifest)
	d["platform"] = map[string]string{"architecture": i.Architecture, "os": "linux"}
	return d, addBlobs(archive, manifest, config, layer)
}

func addBlobs(archive *tar.Writer, blobs ...blob) error {
	for _, b := range blobs {
		if err := addFile(archive, b.path(), 0o644, b.text); err != nil {
			return err
		}
	}
	return nil
}

// config returns what a container of the image starts with.
func (i Image) config(layer string) blob {
	config := map[string]any{
		"architecture": i.Architecture, "os": "linux",
		"config": map[string]any{
			"Entrypoint": i.Entrypoint, "Cmd": i.Arguments, "Env": i.Env, "Labels": i.Labels,
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer}},
	}
	if !i.Created.IsZero() {
		config["created"] = i.Created.UTC().Format(time.RFC3339)
	}
	return encode(config)
}

// annotations returns the name that the image gets where it is loaded.
func (i Image) annotations() map[string]string {
	_, tag, _ := strings.Cut(path.Base(i.Name), ":")
	return map[string]string{"io.containerd.image.name": i.Name, "org.opencontainers.image.ref.name": tag}
}

func encodeIndex(manifests ...any) blob {
	return encode(map[string]any{"schemaVersion": 2, "mediaType": kindIndex, "manifests": manifests})
}

// encode writes JSON, with the keys of maps in order.
func encode(v any) blob {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of texts, numbers, lists and maps: it cannot fail
	}
	return newBlob(text)
}

func compress(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(content); err != nil {
		return nil, err
	}
	err = z.Close()
	return packed.Bytes(), err
}

// layer returns the image's file system. It belongs to root, and every user may read it.
func (i Image) layer() ([]byte, error) {
	var text bytes.Buffer
	archive := tar.NewWriter(&text)
	folders := map[string]bool{".": true}
	for _, key := range slices.Sorted(maps.Keys(i.Files)) {
		name := strings.TrimPrefix(key, "/")
		if err := addFolders(archive, path.Dir(name), folders); err != nil {
			return nil, err
		}
		content, mode, err := read(i.Files[key])
		if err != nil {
			return nil, err
		}
		if err := addFile(archive, name, mode, content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// read returns a file, and the mode that it has in an image whatever the umask of the builder was.
func read(name string) (content []byte, mode int64, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	mode = 0o644
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	content, err = os.ReadFile(name)
	return content, mode, err
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

func addFile(archive *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}
