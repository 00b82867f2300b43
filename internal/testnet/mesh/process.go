//go:build linux

package mesh

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet/mesh/actor"
)

// ProxyID is the user and the group of a sidecar, which Istio's rules leave alone.
const ProxyID = 1337

// A Spec says which process is to be started.
type Spec struct {
	Name         string // of the executable
	Part         actor.Part
	ID           uint32    // of user and group; 0: root
	Capabilities []uintptr // of a process that is not root's
	Namespaces   []*Pod    // of a ztunnel
}

// A Process is one that was started.
type Process struct {
	Name string

	command *exec.Cmd
	orders  io.Closer
	encoder *json.Encoder
	decoder *json.Decoder
	mu      sync.Mutex // one order at a time
	ended   bool
	last    []actor.Leg // of a process that was stopped while an order was done
}

// Start starts a process in a container, and waits until it plays its part: what is to listen listens.
func (c *Container) Start(s Spec) (*Process, error) {
	program, err := c.mesh.programNamed(s.Name)
	if err != nil {
		return nil, err
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), actor.Variable+"=1")
	command.Stderr = os.Stderr
	p := s.Part
	if p.Ztunnel != nil {
		z := *p.Ztunnel
		for _, pod := range s.Namespaces {
			z.Namespaces = append(z.Namespaces, 3+len(command.ExtraFiles))
			command.ExtraFiles = append(command.ExtraFiles, pod.File())
		}
		p.Ztunnel = &z
	}
	command.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: s.Capabilities}
	if s.ID != 0 {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: s.ID, Gid: s.ID}
	}
	started, err := c.launch(s.Name, command)
	if err != nil {
		return nil, err
	}
	if _, err := started.order(actor.Order{Play: &p}); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return started, nil
}

// Run starts any program in the container, with its input and output connected as the caller wants them.
func (c *Container) Run(command *exec.Cmd) error {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.UseCgroupFD, command.SysProcAttr.CgroupFD = true, int(c.dir.Fd())
	return c.Do(command.Start)
}

func (c *Container) launch(name string, command *exec.Cmd) (*Process, error) {
	orders, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	answers, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := c.Run(command); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{
		Name: name, command: command, orders: orders,
		encoder: json.NewEncoder(orders), decoder: json.NewDecoder(bufio.NewReader(answers)),
	}
	c.mesh.later(func() error { _, err := p.Stop(); return err })
	return p, nil
}

// programNamed returns the mesh's program under another name.
func (m *Mesh) programNamed(name string) (string, error) {
	path := filepath.Join(m.programs, name)
	err := os.Link(m.program, path)
	if err == nil || errors.Is(err, os.ErrExist) {
		return path, nil
	}
	text, err := os.ReadFile(m.program) // it is on another file system
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("copy this program to %s: %w", name, err)
	}
	return path, nil
}

// Pid is what the machine knows the process by.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Ask has an application ask, and returns when all is answered.
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
		return nil, fmt.Errorf("tell %s: it has ended", p.Name)
	}
	if err := p.encoder.Encode(o); err != nil {
		return nil, fmt.Errorf("tell %s: %w", p.Name, err)
	}
	return p.answer()
}

func (p *Process) answer() ([]actor.Leg, error) {
	var a actor.Answer
	if err := p.decoder.Decode(&a); err != nil {
		return nil, fmt.Errorf("listen to %s: %w", p.Name, err)
	}
	switch {
	case a.Last:
		p.last = append([]actor.Leg{}, a.Legs...) // not nil
		return nil, fmt.Errorf("tell %s: it was stopped meanwhile", p.Name)
	case a.Error != "":
		return nil, fmt.Errorf("%s: %s", p.Name, a.Error)
	}
	return a.Legs, nil
}

// Kill ends the process without a word, and returns when it is gone. What it had counted is lost.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	p.ended = true
	err := p.command.Process.Kill()
	_ = p.command.Wait() // killed, as it says
	return err
}

// Stop ends the process, even if it does what it was told still, and returns what it has counted. A second call does nothing.
func (p *Process) Stop() ([]actor.Leg, error) {
	p.orders.Close() // whoever waits for an answer gets the last one
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, nil
	}
	p.ended = true
	insist := time.AfterFunc(patience, func() { _ = unix.Kill(p.Pid(), unix.SIGKILL) })
	defer insist.Stop()
	var err error
	if p.last == nil {
		if _, err = p.answer(); p.last != nil {
			err = nil
		}
	}
	if end := p.command.Wait(); end != nil {
		err = errors.Join(err, fmt.Errorf("end %s: %w", p.Name, end))
	}
	return p.last, err
}
