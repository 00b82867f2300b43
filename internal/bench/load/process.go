//go:build linux

package load

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A Spec says which process is to be started.
type Spec struct {
	Program string // path; its main calls Main if the first argument is "load"
	Role    Role
	Core    int    // that it is pinned to; less than 0: none
	Address string // where it listens or connects to, IPv4 with the port
	In      *netns.Namespace
	Of      *lab.Container // nil: the cgroup of this process
}

// A Process is one that was started.
type Process struct {
	command *exec.Cmd
	input   io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
}

// Start starts a process, and waits until it is ready: a server listens.
func Start(s Spec) (*Process, error) {
	c := exec.Command(s.Program, "load", string(s.Role), strconv.Itoa(s.Core), s.Address)
	// Neither does the runtime preempt the loop, nor may signals for that interrupt its system calls.
	c.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	c.Stderr = os.Stderr
	if s.Of != nil {
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: s.Of.FD()}
	}
	input, err := c.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	output, err := c.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	if err := s.In.Do(c.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Role, err)
	}
	p := &Process{command: c, input: input, orders: json.NewEncoder(input), answers: json.NewDecoder(bufio.NewReader(output))}
	if _, err := p.Await(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Role, err), p.Stop())
	}
	return p, nil
}

// Begin gives an order and does not wait.
func (p *Process) Begin(o Order) error {
	if err := p.orders.Encode(o); err != nil {
		return fmt.Errorf("tell a process to %s: %w", o.Do, err)
	}
	return nil
}

// Await returns the answer to the oldest order that has none yet.
func (p *Process) Await() (Report, error) {
	var r Report
	if err := p.answers.Decode(&r); err != nil {
		return r, fmt.Errorf("read a process's answer: %w", err)
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

// Stop ends the process by ending its input, and waits for it.
func (p *Process) Stop() error {
	p.input.Close()
	return p.command.Wait()
}

// Named gives this program another name, below dir: netconn tells processes of the machine apart by the name of their executable.
func Named(dir, name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	path := filepath.Join(dir, name)
	if os.Link(self, path) == nil {
		return path, nil
	}
	text, err := os.ReadFile(self) // it is on another file system
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("copy this program: %w", err)
	}
	return path, nil
}
