package pipeline

import (
	"fmt"

	"github.com/netconn/netconn/internal/memory"
)

// What a connection needs, as docs/measurements.md has it in "Many open connections: the distribution".
const (
	// baseBytes is the resident memory of the distribution without connections.
	baseBytes = 99 << 20
	// connectionBytes is the growth of resident memory for each of 200,000 sockets, with the garbage that Go lets
	// gather.
	connectionBytes = 827
	// socketBytes is what the kernel keeps for each socket: 384 bytes of state. For a socket older than netconn it also
	// keeps 128 bytes, the counters at the start.
	socketBytes = 384 + 128
)

// share is the part of the memory above baseBytes that is for connections. Flows, pods and messages have the rest.
const share = 0.8

// socketsEach is how many sockets have state for each connection that is followed one by one. The others are counted at
// their end, so totals hold for twice as many.
const socketsEach = 2

// leastConnections are followed with any limit. A limit that is smaller than the collector without connections is its
// own problem.
const leastConnections = 1000

// A Capacity is how many connections a pipeline follows.
type Capacity struct {
	Connections int          // one by one
	Sockets     int          // that have state in the kernel; 0: any number
	Limit       memory.Limit // that the numbers follow from; zero: there is none
	Warning     string       // the number that was configured does not fit
}

// capacityOf returns what fits into the memory of this process. A number that was configured counts instead, and
// without a limit it is most. The kernel's part counts for the cgroup, and not for Go.
func capacityOf(l memory.Limits, configured, most int) (c Capacity) {
	c.Connections, c.Limit = fitting(l.Cgroup, connectionBytes+socketsEach*socketBytes), l.Cgroup
	c.Sockets = socketsEach * c.Connections
	if n := fitting(l.Go, connectionBytes); n > 0 && (n < c.Connections || c.Connections == 0) {
		c.Connections, c.Limit = n, l.Go
	}
	switch {
	case configured > 0:
		if c.Connections > 0 && configured > c.Connections {
			c.Warning = fmt.Sprintf("max_connections is %d, but the memory limit of %d MiB (%s) has room for %d "+
				"connections: with more, the kernel may end this process",
				configured, c.Limit.Bytes>>20, c.Limit.Source, c.Connections)
		}
		c.Connections = configured
	case c.Connections == 0 || c.Connections > most:
		c.Connections = most
	}
	if c.Sockets > 0 {
		c.Sockets = max(c.Sockets, configured)
	}
	return c
}

// fitting returns how many connections fit into a limit; 0: there is none.
func fitting(l memory.Limit, each int64) int {
	if l.Bytes == 0 {
		return 0
	}
	return max(leastConnections, int(share*float64(l.Bytes-baseBytes)/float64(each)))
}
