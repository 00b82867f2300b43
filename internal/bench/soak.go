//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/sink"
	"github.com/netconn/netconn/internal/bench/subject"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A soak is a machine in small: a server in a container, a client that opens and closes connections, one whose connections stay, and
// containers that come and go, while a collector tells of all of it and is reloaded or started again.
type soak struct {
	bench
	duration time.Duration
	rate     int // connections a second of the client that opens and closes

	net       *lab.Pair
	parent    string // cgroup below which the containers are
	to        *sink.Sink
	collector *subject.Collector
	server    *tenant
	churner   *tenant
	keeper    *tenant
	made      ledger
	ends      []ending
	began     state
	again     map[string]int // how often the collector was reloaded, and started again
}

const soakAddress = lab.ServerAddress + ":9090"

// stays is how many connections stay open all the time.
const stays = 500

func runSoak(arguments []string) (err error) {
	s := &soak{bench: bench{progress: os.Stderr}, again: make(map[string]int)}
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&s.duration, "duration", 20*time.Minute, "how long there is traffic")
	flags.IntVar(&s.rate, "rate", 500, "connections a second")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 || s.duration < 10*time.Second || s.rate < 1 {
		flags.Usage()
		return errors.New("read arguments: want one distribution, a duration of at least 10s, a rate of at least 1")
	}
	s.program = flags.Arg(0)
	if err := s.prepare(); err != nil {
		return errors.Join(err, s.close())
	}
	err = s.run()
	if err == nil {
		err = s.report(arguments)
	}
	return errors.Join(err, s.close())
}

// prepare makes the rooms, and starts all that is there from the beginning to the end.
func (s *soak) prepare() (err error) {
	if s.dir, err = os.MkdirTemp("", "netconn-soak-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	s.parent = filepath.Base(s.dir)
	if err := s.nameLoad(); err != nil {
		return err
	}
	if s.net, err = lab.NewPair(); err != nil {
		return err
	}
	if s.to, err = sink.New(); err != nil {
		return err
	}
	if err := s.startCollector(); err != nil {
		return err
	}
	for _, t := range []struct {
		who  **tenant
		in   *netns.Namespace
		side *side
	}{{&s.server, s.net.Server, &s.made.servers}, {&s.churner, s.net.Client, &s.made.clients}, {&s.keeper, s.net.Client, &s.made.clients}} {
		if *t.who, err = s.admit(t.in, t.side); err != nil {
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
	s.collector, err = subject.Start(subject.Options{Program: s.program, Dir: s.dir, Interval: time.Second, OTLP: s.to.URL})
	if err != nil {
		return err
	}
	return s.awaitExports()
}

// awaitExports waits for two collections: the second one began after the collector was ready.
func (s *soak) awaitExports() error {
	exports := s.to.Exports()
	return until("two collections", func() bool { return s.to.Exports() >= exports+2 })
}

// run lets epochs pass. Between two of them there is no traffic, so that what was counted can be compared to the byte, and what
// happens while nobody looks is nothing: then the collector is reloaded, or started again.
func (s *soak) run() error {
	epoch := min(30*time.Second, (s.duration+2)/3)
	if err := s.keeper.do(load.Order{Do: "open", Count: stays}); err != nil {
		return fmt.Errorf("open connections that stay: %w", err)
	}
	for left := s.duration; left > 0; left -= epoch {
		if err := s.epoch(min(epoch, left)); err != nil {
			return err
		}
		s.check(fmt.Sprintf("epoch %d", len(s.ends)+1))
		if left > epoch {
			if err := s.interrupt(); err != nil {
				return err
			}
		}
	}
	if err := s.keeper.do(load.Order{Do: "close"}); err != nil {
		return fmt.Errorf("close connections: %w", err)
	}
	s.check("the end")
	return nil
}

// interrupt reloads the collector, or starts another one, in turn.
func (s *soak) interrupt() error {
	if len(s.ends)%2 == 1 {
		s.again["reloaded"]++
		return errors.Join(s.collector.Reload(), s.awaitExports())
	}
	s.again["started again"]++
	if err := s.collector.Stop(); err != nil {
		return err
	}
	return s.startCollector()
}

// epoch is traffic of all kinds at once.
func (s *soak) epoch(d time.Duration) error {
	end := time.Now().Add(d)
	if err := s.churner.Begin(load.Order{Do: "churn", For: d, Rate: s.rate}); err != nil {
		return err
	}
	for time.Now().Before(end) {
		if err := s.visit(); err != nil {
			return fmt.Errorf("let a container live: %w", err)
		}
		for _, o := range []load.Order{{Do: "touch"}, {Do: "reopen", Count: stays / 100}} {
			if err := s.keeper.do(o); err != nil {
				return fmt.Errorf("%s connections that stay: %w", o.Do, err)
			}
		}
	}
	return s.churner.done()
}

// visit is the life of a container: connections that are closed, and some that its end closes.
func (s *soak) visit() error {
	t, err := s.admit(s.net.Client, &s.made.clients)
	if err != nil {
		return err
	}
	for _, o := range []load.Order{{Do: "open", Count: 10}, {Do: "churn", For: 500 * time.Millisecond, Rate: 50}, {Do: "touch"}} {
		if err := t.do(o); err != nil {
			return errors.Join(err, t.leave())
		}
	}
	s.made.visits++
	return t.leave()
}

// close ends everything that was started. It may be called at any point of prepare.
func (s *soak) close() error {
	var errs []error
	for _, t := range []*tenant{s.churner, s.keeper, s.server} {
		if t != nil {
			errs = append(errs, t.leave())
		}
	}
	if s.collector != nil {
		errs = append(errs, s.collector.Stop())
	}
	if s.to != nil {
		errs = append(errs, s.to.Close())
	}
	if s.net != nil {
		errs = append(errs, s.net.Close())
	}
	return errors.Join(append(errs, cgroup.Remove(s.parent), os.RemoveAll(s.dir))...)
}
