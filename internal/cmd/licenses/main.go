// Command licenses collects the licences and notices of what a Go program is linked from: its modules, by the build
// information in the program, and Go's library. It fails if a module has none.
//
//	licenses -goroot DIR -modcache DIR -local DIR PROGRAM FOLDER
//
// It writes FOLDER/MODULE@VERSION/FILE for each licence, and FOLDER/NOTICE with all notices. What was in FOLDER is
// removed. A module that is replaced by a folder is read from -local.
package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"
)

func main() {
	var s sources
	flag.StringVar(&s.goRoot, "goroot", "", "where Go is")
	flag.StringVar(&s.cache, "modcache", "", "where modules are")
	flag.StringVar(&s.local, "local", ".", "the module that is replaced by a folder")
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := collect(s, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// sources are the folders that modules are in.
type sources struct{ goRoot, cache, local string }

// A module has its files in a folder.
type module struct{ name, folder string }

func collect(s sources, program, folder string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("read the modules of %s: %w", program, err)
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	var notices bytes.Buffer
	for _, m := range s.modules(info) {
		if err := m.copy(folder, &notices); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return os.WriteFile(filepath.Join(folder, "NOTICE"), notices.Bytes(), 0o644)
}

// modules returns what a program is linked from, in the order of the names.
func (s sources) modules(info *debug.BuildInfo) []module {
	all := []module{{"go@" + strings.Fields(info.GoVersion)[0], s.goRoot}}
	for _, d := range info.Deps {
		name := d.Path + "@" + d.Version
		if d.Replace != nil {
			d = d.Replace
		}
		if strings.HasPrefix(d.Path, ".") || filepath.IsAbs(d.Path) {
			all = append(all, module{name, s.local})
			continue
		}
		all = append(all, module{name, filepath.Join(s.cache, escape(d.Path)+"@"+escape(d.Version))})
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.name, b.name) })
	return all
}

// escape writes a module's path as the cache of modules does, which may not rely on capital letters.
func escape(path string) string {
	var text strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			text.WriteByte('!')
		}
		text.WriteRune(unicode.ToLower(r))
	}
	return text.String()
}

var (
	license = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|patents|unlicense)([-._].*)?$`)
	notice  = regexp.MustCompile(`(?i)^notices?([-._].*)?$`)
	source  = regexp.MustCompile(`\.(go|s|c|h|py|js|ts|sh|tmpl)$`)
)

// copy copies a module's licences, and adds its notices. Those of parts that came from elsewhere are in folders of
// their own.
func (m module) copy(folder string, notices *bytes.Buffer) error {
	found := false
	err := filepath.WalkDir(m.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return m.skip(path, d.Name())
		}
		isLicense, isNotice := license.MatchString(d.Name()), notice.MatchString(d.Name())
		if !isLicense && !isNotice || source.MatchString(d.Name()) || !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if isNotice {
			fmt.Fprintf(notices, "== %s\n\n%s\n\n", m.name, bytes.TrimSpace(text))
		}
		found = found || isLicense
		relative, err := filepath.Rel(m.folder, path)
		if err != nil {
			return err
		}
		to := filepath.Join(folder, m.name, relative)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
	})
	if err == nil && !found {
		err = errors.New("no licence was found")
	}
	return err
}

// skip leaves out folders that nothing is linked from.
func (m module) skip(path, name string) error {
	switch {
	case path == m.folder:
		return nil
	case strings.HasPrefix(name, "_"), strings.HasPrefix(name, "."):
		return filepath.SkipDir
	case name == "out" && filepath.Base(filepath.Dir(path)) == "build":
		return filepath.SkipDir // what the page's tests have written
	case name == "testdata", name == "test", name == "node_modules":
		return filepath.SkipDir
	case strings.HasPrefix(m.name, "go@") && (name == "cmd" || name != "src" && filepath.Dir(path) == m.folder):
		return filepath.SkipDir // Go's tools
	}
	return nil
}
