//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/netconn/netconn/internal/bench/host"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/testbed"
)

// A workload is a client and the server that it needs.
type workload struct {
	name           string
	client, server load.Role
}

var (
	churn   = workload{"churn", load.Churn, load.Respond}
	request = workload{"request/response", load.Request, load.Respond}
	bulk    = workload{"bulk", load.Bulk, load.Discard}
)

// A loadGen is a client and a server on each of some cores. With all cores the machine has no time left, and whatever
// netconn needs is taken from the load; with fewer the collector finds a core of its own.
//
// A client and its server share their core: a wake-up across two virtual processors costs more, and varies more, than
// all that is to be measured.
type loadGen struct{ clients, servers []*load.Process }

// newLoadGen starts a load generator on the first cores, with the executable at program. Clients connect to the host:
// the server's address, or one that is translated to it.
func newLoadGen(p *testbed.Pair, program string, w workload, cores int, host string) (*loadGen, error) {
	g := &loadGen{}
	for core := range cores {
		port := 9000 + core
		address := fmt.Sprintf("%s:%d", testbed.ServerAddress, port)
		server, err := load.Start(load.Spec{
			Program: program, Role: w.server, Core: core, Address: address, In: p.Server,
		})
		if err != nil {
			return nil, errors.Join(err, g.stop())
		}
		g.servers = append(g.servers, server)
		address = fmt.Sprintf("%s:%d", host, port)
		client, err := load.Start(load.Spec{
			Program: program, Role: w.client, Core: core, Address: address, In: p.Client,
		})
		if err != nil {
			return nil, errors.Join(err, g.stop())
		}
		g.clients = append(g.clients, client)
	}
	return g, nil
}

// stop ends all processes. It may be called twice.
func (g *loadGen) stop() error {
	var errs []error
	for _, p := range append(g.clients, g.servers...) {
		errs = append(errs, p.Stop())
	}
	g.clients, g.servers = nil, nil
	return errors.Join(errs...)
}

// A sample is what all clients did in a short time.
type sample struct {
	Operations uint64
	Rate       float64 // operations a second
	CPU        float64 // seconds of the whole machine, an operation
	P99        float64 // seconds; the mean of the clients'
}

// run has all clients run at once. The rate is that of all of them, in operations a second; 0: as many as they can.
func (g *loadGen) run(d time.Duration, rate int) (sample, error) {
	watch, err := host.Start()
	if err != nil {
		return sample{}, err
	}
	for _, p := range g.clients {
		if err := p.Begin(load.Order{Do: "run", For: d, Rate: rate / len(g.clients)}); err != nil {
			return sample{}, err
		}
	}
	var reports []load.Report
	for _, p := range g.clients {
		r, err := p.Await()
		if err != nil {
			return sample{}, err
		}
		reports = append(reports, r)
	}
	cpu, err := watch.CPU()
	if err != nil {
		return sample{}, err
	}
	return sampleOf(reports, d, cpu)
}

// sampleOf adds up what clients did in a time, for which the machine needed so much processor time.
func sampleOf(reports []load.Report, d, cpu time.Duration) (s sample, err error) {
	for _, r := range reports {
		s.Operations += r.Operations
		s.P99 += r.P99.Seconds() / float64(len(reports))
	}
	if s.Operations == 0 {
		return sample{}, fmt.Errorf("run for %v: no operation ended", d)
	}
	s.Rate = float64(s.Operations) / d.Seconds()
	s.CPU = cpu.Seconds() / float64(s.Operations)
	return s, nil
}
