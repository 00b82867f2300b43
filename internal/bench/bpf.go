//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/testbed"
)

// bpf is the part of that name.
func (b *bench) bpf() error {
	t := &report.Table{
		Title: "BPF run time",
		Notes: []string{`
			As the kernel counts it (BPF_ENABLE_STATS; its own cost, two readings of the clock per run, is
			included), for both ends of each connection on this host, with a collection interval of 1 s.`},
		Head: []string{"workload", "with", "program", "runs per operation", "ns per run", "us per operation"},
	}
	stats, err := collector.Statistics()
	if err != nil {
		return err
	}
	defer stats.Close()
	for _, w := range []workload{churn, request} {
		if err := b.bpfOf(w, t); err != nil {
			return fmt.Errorf("measure BPF of %s: %w", w.name, err)
		}
	}
	b.tables = append(b.tables, t)
	return nil
}

func (b *bench) bpfOf(w workload, t *report.Table) error {
	p, err := testbed.NewPair()
	if err != nil {
		return err
	}
	defer p.Close()
	g, err := newLoadGen(p, b.load, w, b.cores, testbed.ServerAddress)
	if err != nil {
		return err
	}
	for _, v := range b.variants(p) {
		if v.name == baselineVariant {
			continue // it has no programs
		}
		b.say("BPF run time: %s with %s", w.name, v.name)
		us, err := b.timed(g, w, v, t)
		if err != nil {
			return errors.Join(err, g.stop())
		}
		if w == churn && v.name == netconnVariant {
			b.goals = append(b.goals, report.Goal{
				What: "BPF time per connection, both ends", Limit: 3, Aim: 2, Unit: "us", Measured: us,
			})
		}
	}
	return g.stop()
}

// timed runs the workload with a variant, and returns the microseconds of its programs per operation.
func (b *bench) timed(g *loadGen, w workload, v variant, t *report.Table) (us float64, err error) {
	r, err := v.start()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	time.Sleep(settleTime)
	if _, err := g.run(b.slice, 0); err != nil {
		return 0, err
	}
	before, err := r.programs()
	if err != nil {
		return 0, err
	}
	s, err := g.run(4*b.slice, 0)
	if err != nil {
		return 0, err
	}
	after, err := r.programs()
	if err != nil {
		return 0, err
	}
	return addRuntimes(t, w.name, v.name, before, after, s.Operations), nil
}

// addRuntimes adds a row for each program that ran, and one for all of them.
func addRuntimes(t *report.Table, workload, variant string, before, after runtimes, operations uint64) float64 {
	var runs uint64
	var spent time.Duration
	row := func(program string, runs uint64, spent time.Duration) {
		each := "-"
		if runs > 0 {
			each = fmt.Sprintf("%.0f", float64(spent)/float64(runs))
		}
		t.Add(workload, variant, program, fmt.Sprintf("%.4f", float64(runs)/float64(operations)), each,
			fmt.Sprintf("%.4f", report.Micros(spent)/float64(operations)))
	}
	for _, program := range slices.Sorted(maps.Keys(after)) {
		r, d := after[program].Runs-before[program].Runs, after[program].Time-before[program].Time
		runs, spent = runs+r, spent+d
		if r > 0 && len(after) > 1 {
			row(program, r, d)
		}
	}
	row("**all**", runs, spent)
	return report.Micros(spent) / float64(operations)
}
