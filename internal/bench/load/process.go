//go:build linux

package load

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// A Spec says which process is to be started.
type Spec struct {
	Program string // path; its main calls Main if the first argument is "load"
	Role    Role
	Core    int    // that it is pinned to; less than 0: none
	Address string // where it listens or connects to, IPv4 with the port
	In      *netns.Namespace
	Cgroup  *cgroup.Cgroup // nil: the cgroup of this process
}

// A Process is one that was started.
type Process struct{ *worker.Worker }

// Start starts a process, and waits until it is ready: a server listens.
func Start(s Spec) (*Process, error) {
	w, err := worker.Start(worker.Spec{
		Program: s.Program, Arguments: []string{"load", string(s.Role), strconv.Itoa(s.Core), s.Address},
		// The runtime must not preempt the loop, nor interrupt its system calls with signals for that.
		Env: []string{"GODEBUG=asyncpreemptoff=1"}, In: s.In, Cgroup: s.Cgroup,
	})
	if err != nil {
		return nil, err
	}
	p := &Process{w}
	if _, err := p.Await(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Role, err), p.Stop())
	}
	return p, nil
}

// Begin gives an order and does not wait.
func (p *Process) Begin(o Order) error { return p.Send(o) }

// Await returns the answer to the oldest order that has none yet.
func (p *Process) Await() (Report, error) {
	var r Report
	if err := p.Receive(&r); err != nil {
		return r, err
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

// Ask gives an order and returns the answer.
func (p *Process) Ask(o Order) (Report, error) {
	if err := p.Begin(o); err != nil {
		return Report{}, err
	}
	return p.Await()
}
