//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/conn"
)

func verdicts(goals []report.Goal) (all []string) {
	for _, g := range goals {
		all = append(all, g.Verdict())
	}
	return all
}

func TestAddCost(t *testing.T) {
	got := count{}
	got.own.Closed, got.own.Sent, got.overflow.Closed, got.overflow.Sent = 1990, 1_094_500, 8, 4400
	for rate, want := range map[int]struct {
		asked    string
		verdicts []string
	}{0: {"the highest", []string{"yes: the aim", "**no**"}}, 2000: {"2000", nil}} {
		b, table := &bench{}, &report.Table{}
		b.addCost(table, rate, sample{Operations: 1000, Rate: 100}, got, 10*time.Millisecond)
		row := []string{want.asked, "100", "1.00 s", "1990", "1094500", "8", "2", "1100"}
		if diff := cmp.Diff([][]string{row}, table.Rows); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want.verdicts, verdicts(b.goals)); diff != "" {
			t.Errorf("rate %d: %s", rate, diff)
		}
	}
}

// Nothing is missing at a low rate and at the highest; the profiles are written at 10,000 connections a second.
func TestCost(t *testing.T) {
	b := withDistribution(t, newBench(t))
	b.rates, b.profiles = []int{200, 10_000, 0}, t.TempDir()
	b.churn = time.Second // profiles take whole seconds
	if err := b.cost(); err != nil {
		t.Fatal(err)
	}
	table := b.tables[0]
	checkShape(t, table)
	if diff := cmp.Diff([]string{"200", "10000", "the highest"}, column(table, 0)); diff != "" {
		t.Error(diff)
	}
	for i, ends := range column(table, 3) {
		if n, err := strconv.Atoi(ends); err != nil || n < 100 {
			t.Errorf("%s ends at the rate %s: %v", ends, table.Rows[i][0], err)
		}
	}
	zero := []string{"0", "0", "0"}
	if diff := cmp.Diff([][]string{zero, zero}, [][]string{column(table, 6), column(table, 7)}); diff != "" {
		t.Errorf("missing ends and bytes (-want +got):\n%s", diff)
	}
	for _, name := range []string{"cpu.pprof", "allocs.pprof"} {
		if info, err := os.Stat(filepath.Join(b.profiles, name)); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v", name, err)
		}
	}
}

func TestAddRing(t *testing.T) {
	b, table := &bench{}, &report.Table{}
	done, got := sample{Operations: 1000, Rate: 5}, drained{ends: 1500, sent: 800_000, lost: conn.Losses{conn.LostCloses: 499, conn.LostSent: 300_000}}
	if err := b.addRing(table, 4096, done, got); err != nil {
		t.Fatal(err)
	}
	want := []string{"4 KiB", "5", "2000", "1500", "499", "1", "1100000", "800000", "300000", "0"}
	if diff := cmp.Diff([][]string{want}, table.Rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"**no**"}, verdicts(b.goals)); diff != "" {
		t.Error(diff)
	}
	if err := b.addRing(table, 4096, done, drained{ends: 2001}); err == nil {
		t.Error("more ends than there were")
	}
}

// Both rings report or count every end.
func TestRing(t *testing.T) {
	newPair(t) // where that needs root, the test is skipped
	b := newBench(t)
	if err := b.ring(); err != nil {
		t.Fatal(err)
	}
	table := b.tables[0]
	checkShape(t, table)
	for _, row := range table.Rows {
		if missing, err := strconv.Atoi(row[5]); err != nil || missing > 0 {
			t.Errorf("a ring of %s: %s ends are missing", row[0], row[5])
		}
	}
	if lost, _ := strconv.Atoi(table.Rows[1][4]); lost == 0 {
		t.Errorf("the small ring has refused nothing: %v", table.Rows[1])
	}
}
