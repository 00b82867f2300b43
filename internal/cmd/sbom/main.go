// Command sbom prints the software bill of materials of a Go program, as CycloneDX JSON.
//
//	sbom -version VERSION [-created SECONDS] [-module PATH] [-packages PACKAGE-LOCK.JSON] PROGRAM
//
// The components are the modules in the program's build information, the Go library, and the packages from which a page
// in the program is bundled: those of npm's lock that are not for development alone. The version is that of the program
// and of the module that is replaced by a folder, -module. The same program gives the same text: it has no serial
// number, and its time is that of the commit.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

func main() {
	var s subject
	var lock string
	flag.StringVar(&s.version, "version", "", "of the program, without v")
	flag.StringVar(&s.module, "module", "github.com/netconn/netconn", "what is replaced by a folder")
	flag.Int64Var(&s.created, "created", 0, "the time of the commit, in seconds since 1970")
	flag.StringVar(&lock, "packages", "", "the lock of npm")
	flag.Parse()
	if flag.NArg() != 1 || s.version == "" {
		flag.Usage()
		os.Exit(2)
	}
	text, err := s.read(flag.Arg(0), lock)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
	fmt.Println(string(text))
}

// A subject is what a bill is of.
type subject struct {
	version, module string
	created         int64
	name, digest    string // of the file
}

// A component is a part of the program, or the program.
type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	URL        string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (s subject) read(program, lock string) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read the modules of %s: %w", program, err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	s.name, s.digest = filepath.Base(program), fmt.Sprintf("%x", sha256.Sum256(content))
	components := s.modules(info)
	if lock != "" {
		text, err := os.ReadFile(lock)
		if err != nil {
			return nil, err
		}
		packages, err := parseLock(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", lock, err)
		}
		components = append(components, packages...)
	}
	return json.MarshalIndent(s.bill(info, components), "", "  ")
}

// bill returns the document. The build information does not say which module needs which: the program depends on all.
func (s subject) bill(info *debug.BuildInfo, components []component) map[string]any {
	var refs []string
	for _, c := range components {
		refs = append(refs, c.Ref)
	}
	program := component{
		Type: "application", Ref: s.name, Name: s.name, Version: s.version, Hashes: []hash{{"SHA-256", s.digest}},
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED":
			program.Properties = append(program.Properties, property{"go:" + setting.Key, setting.Value})
		}
	}
	metadata := map[string]any{"component": program, "lifecycles": []any{map[string]string{"phase": "post-build"}}}
	if s.created != 0 {
		metadata["timestamp"] = time.Unix(s.created, 0).UTC().Format(time.RFC3339)
	}
	return map[string]any{
		"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
		"version": 1, "metadata": metadata, "components": components,
		"dependencies": []any{map[string]any{"ref": program.Ref, "dependsOn": refs}},
	}
}

// modules returns what a program is linked from. The checksum of a module, as go.sum has it, is that of a list of files
// and of no archive, so it is not among the hashes.
func (s subject) modules(info *debug.BuildInfo) []component {
	all := []component{newComponent("golang", "stdlib", strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go"))}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		if strings.HasPrefix(d.Path, ".") || filepath.IsAbs(d.Path) {
			d = &debug.Module{Path: s.module, Version: "v" + s.version}
		}
		c := newComponent("golang", d.Path, d.Version)
		if d.Sum != "" {
			c.Properties = []property{{"go:sum", d.Sum}}
		}
		all = append(all, c)
	}
	return all
}

// parseLock returns the packages of npm's lock that the built page has a part of.
func parseLock(text []byte) ([]component, error) {
	var lock struct {
		Packages map[string]struct {
			Version, Integrity string
			Dev                bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, err
	}
	var all []component
	for _, path := range slices.Sorted(maps.Keys(lock.Packages)) {
		p := lock.Packages[path]
		at := strings.LastIndex(path, "node_modules/")
		if at < 0 || p.Dev {
			continue // the page itself, or what it is built with
		}
		c := newComponent("npm", path[at+len("node_modules/"):], p.Version)
		encoded, isSHA512 := strings.CutPrefix(p.Integrity, "sha512-")
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || !isSHA512 {
			return nil, fmt.Errorf("%s has the checksum %q", path, p.Integrity)
		}
		c.Hashes = []hash{{"SHA-512", hex.EncodeToString(sum)}}
		all = append(all, c)
	}
	return all, nil
}

func newComponent(kind, name, version string) component {
	escape := strings.NewReplacer("@", "%40", "+", "%2B").Replace
	url := "pkg:" + kind + "/" + escape(name) + "@" + escape(version)
	return component{Type: "library", Ref: url, Name: name, Version: version, URL: url}
}
