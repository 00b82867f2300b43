//go:build linux

package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/testnet"
)

// TestMain lets the test binary be the load, as the program itself can be.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		if err := load.Main(os.Args[2:]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// newBench returns a bench of the smallest scale, with the test binary as its load.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), progress: io.Discard, scale: scale{
		pairs: 2, slice: 20 * time.Millisecond, cores: 1, churn: 300 * time.Millisecond, rates: []int{200}, idle: 300 * time.Millisecond,
		sockets: []int{200, 400}, natRate: 200, namespaces: 3, interval: 300 * time.Millisecond,
	}}
	if err := b.nameLoad(); err != nil {
		t.Fatal(err)
	}
	return b
}

// withDistribution gives a bench the distribution to measure.
func withDistribution(t *testing.T, b *bench) *bench {
	t.Helper()
	b.program = os.Getenv("NETCONN_COLLECTOR")
	if b.program == "" || os.Geteuid() != 0 {
		testnet.Require(t, errors.New("NETCONN_COLLECTOR must name the distribution that `make build` makes, and it needs root"))
	}
	return b
}

func newPair(t *testing.T) *testbed.Pair {
	t.Helper()
	p, err := testbed.NewPair()
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// newLoad starts a load generator on one core.
func newLoad(t *testing.T, b *bench, w workload) *loadGen {
	t.Helper()
	g, err := newLoadGen(newPair(t), b.load, w, 1, testbed.ServerAddress)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.stop() })
	return g
}

// column returns the cells of a table's column.
func column(t *report.Table, i int) (cells []string) {
	for _, row := range t.Rows {
		cells = append(cells, row[i])
	}
	return cells
}

// checkShape holds that each row has a cell for each column.
func checkShape(t *testing.T, table *report.Table) {
	t.Helper()
	for _, row := range table.Rows {
		if len(row) != len(table.Head) {
			t.Errorf("%s: the row %q has %d cells, want %d", table.Title, row, len(row), len(table.Head))
		}
	}
}

func TestUnknownPart(t *testing.T) {
	for _, chosen := range []string{"lunch", "bulk, lunch", "bulk,lunch"} {
		b := newBench(t)
		b.program = "/nonexistent"
		err := b.measureParts(chosen)
		if err == nil || !strings.HasPrefix(err.Error(), "read parts: no part is named lunch; there are churn, request, ") {
			t.Errorf("%q: %v", chosen, err)
		}
	}
}

// Only the chosen part is measured, and an error names it.
func TestChosenPart(t *testing.T) {
	b := newBench(t)
	b.program = "/nonexistent"
	err := b.measureParts("cost")
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a testbed needs root"))
	}
	if err == nil || !strings.HasPrefix(err.Error(), "cost: churn at 200 a second: start the collector: ") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(b.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of temporary files: %v", err)
	}
}

func TestRunRefusesArguments(t *testing.T) {
	for name, arguments := range map[string][]string{
		"no distribution": {}, "two distributions": {"a", "b"}, "one pair": {"-pairs", "1", "a"}, "no time": {"-slice", "0s", "a"},
		"no cores": {"-cores", "0", "a"}, "too many cores": {"-cores", "100000", "a"}, "no such flag": {"-nothing", "a"},
	} {
		var usage strings.Builder
		if err := run(arguments, io.Discard, &usage); err == nil || !strings.Contains(usage.String(), "usage: bench [flags] distribution") {
			t.Errorf("%s: error %v, usage %q", name, err, &usage)
		}
	}
	if err := run([]string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
	if err := runSoak([]string{"soak", "-rate", "0", "a"}, io.Discard, io.Discard); err == nil {
		t.Error("a soak without connections was accepted")
	}
}

// The output begins with the machine and the command; then the goals, then the tables.
func TestOutput(t *testing.T) {
	b := &bench{goals: []report.Goal{{What: "speed"}}, tables: []*report.Table{{Title: "First"}, {Title: "Second"}}}
	var out strings.Builder
	describe(&out, "make bench", []string{"-part", "cost", "a"})
	b.write(&out)
	var got []string
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "Command: ") {
			got = append(got, line)
		}
	}
	want := []string{"Command: `make bench` (`bench -part cost a`).", "## Against the targets", "## First", "## Second"}
	if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(out.String(), "Measured on: ") {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	b.goals = nil
	out.Reset()
	b.write(&out)
	if strings.Contains(out.String(), "targets") {
		t.Error("there is a table of goals without goals")
	}
}
