//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withGo puts a program of the name go into the path, which logs its arguments and prints a text. It returns the path
// of the log.
func withGo(t *testing.T, text, end string) (log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	script := "#!/bin/sh\necho \"$@\" > " + log + "\ncat <<'END'\n" + text + "\nEND\n" + end + "\n"
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return log
}

// The part has a row for each benchmark of all packages, with what one connection takes where the benchmark says so.
func TestPackages(t *testing.T) {
	log := withGo(t, `pkg: github.com/netconn/netconn/internal/flow
BenchmarkChanged-2 256 1406547 ns/op 141.0 ns/connection 0 B/op 0 allocs/op
pkg: github.com/netconn/netconn/netmap/internal/view
BenchmarkGraph/20000-2 10 55000000 ns/op 1024 B/op 7 allocs/op`, "")
	b := newBench(t)
	if err := b.packages(); err != nil {
		t.Fatal(err)
	}
	checkShape(t, b.tables[0])
	want := [][]string{
		{"internal/flow", "Changed", "1406547", "0", "0", "141 ns"},
		{"netmap/internal/view", "Graph/20000", "55000000", "7", "1024", ""},
	}
	if diff := cmp.Diff(want, b.tables[0].Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	arguments, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	const call = "test -run ^$ -bench . -benchmem -benchtime 300ms ./internal/... ./receiver/... ./netmap/...\n"
	if string(arguments) != call {
		t.Errorf("go was called with %q, want %q", arguments, call)
	}
}

// Only the benchmark of look-ups runs for their table.
func TestLookups(t *testing.T) {
	log := withGo(t, `pkg: github.com/netconn/netconn/internal/conntrack
BenchmarkAsk/bpf/1000-2 10 400000 ns/op 250 CPU-ns/look-up 3000 allocs/op`, "")
	b := newBench(t)
	table, err := b.lookups()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"bpf", "1000", "0.250 us", "3.00"}}, table.Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"look-up, bpf, 1000 together"}, []string{b.goals[0].What}); diff != "" {
		t.Errorf("goals (-want +got):\n%s", diff)
	}
	if arguments, err := os.ReadFile(log); err != nil || !strings.HasSuffix(string(arguments), " ./internal/conntrack\n") ||
		!strings.Contains(string(arguments), " -bench ^BenchmarkAsk$ ") {
		t.Errorf("go was called with %q, %v", arguments, err)
	}
}

// A benchmark that fails is an error that shows what it printed, in both parts that run some.
func TestBenchmarksThatFail(t *testing.T) {
	withGo(t, "--- FAIL: BenchmarkAsk", "echo 'ask: no table' >&2; exit 2")
	b := newBench(t)
	const want = "run the Go benchmarks: exit status 2: --- FAIL: BenchmarkAsk\nask: no table\n"
	if err := b.packages(); err == nil || err.Error() != want {
		t.Errorf("packages: %v", err)
	}
	if _, err := b.lookups(); err == nil || err.Error() != want {
		t.Errorf("look-ups: %v", err)
	}
	if len(b.tables)+len(b.goals) > 0 {
		t.Errorf("%d tables, %d goals", len(b.tables), len(b.goals))
	}
	withGo(t, "pkg: github.com/netconn/netconn/internal/conntrack\nBenchmarkAsk/bpf-2 10 1 ns/op", "")
	if err := b.nat(); err == nil || err.Error() != "read the benchmark Ask/bpf: want bpf or netlink, and a number" {
		t.Errorf("a benchmark of another form: %v", err)
	}
}
