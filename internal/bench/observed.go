//go:build linux

package main

import (
	"errors"
	"time"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/harness/otlp"
)

// waitLimit is for what only a defect delays.
const waitLimit = 2 * time.Minute

// An observed collector exports to this program.
type observed struct {
	*collector.Collector
	totals *totals.Totals
	sink   *otlp.Server
}

// observe starts a collector that exports to this program and serves its own metrics.
func (b *bench) observe() (*observed, error) {
	o := &observed{totals: totals.New()}
	var err error
	if o.sink, err = otlp.ListenPoints(o.totals.Add); err != nil {
		return nil, err
	}
	o.Collector, err = collector.Start(collector.Options{
		Program: b.program, Dir: b.dir, Interval: b.interval, OTLP: o.sink.Address, Health: true,
	})
	if err != nil {
		return nil, errors.Join(err, o.sink.Close())
	}
	return o, nil
}

// stop ends the collector. What it has exported stays in the totals.
func (o *observed) stop() error { return errors.Join(o.Stop(), o.sink.Close(), o.sink.Err()) }

// A count is what was reported of the load: in its own series, and beyond netconn's limits.
type count struct{ own, overflow totals.Sums }

// settled waits until all connections are reported as closed at both ends, or for four more exports. Those are at least
// two collections, as the zeros of new series are an export of their own. It returns what is reported, and the
// processor time that the collector has needed by then.
func (o *observed) settled(own func(totals.Series) bool, connections uint64) (c count, cpu time.Duration, err error) {
	for last := o.totals.Exports() + 4; ; time.Sleep(100 * time.Millisecond) {
		waited := o.totals.Exports() >= last // before the sums, or they lack the last export
		c = count{o.totals.Sum(own), o.totals.Sum(totals.Overflow)}
		if waited || c.own.Closed+c.overflow.Closed >= 2*int64(connections) {
			break
		}
	}
	cpu, err = collector.CPU(o.PID)
	return c, cpu, err
}

// cpuDuring returns the processor time that the collector needs while a time passes.
func (o *observed) cpuDuring(d time.Duration) (time.Duration, error) {
	before, err := collector.CPU(o.PID)
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := collector.CPU(o.PID)
	return after - before, err
}
