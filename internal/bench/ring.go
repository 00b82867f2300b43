//go:build linux

package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

// drained is what was read of the load's ends, and what the kernel counted as lost on the whole host.
type drained struct {
	ends, sent uint64
	lost       conn.Losses
}

// ring is the part of that name: what a ring that is too small refuses must be counted.
func (b *bench) ring() error {
	t := &report.Table{
		Title: "Full churn and the ring of ended connections",
		Notes: []string{fmt.Sprintf(`
			The kernel side in the benchmark's own process, drained every 100 ms as the receiver does, while
			connections are opened and closed for %v. Missing: neither reported nor counted as lost. The counters
			are of the whole host; where missing is less than 0, connections of other programs were lost.`, b.churn/2)},
		Head: []string{"ring", "connections/s", "ends", "reported", "counted as lost", "missing", "bytes sent",
			"reported",
			"counted as lost", "missing"},
	}
	for _, size := range []int{4 << 20, 4 << 10} {
		b.say("churn with a ring of %d bytes", size)
		done, got, err := b.churnInto(size)
		if err != nil {
			return fmt.Errorf("churn with a ring of %d bytes: %w", size, err)
		}
		if err := b.addRing(t, size, done, got); err != nil {
			return err
		}
	}
	b.tables = append(b.tables, t)
	return nil
}

func (b *bench) addRing(t *report.Table, size int, done sample, got drained) error {
	ends, bytes := 2*done.Operations, done.Operations*(load.RequestSize+load.ResponseSize)
	if got.ends > ends {
		return fmt.Errorf("drain a ring of %d bytes: %d ends are reported, there were %d", size, got.ends, ends)
	}
	row := []string{fmt.Sprintf("%d KiB", size>>10), fmt.Sprintf("%.0f", done.Rate)}
	for _, f := range []struct{ made, reported, lost uint64 }{
		{ends, got.ends, got.lost[conn.LostCloses]}, {bytes, got.sent,
			got.lost[conn.LostSent]}} {
		row = append(row, fmt.Sprint(f.made), fmt.Sprint(f.reported), fmt.Sprint(f.lost),
			fmt.Sprint(int64(f.made-f.reported-f.lost)))
	}
	t.Add(row...)
	b.goals = append(b.goals, report.Goal{
		What:     fmt.Sprintf("ring of %d KiB: ends not reported, not counted", size>>10),
		Measured: float64(int64(ends - got.ends - got.lost[conn.LostCloses])),
	})
	return nil
}

func (b *bench) churnInto(ringBytes int) (done sample, got drained, err error) {
	p, err := testbed.NewPair()
	if err != nil {
		return done, got, err
	}
	defer p.Close()
	g, err := newLoadGen(p, b.load, churn, b.cores, testbed.ServerAddress)
	if err != nil {
		return done, got, err
	}
	s, err := kernel.Open(kernel.Options{RingBytes: ringBytes})
	if err != nil {
		return done, got, errors.Join(err, g.stop())
	}
	ran := make(chan error, 1)
	go func() {
		var err error
		done, err = g.run(b.churn/2, 0)
		ran <- err
	}()
	err = got.drain(s, b.loadName(), ran, func() uint64 { return 2 * done.Operations })
	return done, got, errors.Join(err, s.Close(), g.stop())
}

// drain empties the ring until the load has run, and then until all is reported or counted, or for 5 s: the servers'
// ends of the last connections close a moment later.
func (d *drained) drain(s *kernel.Sockets, own string, ran <-chan error, ends func() uint64) (err error) {
	h := kernel.Handler{Conn: func(c conn.Conn) {
		if c.Phase == conn.Closed && c.Process.Executable == own {
			d.ends++
			d.sent += c.Counts[conn.Sent]
		}
	}}
	for rounds := math.MaxInt; rounds > 0; rounds-- {
		select {
		case err = <-ran:
			ran, rounds = nil, 50
		case <-time.After(100 * time.Millisecond):
		}
		if err = errors.Join(err, s.Drain(h)); err != nil {
			return err
		}
		if d.lost, err = s.Losses(); err != nil || ran == nil && d.ends+d.lost[conn.LostCloses] >= ends() {
			return err
		}
	}
	return nil
}
