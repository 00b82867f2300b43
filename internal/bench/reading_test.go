//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseIdle(t *testing.T) {
	got, err := parseIdle([]byte("cpu  10 20 30 400 50 60 70 8 0 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n"))
	if want := 4580 * time.Millisecond; err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3\n", "cpu a b c d e f g h i\n", "intr 1 2 3 4 5 6 7 8 9\n"} {
		if _, err := parseIdle([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// What a busy loop takes is in the stopwatch.
func TestStopwatch(t *testing.T) {
	w, err := startWatch()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
	}
	cpu, err := w.cpu()
	if err != nil || cpu < 100*time.Millisecond {
		t.Errorf("got %v, %v; want at least what the loop had", cpu, err)
	}
}

const slabs = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor>
TCP                    7    100   2300   14    8 : tunables    0    0    0 : slabdata      1      1      0
kmalloc-192           10    100    192   21    1 : tunables    0    0    0 : slabdata      1      1      0
`

func TestParseSlabs(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want uint64
	}{
		"accounted ones are kept apart": {slabs + "kmalloc-cg-192 5 100 192 21 1 : tunables\nkmalloc-cg-1k 2 9 1024 21 1 : tunables\n", 3008},
		"they are not":                  {slabs, 1920},
		"there are none":                {"slabinfo - version: 2.1\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseSlabs([]byte(c.text))
			if err != nil || got != c.want {
				t.Errorf("got %d, %v; want %d", got, err, c.want)
			}
		})
	}
	for _, bad := range []string{"kmalloc-8 x 1 8 1 1", "kmalloc-8 1 1 x 1 1"} {
		if _, err := parseSlabs([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseBenchmarks(t *testing.T) {
	got := parseBenchmarks([]byte(`goos: linux
pkg: github.com/netconn/netconn/internal/flow
cpu: AMD EPYC
BenchmarkChanged-2   	     256	   1406547 ns/op	       141.0 ns/connection	       0 B/op	       0 allocs/op
PASS
ok  	github.com/netconn/netconn/internal/flow	3.2s
pkg: github.com/netconn/netconn/internal/owner
BenchmarkLocate/walk-2 	      10	    129001 ns/op
BenchmarkBroken
`))
	want := []measurement{
		{pkg: "internal/flow", name: "Changed",
			metrics: map[string]float64{"ns/op": 1406547, "ns/connection": 141, "B/op": 0, "allocs/op": 0}},
		{pkg: "internal/owner", name: "Locate/walk", metrics: map[string]float64{"ns/op": 129001}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(measurement{})); diff != "" {
		t.Fatal(diff)
	}
	text := [][]string{
		{got[0].text("ns/op"), got[0].text("allocs/op"), got[0].each()},
		{got[1].text("ns/op"), got[1].text("allocs/op"), got[1].each()},
	}
	if diff := cmp.Diff([][]string{{"1406547", "0", "141 ns"}, {"129001", "", ""}}, text); diff != "" {
		t.Error(diff)
	}
}

func TestTabulate(t *testing.T) {
	table := &table{}
	before := reading{"socket_state": {Runs: 100, Time: time.Microsecond}, "adopt": {Runs: 7, Time: time.Second}}
	after := reading{
		"socket_state":     {Runs: 1100, Time: 201 * time.Microsecond},
		"adopt":            {Runs: 7, Time: time.Second},
		"snapshot_changed": {Runs: 1, Time: 50 * time.Microsecond},
	}
	total := tabulate(table, "churn", "netconn", before, after, 100)
	want := [][]string{
		{"churn", "netconn", "snapshot_changed", "0.0100", "50000", "0.5000"},
		{"churn", "netconn", "socket_state", "10.0000", "200", "2.0000"},
		{"churn", "netconn", "**all**", "10.0100", "250", "2.5000"},
	}
	if diff := cmp.Diff(want, table.rows); diff != "" || total != 2.5 {
		t.Errorf("%v us: %s", total, diff)
	}
}

func TestReadPrograms(t *testing.T) {
	if got, err := readPrograms(1 << 30); err == nil {
		t.Errorf("a process that is not there has %v", got)
	}
}
