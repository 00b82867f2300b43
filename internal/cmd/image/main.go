// Command image writes the container image of the distribution as an archive, without a container engine.
//
//	image -name NAME:TAG -licenses FOLDER -certificates FILE PROGRAM ARCHIVE
//
// It prints the digest of the image. The program must need no loader and no library: the image has none. Beside it are
// the authorities that it trusts, and the licences of all that is linked.
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

	"github.com/netconn/netconn/internal/image"
)

func main() {
	var p parts
	flag.StringVar(&p.name, "name", "", "of the image, with the tag")
	flag.StringVar(&p.licenses, "licenses", "", "folder with the licences of the program")
	flag.StringVar(&p.certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "the authorities to trust")
	flag.Parse()
	if flag.NArg() != 2 || p.name == "" || p.licenses == "" {
		flag.Usage()
		os.Exit(2)
	}
	digest, err := write(p, flag.Arg(0), flag.Arg(1))
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

// parts are the name of an image, and what it has beside the program.
type parts struct{ name, licenses, certificates string }

// write writes the archive, or leaves none.
func write(p parts, program, archive string) (digest string, err error) {
	i, err := p.image(program)
	if err != nil {
		return "", err
	}
	file, err := os.Create(archive)
	if err != nil {
		return "", err
	}
	digest, err = i.Write(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(archive))
	}
	return digest, nil
}

func (p parts) image(program string) (image.Image, error) {
	architecture, err := inspect(program)
	if err != nil {
		return image.Image{}, fmt.Errorf("%s: %w", program, err)
	}
	files := map[string]string{
		"otelcol-netconn": program, "etc/ssl/certs/ca-certificates.crt": p.certificates,
	}
	err = filepath.WalkDir(p.licenses, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(p.licenses, name)
		files[filepath.Join("licenses", below)] = name
		return err
	})
	return image.Image{
		Name: p.name, Architecture: architecture, Files: files,
		Entrypoint: []string{"/otelcol-netconn"}, Arguments: []string{"--config=/etc/netconn/collector.yaml"},
		Labels: map[string]string{
			"org.opencontainers.image.source":   "https://github.com/netconn/netconn",
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}, err
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
