//go:build linux

// Package soak proves over a long time that netconn loses nothing: a small machine with a server, clients whose
// connections are short, clients whose connections stay open, and containers that come and go. A collector reports
// all of it, and is reloaded or restarted in between. At each checkpoint there is no traffic, and what was done is
// compared with what was reported, to the byte.
package soak

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/harness/otlp"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/worker"
)

const (
	serverAddress = testbed.ServerAddress + ":9090"
	longLived     = 500 // connections that stay open all the time, some of which are replaced
	epochLength   = 30 * time.Second
	reportLimit   = time.Minute // for what only a defect delays
)

// options are the flags of a soak.
type options struct {
	program  string // the distribution
	duration time.Duration
	rate     int // short connections a second
}

func parse(arguments []string, usage io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.DurationVar(&o.duration, "duration", 20*time.Minute, "of the traffic")
	flags.IntVar(&o.rate, "rate", 500, "connections a second")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() != 1 || o.duration < 10*time.Second || o.rate < 1 {
		flags.Usage()
		return o, errors.New("read arguments: want one distribution, a duration of at least 10s, a rate of at least 1")
	}
	o.program = flags.Arg(0)
	return o, nil
}

// A soak is one run.
type soak struct {
	options
	progress io.Writer

	dir       string // of temporary files; its name is that of the cgroup that has the pods
	load      string // path of this program under another name
	net       *testbed.Pair
	totals    *totals.Totals
	sink      *otlp.Server
	collector *collector.Collector

	server, shortClient, longClient *pod
	clients, servers                pods
	containers                      int // that came and went
	reloads, restarts               int
	began                           state
	checkpoints                     []checkpoint
}

// Run runs a soak and writes its tables. The error says what is missing, if anything is. This program's main must call
// load.Main if its first argument is "load".
func Run(arguments []string, out, progress io.Writer) error {
	o, err := parse(arguments, progress)
	if err != nil {
		return err
	}
	s := &soak{options: o, progress: progress}
	err = s.prepare()
	if err == nil {
		err = s.run()
	}
	if err == nil {
		err = s.report(out)
	}
	return errors.Join(err, s.close())
}

// prepare starts all that runs from the beginning to the end.
func (s *soak) prepare() (err error) {
	if s.dir, err = os.MkdirTemp("", "netconn-soak-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	if s.load, err = worker.Executable(s.dir, "netconn-soak"); err != nil {
		return err
	}
	if s.net, err = testbed.NewPair(); err != nil {
		return err
	}
	s.totals = totals.New()
	if s.sink, err = otlp.ListenPoints(s.totals.Add); err != nil {
		return err
	}
	if err := s.startCollector(); err != nil {
		return err
	}
	if s.server, err = s.startPod(s.net.Server, &s.servers); err != nil {
		return err
	}
	for _, p := range []**pod{&s.shortClient, &s.longClient} {
		if *p, err = s.startPod(s.net.Client, &s.clients); err != nil {
			return err
		}
	}
	if err := s.server.do(load.Order{Do: "listen"}); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.began, err = stateOf(s.collector)
	return err
}

func (s *soak) startCollector() (err error) {
	s.collector, err = collector.Start(collector.Options{
		Program: s.program, Dir: s.dir, Interval: time.Second, OTLP: s.sink.Address,
	})
	if err != nil {
		return err
	}
	return s.awaitExports()
}

// awaitExports waits for two collections: the second one began after the collector was ready.
func (s *soak) awaitExports() error {
	exports := s.totals.Exports()
	return harness.Until(reportLimit, "two collections", func() bool { return s.totals.Exports() >= exports+2 })
}

// run has an epoch of traffic, a checkpoint and an interruption of the collector, in turn. There is no traffic while
// the collector is interrupted: what it cannot see does not happen.
func (s *soak) run() error {
	if err := s.longClient.do(load.Order{Do: "open", Count: longLived}); err != nil {
		return fmt.Errorf("open connections that stay: %w", err)
	}
	epoch := min(epochLength, (s.duration+2)/3)
	for left := s.duration; left > 0; left -= epoch {
		if err := s.epoch(min(epoch, left)); err != nil {
			return err
		}
		s.check(fmt.Sprintf("epoch %d", len(s.checkpoints)+1), longLived)
		if left > epoch {
			if err := s.interrupt(); err != nil {
				return err
			}
		}
	}
	if err := s.longClient.do(load.Order{Do: "close"}); err != nil {
		return fmt.Errorf("close connections: %w", err)
	}
	s.check("the end", 0)
	return nil
}

// interrupt reloads the collector, or replaces it by another process, in turn.
func (s *soak) interrupt() error {
	if s.reloads == s.restarts {
		s.reloads++
		return errors.Join(s.collector.Reload(), s.awaitExports())
	}
	s.restarts++
	if err := s.collector.Stop(); err != nil {
		return err
	}
	return s.startCollector()
}

// epoch has traffic of all kinds at once.
func (s *soak) epoch(d time.Duration) error {
	end := time.Now().Add(d)
	if err := s.shortClient.Begin(load.Order{Do: "churn", For: d, Rate: s.rate}); err != nil {
		return err
	}
	for time.Now().Before(end) {
		if err := s.shortLivedPod(); err != nil {
			return fmt.Errorf("run a container for a moment: %w", err)
		}
		for _, o := range []load.Order{{Do: "touch"}, {Do: "reopen", Count: longLived / 100}} {
			if err := s.longClient.do(o); err != nil {
				return fmt.Errorf("%s connections that stay: %w", o.Do, err)
			}
		}
	}
	return s.shortClient.await()
}

// shortLivedPod starts a container, which closes most of its connections; its end closes the others.
func (s *soak) shortLivedPod() error {
	p, err := s.startPod(s.net.Client, &s.clients)
	if err != nil {
		return err
	}
	for _, o := range []load.Order{{Do: "open", Count: 10}, {Do: "churn", For: 500 * time.Millisecond, Rate: 50},
		{Do: "touch"}} {
		if err := p.do(o); err != nil {
			return errors.Join(err, p.stop())
		}
	}
	s.containers++
	return p.stop()
}

// check waits until all is reported, for at most ten collections, and keeps the checkpoint.
func (s *soak) check(name string, open int64) {
	c := checkpoint{name: name}
	for exports := s.totals.Exports(); s.totals.Exports() < exports+10; time.Sleep(50 * time.Millisecond) {
		c.done = done(s.clients.all, open)
		c.clients = s.totals.Sum(totals.Containers(s.clients.ids))
		c.servers = s.totals.Sum(totals.Containers(s.servers.ids))
		c.overflow = s.totals.Sum(totals.Overflow)
		if c.clients == c.done && c.servers == atServer(c.done) {
			break
		}
	}
	s.checkpoints = append(s.checkpoints, c)
	verdict := "nothing is missing"
	if err := c.check(); err != nil {
		verdict = err.Error()
	}
	fmt.Fprintf(s.progress, "%s %s: %d connections, %d bytes sent by clients; %s\n", time.Now().Format(time.TimeOnly),
		name,
		c.done.Attempts, c.done.Sent, verdict)
}

// close ends everything that was started. It may be called at any point of prepare.
func (s *soak) close() error {
	var errs []error
	for _, p := range []*pod{s.shortClient, s.longClient, s.server} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	if s.collector != nil {
		errs = append(errs, s.collector.Stop())
	}
	if s.sink != nil {
		errs = append(errs, s.sink.Close())
	}
	if s.net != nil {
		errs = append(errs, s.net.Close())
	}
	return errors.Join(append(errs, cgroup.Remove(filepath.Base(s.dir)), os.RemoveAll(s.dir))...)
}
