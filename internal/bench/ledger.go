//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/sink"
	"github.com/netconn/netconn/internal/bench/subject"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A tenant is a process in a container of its own.
type tenant struct {
	*load.Process
	parent, path string // of its cgroup
	home         *cgroup.Cgroup
	last         load.Report // what it has said it did; it never says less
}

// do gives an order, and keeps what the answer says was done.
func (t *tenant) do(o load.Order) error {
	if err := t.Begin(o); err != nil {
		return err
	}
	return t.done()
}

// done waits for an answer, and keeps it.
func (t *tenant) done() error {
	r, err := t.Await()
	if err == nil {
		t.last = r
	}
	return err
}

func (t *tenant) leave() error {
	return errors.Join(t.Stop(), t.home.Close(), cgroup.Remove(t.parent, t.path))
}

// A side is the containers of clients, or of servers.
type side struct {
	containers map[string]bool
	tenants    []*tenant
}

// has tells whether a series is of one of the side's containers.
func (s *side) has(t sink.Series) bool { return s.containers[t.Resource["container.id"]] }

// A ledger is what was really done. Clients count; each of their connections has a server's end with the same bytes.
type ledger struct {
	clients, servers side
	visits           int
}

// admit starts a process in a new container.
func (s *soak) admit(in *netns.Namespace, of *side) (*tenant, error) {
	id := cgroup.NewID()
	t := &tenant{parent: s.parent, path: cgroup.Docker(id)}
	var err error
	if t.home, err = cgroup.New(t.parent, t.path); err != nil {
		return nil, err
	}
	t.Process, err = load.Start(load.Spec{Program: s.load, Role: load.Pod, Core: -1, Address: soakAddress, In: in, Of: t.home})
	if err != nil {
		return nil, errors.Join(err, t.home.Close(), cgroup.Remove(t.parent, t.path))
	}
	if of.containers == nil {
		of.containers = make(map[string]bool)
	}
	of.containers[id] = true
	of.tenants = append(of.tenants, t)
	return t, nil
}

// done returns what the clients did, as it is to be reported of their side. All of them are idle. open of the connections are open.
func (l *ledger) done(open int64) (made sink.Sums) {
	for _, t := range l.clients.tenants {
		made.Attempts += int64(t.last.Connections)
		made.Sent += int64(t.last.Sent)
		made.Received += int64(t.last.Received)
	}
	made.Active = open
	made.Closed = made.Attempts - open
	return made
}

// swapped is the same as the servers' side has it.
func swapped(s sink.Sums) sink.Sums {
	s.Sent, s.Received = s.Received, s.Sent
	return s
}

// An ending is what was done and what was reported at a moment without traffic.
type ending struct {
	name                            string
	made, clients, servers, overall sink.Sums // overall: the series of what could not be itemised
}

// check waits until all is reported, for at most ten collections, and keeps what was.
func (s *soak) check(name string) {
	e := ending{name: name}
	open := int64(stays)
	if name == "the end" {
		open = 0
	}
	for exports := s.to.Exports(); s.to.Exports() < exports+10; time.Sleep(50 * time.Millisecond) {
		e.made = s.made.done(open)
		e.clients, e.servers = s.to.Sum(s.made.clients.has), s.to.Sum(s.made.servers.has)
		e.overall = s.to.Sum(sink.Overflow)
		if e.clients == e.made && e.servers == swapped(e.made) {
			break
		}
	}
	s.ends = append(s.ends, e)
	s.say("%s: %d connections, %d bytes sent by clients; %s", name, e.made.Attempts, e.made.Sent, verdict(e.judge()))
}

func verdict(err error) string {
	if err == nil {
		return "nothing is missing"
	}
	return err.Error()
}

// A state is what the collector holds.
type state struct {
	resident, heap               uint64
	goroutines                   int
	programs, maps, links, files int
}

func stateOf(c *subject.Collector) (s state, err error) {
	var errs [5]error
	s.heap, errs[0] = c.Heap()
	s.goroutines, errs[1] = c.Goroutines()
	s.resident, errs[2] = subject.Resident(c.PID)
	objects, err := subject.BPF(c.PID)
	errs[3] = err
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.PID))
	errs[4] = err
	s.programs, s.maps, s.links, s.files = len(objects.Programs), objects.Maps, objects.Links, len(files)
	return s, errors.Join(errs[:]...)
}
