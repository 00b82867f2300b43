//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"sync"

	"github.com/netconn/netconn/internal/testnet/mesh/actor"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// ProxyID is the user and the group of a sidecar: Istio's rules do not redirect what this user sends.
const ProxyID = 1337

// A Spec says which process is to be started.
type Spec struct {
	Name         string // of the executable
	Part         actor.Part
	ID           uint32    // of user and group; 0: root
	Capabilities []uintptr // of a process that is not root's
	Namespaces   []*Pod    // of a ztunnel
}

// A Process is an application or a proxy that runs in a container. Its methods may be called by several goroutines.
type Process struct {
	*worker.Worker

	mu    sync.Mutex // one order at a time
	ended bool
	last  []actor.Leg // of a process that was stopped in the middle of an order
}

// Start starts a process in a container, and waits until it listens.
func (c *Container) Start(s Spec) (*Process, error) {
	program, err := worker.Rename(c.mesh.program, c.mesh.programs, s.Name)
	if err != nil {
		return nil, err
	}
	w := worker.Spec{
		Program: program, Env: []string{actor.Variable + "=1"},
		In: c.Namespace, Cgroup: c.Cgroup, ID: s.ID, Capabilities: s.Capabilities,
	}
	part := s.Part
	if part.Ztunnel != nil {
		z := *part.Ztunnel
		for _, pod := range s.Namespaces {
			z.Namespaces = append(z.Namespaces, 3+len(w.Files))
			w.Files = append(w.Files, pod.File())
		}
		part.Ztunnel = &z
	}
	started, err := worker.Start(w)
	if err != nil {
		return nil, err
	}
	p := &Process{Worker: started}
	c.mesh.later(func() error { _, err := p.Stop(); return err })
	if _, err := p.order(actor.Order{Play: &part}); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return p, nil
}

// Ask has an application send requests, and returns when all are answered.
func (p *Process) Ask(a actor.Ask) error {
	_, err := p.order(actor.Order{Ask: &a})
	return err
}

// Legs returns what the process has counted so far.
func (p *Process) Legs() ([]actor.Leg, error) { return p.order(actor.Order{}) }

func (p *Process) order(o actor.Order) ([]actor.Leg, error) {
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

func (p *Process) answer() ([]actor.Leg, error) {
	var a actor.Answer
	if err := p.Receive(&a); err != nil {
		return nil, err
	}
	switch {
	case a.Last:
		p.last = append([]actor.Leg{}, a.Legs...) // not nil
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
func (p *Process) Stop() ([]actor.Leg, error) {
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
