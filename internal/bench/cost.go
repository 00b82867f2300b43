//go:build linux

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/sink"
	"github.com/netconn/netconn/internal/bench/subject"
)

// churnFor is how long connections are opened and closed.
const churnFor = 10 * time.Second

// cost is the part of that name.
func (b *bench) cost() error {
	t := &table{
		title: "Churn: the collector's own CPU, and what is lost",
		notes: []string{fmt.Sprintf("Connections with one request and one response, opened and closed for %v, both ends here; the "+
			"distribution with its default interval of 10 s. CPU: of its process, until all is reported. Missing: what the generator "+
			"did and neither the series of its ends nor the overflow series have.", churnFor)},
		head: []string{"asked for", "connections/s", "CPU of 100,000", "ends", "bytes sent", "in overflow", "missing ends",
			"missing bytes"},
	}
	for _, rate := range []int{2_000, 10_000, 0} {
		if err := b.costAt(rate, t); err != nil {
			return fmt.Errorf("churn at %d a second: %w", rate, err)
		}
	}
	b.tables = append(b.tables, t)
	return nil
}

func (b *bench) costAt(rate int, t *table) error {
	p, err := lab.NewPair()
	if err != nil {
		return err
	}
	defer p.Close()
	c, err := newCouples(p, b.load, churn, b.cores, lab.ServerAddress)
	if err != nil {
		return err
	}
	to, err := sink.New()
	if err != nil {
		return err
	}
	defer to.Close()
	s, err := subject.Start(subject.Options{Program: b.program, Dir: b.dir, Interval: 10 * time.Second, OTLP: to.URL})
	if err != nil {
		return err
	}
	b.say("churn, %d a second", rate)
	before, err := subject.CPU(s.PID)
	if err != nil {
		return err
	}
	profiles := b.profile(s, rate)
	done, err := c.run(churnFor, rate)
	if err != nil {
		return errors.Join(err, s.Stop())
	}
	got, cpu, err := settled(s, to, sink.Executable(b.loadName()), done.Operations)
	if err := errors.Join(err, <-profiles, s.Stop(), to.Err()); err != nil {
		return err
	}
	b.costRow(t, rate, done, got, cpu-before)
	return c.stop()
}

// A count is what was reported of the churn: in its own series, and in those of what could not be itemised.
type count struct{ own, overflow sink.Sums }

// settled waits until all is reported, or for three more collections, and returns it with the CPU that the collector had taken by then.
func settled(s *subject.Collector, to *sink.Sink, own func(sink.Series) bool, connections uint64) (
	c count, cpu time.Duration, err error,
) {
	for exports := to.Exports(); to.Exports() < exports+3; time.Sleep(100 * time.Millisecond) {
		c = count{to.Sum(own), to.Sum(sink.Overflow)}
		if c.own.Closed+c.overflow.Closed >= 2*int64(connections) {
			break
		}
	}
	cpu, err = subject.CPU(s.PID)
	return c, cpu, err
}

func (b *bench) costRow(t *table, rate int, done slice, got count, cpu time.Duration) {
	ends := 2 * int64(done.Operations)
	bytes := int64(done.Operations) * (load.RequestSize + load.ResponseSize)
	per := cpu.Seconds() / float64(done.Operations) * 100_000
	asked, missing := fmt.Sprint(rate), ends-got.own.Closed-got.overflow.Closed
	if rate == 0 {
		asked = "all there can be"
	}
	t.add(asked, fmt.Sprintf("%.0f", done.Rate), fmt.Sprintf("%.2f s", per), fmt.Sprint(got.own.Closed), fmt.Sprint(got.own.Sent),
		fmt.Sprint(got.overflow.Closed), fmt.Sprint(missing), fmt.Sprint(bytes-got.own.Sent-got.overflow.Sent))
	if rate != 0 {
		return
	}
	b.goals = append(b.goals,
		goal{what: "collector's CPU of 100,000 connections, both ends", limit: 2, aim: 1, unit: "s", measured: per,
			note: fmt.Sprintf("at %.0f connections a second", done.Rate)},
		goal{what: "full churn: ends that no series has", measured: float64(missing),
			note: fmt.Sprintf("of %d; %d in overflow", ends, got.overflow.Closed)})
}

// profile takes profiles of the collector at 10,000 connections a second, if that was asked for.
func (b *bench) profile(s *subject.Collector, rate int) <-chan error {
	done := make(chan error, 1)
	if b.profiles == "" || rate != 10_000 {
		close(done)
		return done
	}
	go func() {
		done <- errors.Join(
			s.Profile(fmt.Sprintf("profile?seconds=%.0f", churnFor.Seconds()), filepath.Join(b.profiles, "cpu.pprof")),
			s.Profile("allocs", filepath.Join(b.profiles, "allocs.pprof")))
	}()
	return done
}
