//go:build linux

package main

import (
	"errors"
	"fmt"

	"github.com/netconn/netconn/internal/bench/host"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// idlePerProcess is how many connections one process has both ends of: some machines allow a process 20,000 files.
const idlePerProcess = 9_000

// idleSockets are many open connections with both ends in one namespace. Each process has an address of 127.0.0.0/8,
// and so all ports.
type idleSockets struct {
	namespace *netns.Namespace
	processes []*load.Process
	counts    []int // connections of each
}

// newIdleSockets starts the processes for a number of sockets, without a connection yet.
func newIdleSockets(program string, sockets int) (*idleSockets, error) {
	n, err := testbed.NewNamespace()
	if err != nil {
		return nil, err
	}
	s := &idleSockets{namespace: n}
	for left := sockets / 2; left > 0; left -= idlePerProcess {
		address := fmt.Sprintf("127.1.%d.1:9000", len(s.processes))
		p, err := load.Start(load.Spec{Program: program, Role: load.Idle, Core: -1, Address: address, In: n})
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.processes, s.counts = append(s.processes, p), append(s.counts, min(left, idlePerProcess))
	}
	return s, nil
}

// do gives all processes the same order, and waits until all have executed it.
func (s *idleSockets) do(what string) error {
	for i, p := range s.processes {
		if err := p.Begin(load.Order{Do: what, Count: s.counts[i]}); err != nil {
			return err
		}
	}
	var errs []error
	for _, p := range s.processes {
		_, err := p.Await()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// open opens the connections, and returns by how many bytes the kernel's caches grew meanwhile.
func (s *idleSockets) open() (grown int64, err error) {
	before, err := host.SettledKmalloc()
	if err != nil {
		return 0, err
	}
	if err := s.do("open"); err != nil {
		return 0, err
	}
	after, err := host.Kmalloc()
	return int64(after) - int64(before), err
}

// close ends the processes, and so their connections.
func (s *idleSockets) close() error {
	var errs []error
	for _, p := range s.processes {
		errs = append(errs, p.Stop())
	}
	return errors.Join(append(errs, s.namespace.Close())...)
}
