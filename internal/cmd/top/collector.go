package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// patience is how long the collector may take to end after it was asked to.
const patience = 15 * time.Second

// A collector is a child process. It is to be started by a goroutine that keeps its thread, because the kernel ends the child
// with the thread that started it.
type collector struct {
	command *exec.Cmd
	log     string     // path
	ended   chan error // gets the collector's end, once
}

// startCollector starts a program with its output in a log of its own. env is added to the environment.
func startCollector(program []string, env []string, log string) (*collector, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("create the collector's log: %w", err)
	}
	defer file.Close()

	c := &collector{command: exec.Command(program[0], program[1:]...), log: log, ended: make(chan error, 1)}
	c.command.Env = append(os.Environ(), env...)
	c.command.Stdout, c.command.Stderr = file, file
	c.command.SysProcAttr = apart()
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start the collector: %w", err)
	}
	go func() { c.ended <- c.command.Wait() }()
	return c, nil
}

// stop asks the collector to end, and insists after a while. It must not be called after ended was read.
func (c *collector) stop() error {
	if err := c.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the collector: %w", err)
	}
	select {
	case err := <-c.ended:
		if err != nil {
			return fmt.Errorf("stop the collector: %w", err)
		}
		return nil
	case <-time.After(patience):
		_ = c.command.Process.Kill() // it fails if the process has just ended
		return fmt.Errorf("stop the collector: it was still running after %v: %w", patience, <-c.ended)
	}
}

// explain tells why the collector ended by itself, in its own last words.
func (c *collector) explain(end error) error {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return fmt.Errorf("read the collector's log: %w", err)
	}
	state := "exit status 0"
	if end != nil {
		state = end.Error()
	}
	return fmt.Errorf("the collector ended (%s); the end of %s is:\n\n%s", state, c.log, lastLines(text, 12))
}

func lastLines(text []byte, n int) []byte {
	lines := bytes.SplitAfter(bytes.TrimRight(text, "\n"), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], nil)
}
