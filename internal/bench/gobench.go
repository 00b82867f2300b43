//go:build linux

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/netconn/netconn/internal/bench/report"
)

// A goBenchmark is a line of `go test -bench`.
type goBenchmark struct {
	pkg, name string
	metrics   map[string]float64 // by unit, such as ns/op
}

// packages is the part of that name.
func (b *bench) packages() error {
	b.say("go test -bench")
	all, err := goBenchmarks(".", "./internal/...", "./receiver/...", "./netmap/...")
	if err != nil {
		return err
	}
	t := &report.Table{
		Title: "The Go side, step by step",
		Notes: []string{"`go test -bench . -benchmem -benchtime 300ms` of the packages. The last column is the " +
			"time of one connection, " +
			"where an operation handles many."},
		Head: []string{"package", "benchmark", "ns/op", "allocations/op", "B/op", "per connection"},
	}
	for _, m := range all {
		t.Add(m.pkg, m.name, m.text("ns/op"), m.text("allocs/op"), m.text("B/op"), m.perConnection())
	}
	b.tables = append(b.tables, t)
	return nil
}

// goBenchmarks runs the benchmarks of some packages that match a pattern.
func goBenchmarks(pattern string, packages ...string) ([]goBenchmark, error) {
	arguments := []string{"test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", "300ms"}
	command := exec.Command("go", append(arguments, packages...)...)
	var out, errors bytes.Buffer
	command.Stdout, command.Stderr = &out, &errors
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("run the Go benchmarks: %w: %s%s", err, out.Bytes(), errors.Bytes())
	}
	return parseBenchmarks(out.String()), nil
}

// parseBenchmarks reads the format of the Go benchmarks (golang.org/design/14313-benchmark-format).
func parseBenchmarks(out string) (all []goBenchmark) {
	pkg := ""
	for line := range strings.Lines(out) {
		if name, found := strings.CutPrefix(line, "pkg: github.com/netconn/netconn/"); found {
			pkg = strings.TrimSpace(name)
		}
		words := strings.Fields(line)
		if !strings.HasPrefix(line, "Benchmark") || len(words) < 4 {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(words[0], "Benchmark"), "-")
		m := goBenchmark{pkg: pkg, name: name, metrics: make(map[string]float64)}
		for i := 2; i+1 < len(words); i += 2 {
			if v, err := strconv.ParseFloat(words[i], 64); err == nil {
				m.metrics[words[i+1]] = v
			}
		}
		all = append(all, m)
	}
	return all
}

func (m goBenchmark) text(unit string) string {
	v, exists := m.metrics[unit]
	if !exists {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// perConnection returns a metric that the benchmark itself reports for one connection.
func (m goBenchmark) perConnection() string {
	for _, unit := range slices.Sorted(maps.Keys(m.metrics)) {
		if what, found := strings.CutSuffix(unit, "/connection"); found {
			return report.Figure(m.metrics[unit], what)
		}
	}
	return ""
}
