//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/rival"
	"github.com/netconn/netconn/internal/testnet"
)

// The variants are netconn, the noise, and two other designs. The baseline has no programs.
func TestVariants(t *testing.T) {
	b := newBench(t)
	var got []string
	for _, v := range b.variants(newPair(t)) {
		got = append(got, v.name)
	}
	if diff := cmp.Diff([]string{"netconn", "baseline (A/A)", "hash map at each call", "hash map for each packet"}, got); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
	r, err := startBaseline()
	if err != nil {
		t.Fatal(err)
	}
	if programs, err := r.programs(); len(programs) != 0 || err != nil {
		t.Errorf("the baseline has %v, %v", programs, err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// A distribution that does not start is an error, and so is a design that does not load.
func TestVariantsThatDoNotStart(t *testing.T) {
	b := newBench(t)
	b.program = "/nonexistent"
	if _, err := b.startNetconn(); err == nil || !strings.HasPrefix(err.Error(), "start the collector: ") {
		t.Errorf("netconn: %v", err)
	}
	failure := errors.New("load comparison programs: no room")
	if _, err := compared(nil, failure); !errors.Is(err, failure) {
		t.Errorf("another design: %v", err)
	}
	p := newPair(t)
	if _, err := rival.Packets(p.Client, "eth7"); err == nil || !strings.HasPrefix(err.Error(), "find interface eth7: ") {
		t.Errorf("an interface that does not exist: %v", err)
	}
}

// The distribution holds the programs that the tables name. They are gone when it has ended.
func TestProgramsOfTheDistribution(t *testing.T) {
	b := withDistribution(t, newBench(t))
	r, err := b.startNetconn()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := r.programs()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"socket_state", "socket_destroyed"} {
		if _, exists := programs[name]; !exists {
			t.Errorf("no program %s in %v", name, programs)
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := r.programs(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

// A design's programs count as one. They run for the packets of the load.
func TestProgramsOfAnotherDesign(t *testing.T) {
	b := newBench(t)
	p := newPair(t)
	stats, err := collector.Statistics()
	if err != nil {
		testnet.Require(t, err)
	}
	defer stats.Close()
	r, err := compared(rival.Packets(p.Client, "bench0"))
	if err != nil {
		testnet.Require(t, err)
	}
	g, err := newLoadGen(p, b.load, churn, 1, "10.97.0.2")
	if err != nil {
		t.Fatal(err)
	}
	s, err := g.run(20*time.Millisecond, 0)
	if err := errors.Join(err, g.stop()); err != nil {
		t.Fatal(err)
	}
	programs, err := r.programs()
	if err := errors.Join(err, r.stop()); err != nil {
		t.Fatal(err)
	}
	// A connection with one request takes three packets of the client at least.
	if len(programs) != 1 || programs["all"].Runs < 3*s.Operations {
		t.Errorf("%d connections, programs %v", s.Operations, programs)
	}
}

// readings is a variant whose programs are read with these results, one after the other.
func readings(events *[]string, all ...func() (runtimes, error)) variant {
	return variant{"x", func() (*running, error) {
		read := func() (runtimes, error) {
			*events = append(*events, "read")
			next := all[0]
			all = all[1:]
			return next()
		}
		stop := func() error { *events = append(*events, "stop"); return nil }
		return &running{read, stop}, nil
	}}
}

// ranFor is a reading: a program has run so often, for 2 us each time.
func ranFor(runs uint64) func() (runtimes, error) {
	return func() (runtimes, error) {
		return runtimes{"p": {Runs: runs, Time: time.Duration(runs) * 2 * time.Microsecond}}, nil
	}
}

// The time is that between two readings, for the operations between them: what ran in the warm-up does not count.
func TestTimed(t *testing.T) {
	b := newBench(t)
	s := withScript(t, b)
	g := newLoad(t, b, request)
	var events []string
	table := &report.Table{}
	us, err := b.timed(g, request, readings(&events, ranFor(7), ranFor(407)), table)
	if err != nil || us != 8 {
		t.Errorf("%v us, %v; want 400 runs of 2 us for 100 operations", us, err)
	}
	want := [][]string{{"request/response", "x", "**all**", "4.0000", "2000", "8.0000"}}
	if diff := cmp.Diff(want, table.Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"read", "read", "stop"}, events); diff != "" || len(s.orders()) != 2 {
		t.Errorf("%d orders, events (-want +got):\n%s", len(s.orders()), diff)
	}
}

// The variant is stopped wherever the measurement fails.
func TestTimedFails(t *testing.T) {
	failure := errors.New("read programs: failed")
	fails := func() (runtimes, error) { return nil, failure }
	for name, c := range map[string]struct {
		answer string
		read   []func() (runtimes, error)
		want   string
	}{
		"the load":           {`{"Error": "broken"}`, nil, "broken | stop"},
		"the first reading":  {`{"Operations": 1}`, []func() (runtimes, error){fails}, failure.Error() + " | read stop"},
		"the second reading": {`{"Operations": 1}`, []func() (runtimes, error){ranFor(1), fails}, failure.Error() + " | read read stop"},
	} {
		b := newBench(t)
		s := withScript(t, b)
		s.answer("churn", c.answer)
		var events []string
		_, err := b.timed(newLoad(t, b, churn), churn, readings(&events, c.read...), &report.Table{})
		if got := fmt.Sprintf("%v | %s", err, strings.Join(events, " ")); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
