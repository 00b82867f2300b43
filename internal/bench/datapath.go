//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/testbed"
)

// A comparison is the ratios of many pairs of samples: with a variant to without.
type comparison struct {
	baseline       []sample
	rate, cpu, p99 []float64
}

// compare takes samples without the variant, with it, with it, without it, and again: A B B A, so that a drift of the
// machine is in both. Each half of that is a pair.
func (b *bench) compare(g *loadGen, v variant) (*comparison, error) {
	r := &comparison{}
	for len(r.rate) < b.pairs {
		before, err := b.measure(g, 1)
		if err != nil {
			return nil, err
		}
		with, err := b.measureWith(g, v)
		if err != nil {
			return nil, fmt.Errorf("measure with %s: %w", v.name, err)
		}
		after, err := b.measure(g, 1)
		if err != nil {
			return nil, err
		}
		r.add(before[0], with[0])
		r.add(after[0], with[1])
	}
	return r, nil
}

func (b *bench) measureWith(g *loadGen, v variant) ([]sample, error) {
	r, err := v.start()
	if err != nil {
		return nil, err
	}
	time.Sleep(settleTime)
	samples, err := b.measure(g, 2)
	err = errors.Join(err, r.stop())
	time.Sleep(settleTime)
	return samples, err
}

// measure takes samples one after the other, after a warm-up.
func (b *bench) measure(g *loadGen, n int) ([]sample, error) {
	if _, err := g.run(b.slice/5, 0); err != nil {
		return nil, err
	}
	var all []sample
	for range n {
		s, err := g.run(b.slice, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (r *comparison) add(without, with sample) {
	r.baseline = append(r.baseline, without)
	r.rate = append(r.rate, with.Rate/without.Rate)
	r.cpu = append(r.cpu, with.CPU/without.CPU)
	r.p99 = append(r.p99, with.P99/without.P99)
}

// row is the comparison's row in the table.
func (r *comparison) row(w workload, v variant) []string {
	var rates, cpu, p99 []float64
	for _, s := range r.baseline {
		rates, cpu, p99 = append(rates, s.Rate), append(cpu, s.CPU*1e6), append(p99, s.P99*1e6)
	}
	without := fmt.Sprintf("%.0f/s, %.2f us, p99 %.1f us", report.Median(rates), report.Median(cpu), report.Median(p99))
	return []string{w.name, without, v.name, report.Summarize(r.rate).String(), report.Summarize(r.cpu).String(),
		report.Summarize(r.p99).String()}
}

// dataPathTable is the table that all workloads share.
func (b *bench) dataPathTable() *report.Table {
	const title = "The data path"
	if len(b.tables) > 0 && b.tables[0].Title == title {
		return b.tables[0]
	}
	t := &report.Table{
		Title: title,
		Notes: []string{fmt.Sprintf(`
			A client and a server on each of %d cores, in two namespaces that a veth pair joins, as fast as they
			can. Ratios: with to without the variant, the median of %d pairs of %v in the order A B B A, and its 95
			%% confidence interval. CPU is that of the whole machine. netconn is the distribution, here with a
			collection interval of 1 s. The hash maps are the least that other designs do, without owners or peers.
			The baseline shows the noise.`,
			b.cores, b.pairs, b.slice)},
		Head: []string{"workload", "without", "with", "operations", "CPU per operation", "p99"},
	}
	b.tables = append(b.tables, t)
	return t
}

// dataPath is the part of a workload.
func (b *bench) dataPath(w workload) func() error {
	return func() (err error) {
		p, err := testbed.NewPair()
		if err != nil {
			return err
		}
		defer p.Close()
		g, err := newLoadGen(p, b.load, w, b.cores, testbed.ServerAddress)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, g.stop()) }()
		results := make(map[string]*comparison)
		var rows [][]string
		for _, v := range b.variants(p) {
			b.say("%s with %s", w.name, v.name)
			r, err := b.compare(g, v)
			if err != nil {
				return err
			}
			results[v.name] = r
			rows = append(rows, r.row(w, v))
		}
		t := b.dataPathTable()
		t.Rows = append(t.Rows, rows...)
		b.goals = append(b.goals, dataPathGoals(w, results[netconnVariant], results[baselineVariant])...)
		return nil
	}
}

// dataPathGoals compares with fixed bounds where connections are short, elsewhere with the noise.
func dataPathGoals(w workload, r, noise *comparison) []report.Goal {
	rate, cpu := report.Summarize(noise.rate), report.Summarize(noise.cpu)
	operations := report.Goal{
		What: w.name + ": operations, ratio", Limit: 0.97, Aim: 0.98, Measured: report.Median(r.rate),
		AtLeast: true, Remark: "noise " + rate.String(),
	}
	processor := report.Goal{
		What: w.name + ": CPU per operation, ratio", Limit: 1.05, Aim: 1.02, Measured: report.Median(r.cpu),
		Remark: "noise " + cpu.String(),
	}
	if w != churn {
		operations.Aim, processor.Aim = 0.995, 1.005
		operations.Limit, processor.Limit = min(rate.Low, operations.Aim), max(cpu.High, processor.Aim)
	}
	return []report.Goal{operations, processor}
}
