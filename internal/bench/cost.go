//go:build linux

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/bench/totals"
)

// cost is the part of that name.
func (b *bench) cost() error {
	t := &report.Table{
		Title: "Churn: the collector's own CPU, and what is lost",
		Notes: []string{fmt.Sprintf(`
			Connections with one request and one response, opened and closed for %v, with both ends on this host;
			the distribution with its default interval of 10 s. CPU: of the collector, until all is reported.
			Missing: what the load did, and neither the series of its ends nor the overflow series have.`, b.churn)},
		Head: []string{"rate asked for", "connections/s", "CPU per 100,000", "ends", "bytes sent", "in overflow",
			"missing ends",
			"missing bytes"},
	}
	for _, rate := range b.rates {
		if err := b.costAt(rate, t); err != nil {
			return fmt.Errorf("churn at %d a second: %w", rate, err)
		}
	}
	b.tables = append(b.tables, t)
	return nil
}

func (b *bench) costAt(rate int, t *report.Table) error {
	p, err := testbed.NewPair()
	if err != nil {
		return err
	}
	defer p.Close()
	g, err := newLoadGen(p, b.load, churn, b.cores, testbed.ServerAddress)
	if err != nil {
		return err
	}
	b.say("churn, %d a second", rate)
	done, got, cpu, err := b.costOf(g, rate)
	if err := errors.Join(err, g.stop()); err != nil {
		return err
	}
	b.addCost(t, rate, done, got, cpu)
	return nil
}

// costOf runs the load while a collector observes it.
func (b *bench) costOf(g *loadGen, rate int) (done sample, got count, cpu time.Duration, err error) {
	o, err := b.observe()
	if err != nil {
		return done, got, 0, err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	before, err := collector.CPU(o.PID)
	if err != nil {
		return done, got, 0, err
	}
	profiles := b.profile(o, rate)
	if done, err = g.run(b.churn, rate); err != nil {
		return done, got, 0, err
	}
	got, cpu, err = o.settled(totals.Executable(b.loadName()), done.Operations)
	return done, got, cpu - before, errors.Join(err, <-profiles)
}

func (b *bench) addCost(t *report.Table, rate int, done sample, got count, cpu time.Duration) {
	ends := 2 * int64(done.Operations)
	bytes := int64(done.Operations) * (load.RequestSize + load.ResponseSize)
	per := cpu.Seconds() / float64(done.Operations) * 100_000
	asked, missing := fmt.Sprint(rate), ends-got.own.Closed-got.overflow.Closed
	if rate == 0 {
		asked = "the highest"
	}
	t.Add(asked, fmt.Sprintf("%.0f", done.Rate), fmt.Sprintf("%.2f s", per), fmt.Sprint(got.own.Closed),
		fmt.Sprint(got.own.Sent),
		fmt.Sprint(got.overflow.Closed), fmt.Sprint(missing), fmt.Sprint(bytes-got.own.Sent-got.overflow.Sent))
	if rate != 0 {
		return
	}
	b.goals = append(b.goals,
		report.Goal{
			What: "collector's CPU per 100,000 connections, both ends", Limit: 2, Aim: 1, Unit: "s",
			Measured: per, Remark: fmt.Sprintf("at %.0f connections a second", done.Rate),
		},
		report.Goal{
			What: "full churn: ends that no series has", Measured: float64(missing),
			Remark: fmt.Sprintf("of %d; %d in overflow", ends, got.overflow.Closed),
		})
}

// profile takes profiles of the collector at 10,000 connections a second, if that was asked for.
func (b *bench) profile(o *observed, rate int) <-chan error {
	done := make(chan error, 1)
	if b.profiles == "" || rate != 10_000 {
		close(done)
		return done
	}
	go func() {
		done <- errors.Join(
			o.Profile(fmt.Sprintf("profile?seconds=%.0f", b.churn.Seconds()), filepath.Join(b.profiles, "cpu.pprof")),
			o.Profile("allocs", filepath.Join(b.profiles, "allocs.pprof")))
	}()
	return done
}
