//go:build linux

package load

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A client runs operations against a server and times each.
type client struct {
	role    Role
	to      *unix.RawSockaddrInet4
	samples []time.Duration // of one run; what is more than fits is not timed
	report  Report
	buffer  [PieceSize]byte
}

func (c *client) do(o Order) (Report, error) {
	if o.Do != "run" {
		return Report{}, fmt.Errorf("understand %q: a client only runs", o.Do)
	}
	c.samples, c.report.Operations = c.samples[:0], 0
	var err error
	if c.role == Churn {
		err = c.repeat(o, c.connection)
	} else {
		err = c.onOne(o)
	}
	slices.Sort(c.samples)
	c.report.P99 = percentile99(c.samples)
	return c.report, err
}

// percentile99 returns the 99th percentile of sorted durations, 0 if there are none.
func percentile99(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*99/100]
}

// repeat runs an operation until the time is over. With a rate, an operation that is late is caught up with.
func (c *client) repeat(o Order, operation func() error) error {
	start := time.Now()
	for before := start; before.Sub(start) < o.For; {
		if err := operation(); err != nil {
			return err
		}
		c.report.Operations++
		now := time.Now()
		if len(c.samples) < cap(c.samples) {
			c.samples = append(c.samples, now.Sub(before))
		}
		if o.Rate > 0 {
			next := start.Add(time.Duration(c.report.Operations) * time.Second / time.Duration(o.Rate))
			time.Sleep(next.Sub(now))
			now = time.Now()
		}
		before = now
	}
	return nil
}

// connection is one operation of Churn.
func (c *client) connection() error {
	fd, err := connect(c.to)
	if err != nil {
		return err
	}
	defer closeSocket(fd)
	c.report.Connections++
	return c.request(fd)
}

func (c *client) request(fd int) error {
	if err := writeFull(fd, c.buffer[:RequestSize]); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	c.report.Sent += RequestSize
	if err := readFull(fd, c.buffer[:ResponseSize]); err != nil {
		return fmt.Errorf("receive response: %w", err)
	}
	c.report.Received += ResponseSize
	return nil
}

// onOne runs all operations on one connection.
func (c *client) onOne(o Order) error {
	fd, err := connect(c.to)
	if err != nil {
		return err
	}
	defer closeSocket(fd)
	c.report.Connections++
	if c.role == Request {
		return c.repeat(o, func() error { return c.request(fd) })
	}
	return c.repeat(o, func() error {
		c.report.Sent += PieceSize
		return writeFull(fd, c.buffer[:])
	})
}
