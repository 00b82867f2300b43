//go:build linux

package soak

import (
	"errors"
	"path/filepath"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A pod is a process in a container of its own.
type pod struct {
	*load.Process
	cgroup *cgroup.Cgroup
	path   []string    // of the cgroup
	done   load.Report // what it has counted by its last answer
}

// pods are all that ever were, of the clients or of the servers.
type pods struct {
	ids map[string]bool // of the containers
	all []*pod
}

// startPod starts a process in a new container.
func (s *soak) startPod(in *netns.Namespace, of *pods) (*pod, error) {
	id := cgroup.NewID()
	p := &pod{path: []string{filepath.Base(s.dir), cgroup.Docker(id)}}
	var err error
	if p.cgroup, err = cgroup.New(p.path...); err != nil {
		return nil, err
	}
	p.Process, err = load.Start(load.Spec{
		Program: s.load, Role: load.Pod, Core: -1, Address: serverAddress, In: in, Cgroup: p.cgroup,
	})
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	if of.ids == nil {
		of.ids = make(map[string]bool)
	}
	of.ids[id] = true
	of.all = append(of.all, p)
	return p, nil
}

// do gives an order, and waits until it is executed.
func (p *pod) do(o load.Order) error {
	if err := p.Begin(o); err != nil {
		return err
	}
	return p.await()
}

// await waits for an answer, and keeps what it has counted.
func (p *pod) await() error {
	r, err := p.Await()
	if err == nil {
		p.done = r
	}
	return err
}

func (p *pod) stop() error { return errors.Join(p.Stop(), p.remove()) }

func (p *pod) remove() error { return errors.Join(p.cgroup.Close(), cgroup.Remove(p.path...)) }

// done returns what clients have counted, as their side of the connections is to be reported. They are idle, and have
// so many open connections.
func done(clients []*pod, open int64) totals.Sums {
	sums := totals.Sums{Active: open}
	for _, c := range clients {
		sums.Attempts += int64(c.done.Connections)
		sums.Sent += int64(c.done.Sent)
		sums.Received += int64(c.done.Received)
	}
	sums.Closed = sums.Attempts - open
	return sums
}

// atServer returns the same as the servers' side of the connections has it.
func atServer(s totals.Sums) totals.Sums {
	s.Sent, s.Received = s.Received, s.Sent
	return s
}
