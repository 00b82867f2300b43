//go:build linux

package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// limit is how long a collector may take to start or to end. Only a defect needs it.
const limit = time.Minute

// ready is what the collector logs when all of its components have started.
const ready = "Everything is ready."

// A Collector is a distribution as a child process, with its output in a log file.
type Collector struct {
	*Process
	log string // path
}

// StartCollector starts a command that runs a collector. The command writes to the file at log, which is created.
func StartCollector(command *exec.Cmd, log string) (*Collector, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("create the collector's log: %w", err)
	}
	defer file.Close()
	command.Stdout, command.Stderr = file, file
	p, err := Start(command)
	if err != nil {
		return nil, fmt.Errorf("start the collector: %w", err)
	}
	return &Collector{Process: p, log: log}, nil
}

// AwaitReady waits until all components have started. A collector that ends before that is an error with its last
// lines.
func (c *Collector) AwaitReady() error { return c.awaitReady(1) }

// Ready reports whether all components have started once.
func (c *Collector) Ready() bool { return c.starts() > 0 }

// awaitReady waits until the collector has been ready for the n-th time.
func (c *Collector) awaitReady(n int) error {
	err := Until(limit, "the collector to be ready", func() bool {
		select {
		case <-c.Ended:
			return true
		default:
			return c.starts() >= n
		}
	})
	if err == nil && c.starts() < n {
		return c.EndError()
	}
	return err
}

// starts returns how often all components have started.
func (c *Collector) starts() int { return bytes.Count(c.read(), []byte(ready)) }

// Reload has the collector read its configuration again, which replaces all components, and waits until they are ready.
func (c *Collector) Reload() error {
	n := c.starts()
	c.Signal(syscall.SIGHUP)
	return c.awaitReady(n + 1)
}

// Stop ends the collector in order. It may be called twice.
func (c *Collector) Stop() error {
	if err := c.Process.Stop(limit); err != nil {
		return fmt.Errorf("stop the collector: %w\n%s", err, c.LastLines(12))
	}
	return nil
}

// EndError waits for the end, and returns an error that tells how the collector ended, with the end of its log: the
// error that the collector itself ended with, or else the last lines.
func (c *Collector) EndError() error {
	state, end := c.State(), c.LastLines(12)
	if i := strings.LastIndex(end, "\nError: "); i >= 0 {
		end = end[i+1:]
	}
	return fmt.Errorf("the collector ended (%s); the end of %s is:\n\n%s", state, c.log, end)
}

// Log returns what the collector has written so far.
func (c *Collector) Log() string { return string(c.read()) }

// LastLines returns the last n lines of the log.
func (c *Collector) LastLines(n int) string {
	lines := bytes.SplitAfter(bytes.TrimRight(c.read(), "\n"), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], nil))
}

// read returns the log, or why there is none, so that a test that looks for a sentence shows the reason.
func (c *Collector) read() []byte {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return fmt.Appendf(nil, "read the collector's log: %v", err)
	}
	return text
}
