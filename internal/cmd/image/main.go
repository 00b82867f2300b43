// Command image writes the container image of the distribution as an archive, without a container engine.
//
//	image -name NAME:TAG -certificates FILE [-version VERSION -revision COMMIT -created SECONDS] ARCHIVE FOLDER ...
//
// It prints the digest of the image. Each folder has the files of the image for one architecture: the program, which
// must need no loader and no library, as the image has none, and what belongs to it, such as its licences. The
// authorities that the program trusts are added. Several folders make one image for several architectures.
package main

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/netconn/netconn/internal/image"
)

// program is the file of a folder that a container starts.
const program = "otelcol-netconn"

func main() {
	var o options
	flag.StringVar(&o.name, "name", "", "of the image, with the tag")
	flag.StringVar(&o.certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "the authorities to trust")
	flag.StringVar(&o.version, "version", "", "of the program")
	flag.StringVar(&o.revision, "revision", "", "the commit of the sources")
	flag.Int64Var(&o.created, "created", 0, "the time of the commit, in seconds since 1970")
	flag.Parse()
	if flag.NArg() < 2 || o.name == "" {
		flag.Usage()
		os.Exit(2)
	}
	digest, err := write(o, flag.Arg(0), flag.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

// options are what the images of all architectures have in common.
type options struct {
	name, certificates, version, revision string
	created                               int64
}

// write writes the archive, or leaves none.
func write(o options, archive string, folders []string) (digest string, err error) {
	var images []image.Image
	for _, folder := range folders {
		i, err := o.image(folder)
		if err != nil {
			return "", err
		}
		images = append(images, i)
	}
	file, err := os.Create(archive)
	if err != nil {
		return "", err
	}
	digest, err = image.Write(file, images...)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(archive))
	}
	return digest, nil
}

func (o options) image(folder string) (image.Image, error) {
	architecture, err := inspect(filepath.Join(folder, program))
	if err != nil {
		return image.Image{}, fmt.Errorf("%s: %w", folder, err)
	}
	files := map[string]string{"etc/ssl/certs/ca-certificates.crt": o.certificates}
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(folder, name)
		files[below] = name
		return err
	})
	i := image.Image{
		Name: o.name, Architecture: architecture, Files: files, Labels: o.labels(),
		Entrypoint: []string{"/" + program}, Arguments: []string{"--config=/etc/netconn/collector.yaml"},
	}
	if o.created != 0 {
		i.Created = time.Unix(o.created, 0)
	}
	return i, err
}

func (o options) labels() map[string]string {
	const prefix = "org.opencontainers.image."
	labels := map[string]string{
		prefix + "source":   "https://github.com/netconn/netconn",
		prefix + "licenses": "Apache-2.0",
	}
	if o.version != "" {
		labels[prefix+"version"] = o.version
	}
	if o.revision != "" {
		labels[prefix+"revision"] = o.revision
	}
	return labels
}

// inspect returns the architecture that a program was built for.
func inspect(program string) (architecture string, err error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" {
			architecture = s.Value
		}
	}
	file, err := elf.Open(program)
	if err != nil {
		return "", err
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return "", errors.New("it needs a loader: build it with CGO_ENABLED=0")
		}
	}
	return architecture, nil
}
