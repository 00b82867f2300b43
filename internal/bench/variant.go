//go:build linux

package main

import (
	"time"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/rival"
	"github.com/netconn/netconn/internal/bench/testbed"
)

// A variant is what a workload is measured with, and without.
type variant struct {
	name  string
	start func() (*running, error)
}

// A running variant.
type running struct {
	programs func() (runtimes, error) // its BPF programs
	stop     func() error
}

// runtimes are how often and for how long BPF programs have run since they were loaded, by name.
type runtimes map[string]collector.ProgramTime

const (
	netconnVariant  = "netconn"
	baselineVariant = "baseline (A/A)"
)

// settleTime is how long the start or the end of a variant affects the load: first collections, memory that the kernel
// frees later.
const settleTime = 300 * time.Millisecond

// variants are netconn, the baseline, and two other designs on a testbed.
func (b *bench) variants(p *testbed.Pair) []variant {
	return []variant{
		{netconnVariant, b.startNetconn},
		{baselineVariant, startBaseline},
		{"hash map at each call", func() (*running, error) { return compared(rival.Calls()) }},
		{"hash map for each packet", func() (*running, error) {
			return compared(rival.Packets(p.Client,
				testbed.Interface))
		}},
	}
}

func (b *bench) startNetconn() (*running, error) {
	c, err := collector.Start(collector.Options{Program: b.program, Dir: b.dir, Interval: time.Second})
	if err != nil {
		return nil, err
	}
	return &running{func() (runtimes, error) { return readPrograms(c.PID) }, c.Stop}, nil
}

// startBaseline starts nothing, and takes as long as the collector does: what the ratios of the baseline differ from
// 1 by is the noise.
func startBaseline() (*running, error) {
	time.Sleep(time.Second)
	return &running{func() (runtimes, error) { return nil, nil }, func() error { return nil }}, nil
}

func compared(r *rival.Rival, err error) (*running, error) {
	if err != nil {
		return nil, err
	}
	return &running{func() (runtimes, error) {
		runs, spent, err := r.Time()
		return runtimes{"all": {Runs: runs, Time: spent}}, err
	}, r.Close}, nil
}

// readPrograms reads the programs that a process holds.
func readPrograms(pid int) (runtimes, error) {
	objects, err := collector.BPF(pid)
	if err != nil {
		return nil, err
	}
	r := make(runtimes)
	for _, p := range objects.Programs {
		name, err := collector.Name(p.ID)
		if err != nil {
			return nil, err
		}
		r[name] = p
	}
	return r, nil
}
