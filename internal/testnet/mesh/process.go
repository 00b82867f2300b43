//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"sync"

	"github.com/netconn/netconn/internal/testnet/mesh/program"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// ProxyID is the user and the group of a sidecar: Istio's rules do not redirect what this user sends.
const ProxyID = 1337

// A Spec says which process is to be started.
type Spec struct {
	Name         string // of the executable
	Role         program.Role
	ID           uint32    // of user and group; 0: root
	Capabilities []uintptr // of a process that is not root's
	Namespaces   []*Pod    // of a ztunnel
}

// A Process is an application or a proxy that runs in a container. Its methods may be called by several goroutines.
type Process struct {
	*worker.Worker

	mu    sync.Mutex // one order at a time
	ended bool
	last  []program.Leg // of a process that was stopped in the middle of an order
}

// Start starts a process in a container, and waits until it listens.
func (c *Container) Start(s Spec) (*Process, error) {
	path, err := worker.Rename(c.mesh.program, c.mesh.programs, s.Name)
	if err != nil {
		return nil, err
	}
	w := worker.Spec{
		Program: path, Env: []string{program.Variable + "=1"},
		In: c.Namespace, Cgroup: c.Cgroup, ID: s.ID, Capabilities: s.Capabilities,
	}
	role := s.Role
	if role.Ztunnel != nil {
		z := *role.Ztunnel
		for _, pod := range s.Namespaces {
			z.Namespaces = append(z.Namespaces, 3+len(w.Files))
			w.Files = append(w.Files, pod.File())
		}
		role.Ztunnel = &z
	}
	started, err := worker.Start(w)
	if err != nil {
		return nil, err
	}
	p := &Process{Worker: started}
	c.mesh.onClose(func() error { _, err := p.Stop(); return err })
	if _, err := p.order(program.Order{Start: &role}); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return p, nil
}

// Ask has an application send requests, and returns when all are answered.
func (p *Process) Ask(a program.Ask) error {
	_, err := p.order(program.Order{Ask: &a})
	return err
}

// Legs returns what the process has counted so far.
func (p *Process) Legs() ([]program.Leg, error) { return p.order(program.Order{}) }

func (p *Process) order(o program.Order) ([]program.Leg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, fmt.Errorf("send an order to %s: it has ended", p.Name)
	}
	if err := p.Send(o); err != nil {
		return nil, err
	}
	return p.answer()
}

func (p *Process) answer() ([]program.Leg, error) {
	var a program.Answer
	if err := p.Receive(&a); err != nil {
		return nil, err
	}
	switch {
	case a.Last:
		p.last = append([]program.Leg{}, a.Legs...) // not nil
		return nil, fmt.Errorf("read an answer of %s: it was stopped", p.Name)
	case a.Error != "":
		return nil, fmt.Errorf("%s: %s", p.Name, a.Error)
	}
	return a.Legs, nil
}

// Kill kills the process, and returns when it has ended. What it has counted is lost.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	p.ended = true
	return p.Worker.Kill()
}

// Stop ends the process, even in the middle of an order, and returns what it has counted. A second call does nothing.
func (p *Process) Stop() ([]program.Leg, error) {
	p.CloseInput() // who waits for an answer gets the last one
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, nil
	}
	p.ended = true
	var err error
	if p.last == nil {
		if _, err = p.answer(); p.last != nil {
			err = nil
		}
	}
	return p.last, errors.Join(err, p.Worker.Stop())
}
