//go:build linux

package harness

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/netconn/netconn/internal/thread"
)

// A Process is a child of this program.
type Process struct {
	PID   int
	Ended <-chan struct{} // closed when it has ended
	state *os.ProcessState
}

// Start starts a command and waits for its end in the background. The kernel kills a child when the thread that started
// it ends (prctl(2), PR_SET_PDEATHSIG), so the child gets a thread of its own, which waits with it.
func Start(command *exec.Cmd) (*Process, error) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan struct{})
	p := &Process{Ended: ended}
	thread.Go(func() {
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // the state has the exit status
			p.state = command.ProcessState
			close(ended)
		}
	})
	if err := <-started; err != nil {
		return nil, err
	}
	p.PID = command.Process.Pid
	return p, nil
}

// State waits for the end and returns how the process ended.
func (p *Process) State() *os.ProcessState {
	<-p.Ended
	return p.state
}

// Signal sends a signal, unless the process is known to have ended: its PID may be reused by then.
func (p *Process) Signal(s syscall.Signal) {
	select {
	case <-p.Ended:
	default:
		_ = syscall.Kill(p.PID, s) // the process may be ending
	}
}

// Kill kills the process and returns when it has ended. It may be called twice.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.Ended
}

// Stop sends SIGTERM and waits. A process that does not end within the limit is killed. Both that and an exit status
// other than 0 are errors. It may be called twice.
func (p *Process) Stop(limit time.Duration) error {
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended:
		if !p.state.Success() {
			return fmt.Errorf("stop process %d: %s", p.PID, p.state)
		}
		return nil
	case <-time.After(limit):
		p.Kill()
		return fmt.Errorf("stop process %d: still running after %v", p.PID, limit)
	}
}
