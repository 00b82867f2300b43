// Package child starts processes that end with the program that started them, whatever ends it.
package child

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/netconn/netconn/internal/thread"
)

// A Child is a process that has been started.
type Child struct {
	PID   int
	Ended <-chan struct{} // closed when it has ended
	state *os.ProcessState
}

// Start starts a command, and waits for its end in the background. The kernel kills it when the thread ends that it was started from
// (prctl(2), PR_SET_PDEATHSIG), so it has one that waits with it.
func Start(command *exec.Cmd) (*Child, error) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan struct{})
	c := &Child{Ended: ended}
	thread.Go(func() {
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // the state tells
			c.state = command.ProcessState
			close(ended)
		}
	})
	if err := <-started; err != nil {
		return nil, err
	}
	c.PID = command.Process.Pid
	return c, nil
}

// State waits for the end, and says how it was.
func (c *Child) State() *os.ProcessState {
	<-c.Ended
	return c.state
}

// Signal sends a signal, unless it is known that the process has ended: then its number may be another one's.
func (c *Child) Signal(s syscall.Signal) {
	select {
	case <-c.Ended:
	default:
		_ = syscall.Kill(c.PID, s) // it may be ending
	}
}

// Kill ends it, and returns when it has ended. It may be called twice.
func (c *Child) Kill() {
	c.Signal(syscall.SIGKILL)
	<-c.Ended
}
