//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/rival"
	"github.com/netconn/netconn/internal/bench/subject"
)

// A guest is what a workload is measured with and without.
type guest struct {
	name  string
	start func() (stop func() error, err error)
}

// settle is how long a guest's arrival or departure may echo: first collections, memory that the kernel frees later.
const settle = 300 * time.Millisecond

// guests are netconn, the two other designs, and nobody: what nobody's ratios differ from 1 by is the noise. Nobody takes as long to
// arrive as the collector does.
func (b *bench) guests(p *lab.Pair) []guest {
	return []guest{
		{"netconn", func() (func() error, error) {
			c, err := subject.Start(subject.Options{Program: b.program, Dir: b.dir, Interval: time.Second})
			if err != nil {
				return nil, err
			}
			return c.Stop, nil
		}},
		{"nobody (A/A)", func() (func() error, error) {
			time.Sleep(time.Second)
			return func() error { return nil }, nil
		}},
		{"hash map at each call", func() (func() error, error) { return closer(rival.Calls()) }},
		{"hash map for each packet", func() (func() error, error) {
			return closer(rival.Packets(p.Client, lab.Interface))
		}},
	}
}

func closer(r *rival.Rival, err error) (func() error, error) {
	if err != nil {
		return nil, err
	}
	return r.Close, nil
}

// A comparison is many ratios: with a guest to without.
type comparison struct {
	alone          []slice
	rate, cpu, p99 []float64
}

// compare measures a workload alone, with the guest, with the guest, alone, and again: A B B A, so that a drift of the machine
// is in both. Each half of that is a pair.
func (b *bench) compare(c *couples, g guest) (*comparison, error) {
	r := &comparison{}
	for len(r.rate) < b.pairs {
		before, err := b.measure(c, 1)
		if err != nil {
			return nil, err
		}
		with, err := b.with(c, g)
		if err != nil {
			return nil, fmt.Errorf("measure with %s: %w", g.name, err)
		}
		after, err := b.measure(c, 1)
		if err != nil {
			return nil, err
		}
		r.add(before[0], with[0])
		r.add(after[0], with[1])
	}
	return r, nil
}

func (b *bench) with(c *couples, g guest) ([]slice, error) {
	stop, err := g.start()
	if err != nil {
		return nil, err
	}
	time.Sleep(settle)
	slices, err := b.measure(c, 2)
	if err != nil {
		_ = stop() // the first error tells more
		return nil, err
	}
	err = stop()
	time.Sleep(settle)
	return slices, err
}

// measure runs slices one after the other; what warms up is not measured.
func (b *bench) measure(c *couples, n int) ([]slice, error) {
	if _, err := c.run(b.slice/5, 0); err != nil {
		return nil, err
	}
	var all []slice
	for range n {
		s, err := c.run(b.slice, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (r *comparison) add(alone, with slice) {
	r.alone = append(r.alone, alone)
	r.rate = append(r.rate, with.Rate/alone.Rate)
	r.cpu = append(r.cpu, with.CPU/alone.CPU)
	r.p99 = append(r.p99, with.P99/alone.P99)
}

// pathTable begins the table that all workloads share.
func (b *bench) pathTable() *table {
	return &table{
		title: "The data path",
		notes: []string{fmt.Sprintf("A client and a server on each of %d cores, in two namespaces joined by a veth pair, as fast as they "+
			"can. Ratios: with to without, the median of %d pairs of %v, in the order A B B A, and where the median is with 95 %% "+
			"confidence. CPU is that of the whole machine. netconn is the distribution, which collects every second here. The last two "+
			"are the least that other designs do, without owners or ends; nobody is the noise.", b.cores, b.pairs, b.slice)},
		head: []string{"workload", "alone", "with", "operations", "CPU an operation", "p99"},
	}
}

// path is the part of a workload.
func (b *bench) path(w workload) func() error {
	return func() error {
		t := b.pathTable()
		if len(b.tables) > 0 && b.tables[0].title == t.title {
			t = b.tables[0]
		} else {
			b.tables = append(b.tables, t)
		}
		return b.pathOf(w, t)
	}
}

func (b *bench) pathOf(w workload, t *table) error {
	p, err := lab.NewPair()
	if err != nil {
		return err
	}
	defer p.Close()
	c, err := newCouples(p, b.load, w, b.cores, lab.ServerAddress)
	if err != nil {
		return err
	}
	results := make(map[string]*comparison)
	for _, g := range b.guests(p) {
		b.say("%s with %s", w.name, g.name)
		r, err := b.compare(c, g)
		if err != nil {
			return err
		}
		results[g.name] = r
		t.add(w.name, alone(r.alone), g.name, summarize(r.rate).String(), summarize(r.cpu).String(), summarize(r.p99).String())
	}
	b.goals = append(b.goals, pathGoals(w, results["netconn"], results["nobody (A/A)"])...)
	return c.stop()
}

// alone writes how fast a workload is without a guest.
func alone(slices []slice) string {
	var rates, cpu, p99 []float64
	for _, s := range slices {
		rates, cpu, p99 = append(rates, s.Rate), append(cpu, s.CPU*1e6), append(p99, s.P99*1e6)
	}
	return fmt.Sprintf("%.0f/s, %.2f us, p99 %.1f us", median(rates), median(cpu), median(p99))
}

func pathGoals(w workload, r, noise *comparison) []goal {
	operations := goal{what: w.name + ": operations, ratio", limit: 0.97, aim: 0.98, measured: median(r.rate), atLeast: true,
		note: "noise " + summarize(noise.rate).String()}
	processor := goal{what: w.name + ": CPU an operation, ratio", limit: 1.05, aim: 1.02, measured: median(r.cpu),
		note: "noise " + summarize(noise.cpu).String()}
	if w != churn { // the target is the noise itself
		operations.aim, processor.aim = 0.995, 1.005
		operations.limit = min(summarize(noise.rate).Low, operations.aim)
		processor.limit = max(summarize(noise.cpu).High, processor.aim)
	}
	return []goal{operations, processor}
}
