//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// A measurement is one line of `go test -bench`.
type measurement struct {
	pkg, name string
	metrics   map[string]float64 // by unit, such as ns/op
}

// packages is the part of that name.
func (b *bench) packages() error {
	b.say("go test -bench")
	all, err := goBenchmarks(".", "./internal/...", "./receiver/...")
	if err != nil {
		return err
	}
	t := &table{
		title: "The Go side, step by step",
		notes: []string{"`go test -bench . -benchmem -benchtime 300ms` of the packages. Where an operation handles many " +
			"connections, the benchmark says what one takes."},
		head: []string{"package", "benchmark", "ns/op", "allocations/op", "B/op", "a connection"},
	}
	for _, m := range all {
		t.add(m.pkg, m.name, m.text("ns/op"), m.text("allocs/op"), m.text("B/op"), m.each())
	}
	b.tables = append(b.tables, t)
	return nil
}

// goBenchmarks runs those of some packages that match a pattern.
func goBenchmarks(pattern string, packages ...string) ([]measurement, error) {
	arguments := []string{"test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", "300ms"}
	command := exec.Command("go", append(arguments, packages...)...)
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("run the Go benchmarks: %w: %s%s", err, out.Bytes(), complaints.Bytes())
	}
	return parseBenchmarks(out.Bytes()), nil
}

// parseBenchmarks reads the format of the Go benchmarks (golang.org/design/14313-benchmark-format).
func parseBenchmarks(out []byte) (all []measurement) {
	pkg := ""
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		if name, found := strings.CutPrefix(line, "pkg: github.com/netconn/netconn/"); found {
			pkg = name
		}
		words := strings.Fields(line)
		if !strings.HasPrefix(line, "Benchmark") || len(words) < 4 {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(words[0], "Benchmark"), "-")
		m := measurement{pkg: pkg, name: name, metrics: make(map[string]float64)}
		for i := 2; i+1 < len(words); i += 2 {
			if v, err := strconv.ParseFloat(words[i], 64); err == nil {
				m.metrics[words[i+1]] = v
			}
		}
		all = append(all, m)
	}
	return all
}

func (m measurement) text(unit string) string {
	v, there := m.metrics[unit]
	if !there {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// each returns what the benchmark itself says of one connection.
func (m measurement) each() string {
	for _, unit := range sortedKeys(m.metrics) {
		if what, found := strings.CutSuffix(unit, "/connection"); found {
			return figure(m.metrics[unit], what)
		}
	}
	return ""
}
