//go:build linux

package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/report"
)

func TestComparison(t *testing.T) {
	var r comparison
	r.add(sample{Rate: 1000, CPU: 2e-6, P99: 1e-5}, sample{Rate: 900, CPU: 3e-6, P99: 4e-5})
	r.add(sample{Rate: 500, CPU: 4e-6, P99: 3e-5}, sample{Rate: 500, CPU: 2e-6, P99: 3e-5})
	want := comparison{
		baseline: []sample{{Rate: 1000, CPU: 2e-6, P99: 1e-5}, {Rate: 500, CPU: 4e-6, P99: 3e-5}},
		rate:     []float64{0.9, 1}, cpu: []float64{1.5, 0.5}, p99: []float64{4, 1},
	}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(comparison{}), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error(diff)
	}
	row := []string{"churn", "750/s, 3.00 us, p99 20.0 us", "x", "0.950 (0.900 to 1.000)", "1.000 (0.500 to 1.500)", "2.500 (1.000 to 4.000)"}
	if diff := cmp.Diff(row, r.row(churn, variant{name: "x"})); diff != "" {
		t.Error(diff)
	}
}

func TestSampleOf(t *testing.T) {
	reports := []load.Report{{Operations: 300, P99: 10 * time.Microsecond}, {Operations: 100, P99: 30 * time.Microsecond}}
	got, err := sampleOf(reports, 2*time.Second, time.Second)
	want := sample{Operations: 400, Rate: 200, CPU: 0.0025, P99: 2e-5}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	if _, err := sampleOf([]load.Report{{}}, time.Second, 0); err == nil {
		t.Error("a sample without an operation")
	}
}

// The order of a comparison is A B B A: the variant runs for both Bs, and ends.
func TestCompareOrder(t *testing.T) {
	b := newBench(t)
	g := newLoad(t, b, churn)
	var events []string
	v := variant{"x", func() (*running, error) {
		events = append(events, "start")
		return &running{stop: func() error { events = append(events, "stop"); return nil }}, nil
	}}
	r, err := b.compare(g, v)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"start", "stop"}, events); diff != "" {
		t.Error(diff)
	}
	for i, s := range r.baseline {
		if s.Operations == 0 || s.Rate <= 0 || s.P99 <= 0 || r.rate[i] <= 0 || r.p99[i] <= 0 {
			t.Errorf("pair %d measured nothing: %+v", i, s)
		}
	}
	if len(r.rate) != b.pairs || len(r.cpu) != b.pairs {
		t.Errorf("got %d rates and %d times, want %d pairs", len(r.rate), len(r.cpu), b.pairs)
	}
	for range 2 {
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	}
}

// A variant that fails at its start or at its end is named.
func TestCompareFails(t *testing.T) {
	b := newBench(t)
	g := newLoad(t, b, request)
	failure := errors.New("failed")
	for name, start := range map[string]func() (*running, error){
		"start": func() (*running, error) { return nil, failure },
		"stop":  func() (*running, error) { return &running{stop: func() error { return failure }}, nil },
	} {
		_, err := b.compare(g, variant{"x", start})
		if !errors.Is(err, failure) || !strings.HasPrefix(err.Error(), "measure with x: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDataPathGoals(t *testing.T) {
	quiet := &comparison{rate: []float64{0.99, 1, 1.01}, cpu: []float64{0.99, 1, 1.01}}
	slow := &comparison{rate: []float64{0.9, 0.91, 0.92}, cpu: []float64{1.1, 1.11, 1.12}}
	for name, c := range map[string]struct {
		of   workload
		with *comparison
		want []string
	}{
		"nothing":            {request, quiet, []string{"yes: the aim", "yes: the aim"}},
		"as noise":           {bulk, &comparison{rate: []float64{0.992}, cpu: []float64{1.007}}, []string{"yes", "yes"}},
		"beyond noise":       {bulk, slow, []string{"**no**", "**no**"}},
		"churn has a limit":  {churn, slow, []string{"**no**", "**no**"}},
		"churn within limit": {churn, &comparison{rate: []float64{0.975}, cpu: []float64{1.03}}, []string{"yes", "yes"}},
	} {
		var got []string
		for _, g := range dataPathGoals(c.of, c.with, quiet) {
			got = append(got, g.Verdict())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The part measures the workload with all variants, in one table with the other workloads, and has goals for netconn.
// A test has samples of 20 ms: too short for the processor time, which /proc/stat has in units of 10 ms, and later where
// the hypervisor takes time away.
func TestDataPath(t *testing.T) {
	b := withDistribution(t, newBench(t))
	for _, w := range []workload{churn, bulk} {
		if err := b.dataPath(w)(); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.tables) != 1 {
		t.Fatalf("%d tables, want one", len(b.tables))
	}
	checkShape(t, b.tables[0])
	variants := []string{"netconn", "baseline (A/A)", "hash map at each call", "hash map for each packet"}
	if diff := cmp.Diff(append(variants, variants...), column(b.tables[0], 2)); diff != "" {
		t.Error(diff)
	}
	var goals []string
	for _, g := range b.goals {
		goals = append(goals, g.What)
		if strings.HasSuffix(g.What, ": operations, ratio") && (g.Measured <= 0 || g.Measured > 100) {
			t.Errorf("%s: %v is no ratio", g.What, g.Measured)
		}
	}
	want := []string{"churn: operations, ratio", "churn: CPU per operation, ratio", "bulk: operations, ratio", "bulk: CPU per operation, ratio"}
	if diff := cmp.Diff(want, goals); diff != "" {
		t.Error(diff)
	}
}

func TestAddRuntimes(t *testing.T) {
	table := &report.Table{}
	before := runtimes{"socket_state": {Runs: 100, Time: time.Microsecond}, "adopt": {Runs: 7, Time: time.Second}}
	after := runtimes{
		"socket_state":     {Runs: 1100, Time: 201 * time.Microsecond},
		"adopt":            {Runs: 7, Time: time.Second},
		"snapshot_changed": {Runs: 1, Time: 50 * time.Microsecond},
	}
	total := addRuntimes(table, "churn", "netconn", before, after, 100)
	want := [][]string{
		{"churn", "netconn", "snapshot_changed", "0.0100", "50000", "0.5000"},
		{"churn", "netconn", "socket_state", "10.0000", "200", "2.0000"},
		{"churn", "netconn", "**all**", "10.0100", "250", "2.5000"},
	}
	if diff := cmp.Diff(want, table.Rows); diff != "" || total != 2.5 {
		t.Errorf("%v us: %s", total, diff)
	}
	table = &report.Table{}
	addRuntimes(table, "churn", "idle", after, after, 100)
	if diff := cmp.Diff([][]string{{"churn", "idle", "**all**", "0.0000", "-", "0.0000"}}, table.Rows); diff != "" {
		t.Errorf("programs that did not run: %s", diff)
	}
}

// The programs of netconn are timed one by one, and run for each connection.
func TestBPF(t *testing.T) {
	b := withDistribution(t, newBench(t))
	if err := b.bpf(); err != nil {
		t.Fatal(err)
	}
	checkShape(t, b.tables[0])
	ran := make(map[string]bool)
	for _, row := range b.tables[0].Rows {
		ran[row[0]+" "+row[1]+" "+row[2]] = true
	}
	for _, want := range []string{
		"churn netconn socket_state", "churn netconn **all**", "churn hash map at each call **all**", "churn hash map for each packet **all**",
		"request/response netconn **all**",
	} {
		if !ran[want] {
			t.Errorf("no row %s in %v", want, ran)
		}
	}
	if len(b.goals) != 1 || b.goals[0].Measured <= 0 {
		t.Errorf("goals: %+v", b.goals)
	}
}

func TestReadPrograms(t *testing.T) {
	if got, err := readPrograms(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that does not exist has %v, %v", got, err)
	}
}
