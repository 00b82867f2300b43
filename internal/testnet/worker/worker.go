//go:build linux

// Package worker runs this program again under another name, as a process with a network namespace, a cgroup and a
// user of its own. The parent gives orders and reads answers, JSON values of whatever types the two agree on: orders
// go to the standard input of the worker, answers come from its standard output.
//
// A worker ends with its input, even in the middle of an order, so it never outlives the program that started it.
package worker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// endLimit is how long a worker may take to end. Only a defect needs it.
const endLimit = 10 * time.Second

// A Spec says which worker to start.
type Spec struct {
	Program      string // path, see Executable
	Arguments    []string
	Env          []string         // NAME=value, on top of this program's
	In           *netns.Namespace // nil: that of this program
	Cgroup       *cgroup.Cgroup   // nil: that of this program
	ID           uint32           // of user and group; 0: root
	Capabilities []uintptr        // of a worker that is not root's
	Files        []*os.File       // from descriptor 3 on
	Limit        time.Duration    // for an answer; 0: none
}

// A Worker is a process that was started. Send and Receive may be called by two goroutines, one each.
type Worker struct {
	Name string // of the executable
	PID  int

	command *exec.Cmd
	limit   time.Duration
	input   io.Closer
	output  *os.File
	orders  *json.Encoder
	answers *json.Decoder
}

// Start starts a worker. It does not wait for an answer.
func Start(s Spec) (*Worker, error) {
	w := &Worker{Name: filepath.Base(s.Program), command: s.command(), limit: s.Limit}
	input, err := w.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", w.Name, err)
	}
	output, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", w.Name, err)
	}
	w.command.Stdout = write
	start := w.command.Start
	if s.In != nil {
		start = func() error { return s.In.Do(w.command.Start) }
	}
	err = start()
	write.Close()
	if err != nil {
		output.Close()
		return nil, fmt.Errorf("start %s: %w", w.Name, err)
	}
	w.PID, w.input, w.output = w.command.Process.Pid, input, output
	w.orders, w.answers = json.NewEncoder(input), json.NewDecoder(bufio.NewReader(output))
	return w, nil
}

func (s Spec) command() *exec.Cmd {
	c := exec.Command(s.Program, s.Arguments...)
	c.Env = append(os.Environ(), s.Env...)
	c.Stderr = os.Stderr
	c.ExtraFiles = s.Files
	c.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: s.Capabilities}
	if s.ID != 0 {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: s.ID, Gid: s.ID}
	}
	if s.Cgroup != nil {
		s.Cgroup.Put(c.SysProcAttr)
	}
	return c
}

// Send gives an order and does not wait.
func (w *Worker) Send(order any) error {
	if err := w.orders.Encode(order); err != nil {
		return fmt.Errorf("send an order to %s: %w", w.Name, err)
	}
	return nil
}

// Receive reads the answer to the oldest order that has none yet.
func (w *Worker) Receive(answer any) error {
	if w.limit > 0 {
		_ = w.output.SetReadDeadline(time.Now().Add(w.limit)) // a pipe has deadlines
	}
	err := w.answers.Decode(answer)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("read an answer of %s: not within %v", w.Name, w.limit)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("read an answer of %s: it has ended", w.Name)
	case err != nil:
		return fmt.Errorf("read an answer of %s: %w", w.Name, err)
	}
	return nil
}

// Call gives an order and reads its answer.
func (w *Worker) Call(order, answer any) error {
	if err := w.Send(order); err != nil {
		return err
	}
	return w.Receive(answer)
}

// CloseInput has the worker end. What it still answers can be received.
func (w *Worker) CloseInput() { w.input.Close() }

// Stop closes the input, and waits for the end. A worker that does not end is killed. Each end but with exit status 0
// is an error.
func (w *Worker) Stop() error {
	w.CloseInput()
	overdue := time.AfterFunc(endLimit, func() { _ = unix.Kill(w.PID, unix.SIGKILL) })
	defer overdue.Stop()
	if err := w.wait(); err != nil {
		return fmt.Errorf("stop %s: %w", w.Name, err)
	}
	return nil
}

// Kill kills the worker, and returns when it has ended.
func (w *Worker) Kill() error {
	err := w.command.Process.Kill()
	_ = w.wait() // the status says that it was killed
	return err
}

func (w *Worker) wait() error {
	defer w.output.Close()
	return w.command.Wait()
}

// Executable gives this program another name in a directory, and returns the path. netconn tells the processes of a
// host apart by the names of their executables.
func Executable(dir, name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return Rename(self, dir, name)
}

// Rename gives any program another name in a directory.
func Rename(program, dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.Link(program, path); err == nil || errors.Is(err, os.ErrExist) {
		return path, nil
	}
	text, err := os.ReadFile(program) // the directory is on another file system
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("copy this program to %s: %w", path, err)
	}
	return path, nil
}
