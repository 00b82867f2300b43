//go:build linux

package main

import (
	"errors"
	"fmt"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// holdsEach is how many connections one process has both ends of: a process may have 20,000 files on some machines.
const holdsEach = 9_000

// A crowd is many open connections, with both ends in a namespace of their own: each process has an address of 127.0.0.0/8, and so all
// ports.
type crowd struct {
	namespace *netns.Namespace
	holders   []*load.Process
	counts    []int // connections of each
}

// newCrowd starts the processes, without a connection yet, for a number of sockets.
func newCrowd(program string, sockets int) (*crowd, error) {
	n, err := lab.NewNamespace()
	if err != nil {
		return nil, err
	}
	c := &crowd{namespace: n}
	for left := sockets / 2; left > 0; left -= holdsEach {
		address := fmt.Sprintf("127.1.%d.1:9000", len(c.holders))
		p, err := load.Start(load.Spec{Program: program, Role: load.Hold, Core: -1, Address: address, In: n})
		if err != nil {
			return nil, errors.Join(err, c.stop())
		}
		c.holders, c.counts = append(c.holders, p), append(c.counts, min(left, holdsEach))
	}
	return c, nil
}

// do gives all processes the same order, and waits until all have done it.
func (c *crowd) do(what string) error {
	for i, p := range c.holders {
		if err := p.Begin(load.Order{Do: what, Count: c.counts[i]}); err != nil {
			return err
		}
	}
	var errs []error
	for _, p := range c.holders {
		_, err := p.Await()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// openWeighed opens the connections, and returns by how much the kernel's caches grew meanwhile.
func (c *crowd) openWeighed() (int64, error) {
	before, err := settledKmalloc()
	if err != nil {
		return 0, err
	}
	if err := c.do("open"); err != nil {
		return 0, err
	}
	after, err := kmalloc()
	return int64(after) - int64(before), err
}

// stop ends the processes, and so their connections.
func (c *crowd) stop() error {
	var errs []error
	for _, p := range c.holders {
		errs = append(errs, p.Stop())
	}
	return errors.Join(append(errs, c.namespace.Close())...)
}
