//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/load"
)

// A workload is a client and the server that it takes.
type workload struct {
	name           string
	client, server load.Role
}

var (
	churn   = workload{"churn", load.Churn, load.Answer}
	request = workload{"request/response", load.Request, load.Answer}
	bulk    = workload{"bulk", load.Bulk, load.Swallow}
)

// Couples are a client and a server on each of some cores: on every one, so that the machine has nothing left, and whatever netconn takes
// is taken from them; or on fewer, so that the collector finds a core of its own.
// The two of a couple share their core, because a wake-up across two virtual processors costs more, and varies more, than all that
// is to be measured.
type couples struct{ clients, servers []*load.Process }

// newCouples starts couples on the first cores, whose executable is the program. Clients connect to the host, which is the server's address
// or one that is translated to it.
func newCouples(p *lab.Pair, program string, w workload, cores int, host string) (*couples, error) {
	c := &couples{}
	for core := range cores {
		address := fmt.Sprintf("%s:%d", lab.ServerAddress, 9000+core)
		server, err := load.Start(load.Spec{Program: program, Role: w.server, Core: core, Address: address, In: p.Server})
		if err != nil {
			return nil, errors.Join(err, c.stop())
		}
		c.servers = append(c.servers, server)
		address = fmt.Sprintf("%s:%d", host, 9000+core)
		client, err := load.Start(load.Spec{Program: program, Role: w.client, Core: core, Address: address, In: p.Client})
		if err != nil {
			return nil, errors.Join(err, c.stop())
		}
		c.clients = append(c.clients, client)
	}
	return c, nil
}

// stop ends all of them.
func (c *couples) stop() error {
	var errs []error
	for _, p := range append(c.clients, c.servers...) {
		errs = append(errs, p.Stop())
	}
	c.clients, c.servers = nil, nil
	return errors.Join(errs...)
}

// A slice is what all couples did in a short time.
type slice struct {
	Operations uint64
	Rate       float64 // operations a second
	CPU        float64 // seconds of the whole machine, an operation
	P99        float64 // seconds; the mean of the couples'
}

// run has all clients run at once; rate is that of all of them, 0: what they can.
func (c *couples) run(d time.Duration, rate int) (slice, error) {
	watch, err := startWatch()
	if err != nil {
		return slice{}, err
	}
	for _, p := range c.clients {
		if err := p.Begin(load.Order{Do: "run", For: d, Rate: rate / len(c.clients)}); err != nil {
			return slice{}, err
		}
	}
	var s slice
	for _, p := range c.clients {
		r, err := p.Await()
		if err != nil {
			return slice{}, err
		}
		s.Operations += r.Operations
		s.P99 += r.P99.Seconds() / float64(len(c.clients))
	}
	cpu, err := watch.cpu()
	if err != nil {
		return slice{}, err
	}
	if s.Operations == 0 {
		return slice{}, fmt.Errorf("run for %v: no operation ended", d)
	}
	s.Rate = float64(s.Operations) / d.Seconds()
	s.CPU = cpu.Seconds() / float64(s.Operations)
	return s, nil
}
