//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/rival"
	"github.com/netconn/netconn/internal/bench/subject"
)

// A reading is how often and how long BPF programs ran, since they were loaded, by name.
type reading map[string]subject.ProgramTime

// bpf is the part of that name.
func (b *bench) bpf() error {
	t := &table{
		title: "BPF run time",
		notes: []string{"As the kernel counts it (BPF_ENABLE_STATS, whose own cost, two readings of the clock a run, is in it), both " +
			"ends of each connection on this machine, the collector collecting every second."},
		head: []string{"workload", "with", "program", "runs an operation", "ns a run", "us an operation"},
	}
	stats, err := subject.Statistics()
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

func (b *bench) bpfOf(w workload, t *table) error {
	p, err := lab.NewPair()
	if err != nil {
		return err
	}
	defer p.Close()
	c, err := newCouples(p, b.load, w, b.cores, lab.ServerAddress)
	if err != nil {
		return err
	}
	netconn, err := b.bpfOfNetconn(c, w, t)
	if err != nil {
		return err
	}
	if w == churn {
		b.goals = append(b.goals, goal{what: "BPF time of a connection, both ends", limit: 3, aim: 2, unit: "us", measured: netconn})
	}
	for _, r := range []struct {
		name string
		load func() (*rival.Rival, error)
	}{
		{"hash map at each call", rival.Calls},
		{"hash map for each packet", func() (*rival.Rival, error) { return rival.Packets(p.Client, lab.Interface) }},
	} {
		loaded, err := r.load()
		if err != nil {
			return err
		}
		_, err = b.timed(c, w, r.name, t, func() (reading, error) {
			runs, spent, err := loaded.Time()
			return reading{"all": {Runs: runs, Time: spent}}, err
		})
		if err != nil {
			return err
		}
		if err := loaded.Close(); err != nil {
			return err
		}
	}
	return c.stop()
}

func (b *bench) bpfOfNetconn(c *couples, w workload, t *table) (float64, error) {
	s, err := subject.Start(subject.Options{Program: b.program, Dir: b.dir, Interval: time.Second})
	if err != nil {
		return 0, err
	}
	time.Sleep(settle)
	total, err := b.timed(c, w, "netconn", t, func() (reading, error) { return readPrograms(s.PID) })
	if err != nil {
		_ = s.Stop() // the first error tells more
		return 0, err
	}
	return total, s.Stop()
}

func readPrograms(pid int) (reading, error) {
	objects, err := subject.BPF(pid)
	if err != nil {
		return nil, err
	}
	r := make(reading)
	for _, p := range objects.Programs {
		name, err := subject.Name(p.ID)
		if err != nil {
			return nil, err
		}
		r[name] = p
	}
	return r, nil
}

// timed runs the workload between two readings, and returns the microseconds of all programs an operation.
func (b *bench) timed(c *couples, w workload, name string, t *table, read func() (reading, error)) (float64, error) {
	b.say("BPF run time: %s with %s", w.name, name)
	if _, err := c.run(b.slice, 0); err != nil {
		return 0, err
	}
	before, err := read()
	if err != nil {
		return 0, err
	}
	s, err := c.run(4*b.slice, 0)
	if err != nil {
		return 0, err
	}
	after, err := read()
	if err != nil {
		return 0, err
	}
	return tabulate(t, w.name, name, before, after, s.Operations), nil
}

// tabulate adds a row for each program that ran, and one for all of them.
func tabulate(t *table, workload, name string, before, after reading, operations uint64) float64 {
	var runs uint64
	var spent time.Duration
	row := func(program string, runs uint64, spent time.Duration) {
		each := "-"
		if runs > 0 {
			each = fmt.Sprintf("%.0f", float64(spent)/float64(runs))
		}
		t.add(workload, name, program, fmt.Sprintf("%.4f", float64(runs)/float64(operations)), each,
			fmt.Sprintf("%.4f", micros(spent)/float64(operations)))
	}
	for _, program := range sortedKeys(after) {
		a, z := before[program], after[program]
		runs, spent = runs+z.Runs-a.Runs, spent+z.Time-a.Time
		if z.Runs > a.Runs && len(after) > 1 {
			row(program, z.Runs-a.Runs, z.Time-a.Time)
		}
	}
	row("**all**", runs, spent)
	return micros(spent) / float64(operations)
}
