package dns

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Mode is which sockets are followed.
type Mode string

const (
	Off     Mode = "off"
	Servers Mode = "servers" // those of the cgroups with a socket that is bound to a port of DNS, the root excluded
	All     Mode = "all"     // those of all cgroups
)

// Choices returns all modes.
func (Mode) Choices() []string { return []string{string(Off), string(Servers), string(All)} }

// Timeout is how long a query waits for its response. It is that of most resolvers.
const Timeout = 5 * time.Second

// Options is what a Reader follows.
type Options struct {
	Mode Mode
	Root string // of the host: where /sys/fs/cgroup is
	// Timeout and RingBytes are for tests. Zero: the default.
	Timeout   time.Duration
	RingBytes int
}

// Handler receives what the kernel reports, with the addresses among the answers, which are valid until it returns.
type Handler func(l conn.Lookup, addresses []Address)

// Stats are cumulative counts since Open.
type Stats struct {
	Cgroups        int    // that are followed now; the root counts as one
	Waiting        int    // queries without a response, at the last look
	Lost           uint64 // responses, and new servers, that found the ring full
	QueriesRefused uint64 // queries that were not kept, because too many waited: they have no latency, and no timeout
	Malformed      uint64 // messages that are none
	Unreadable     uint64 // packets of a port of DNS that hold no query and no response, such as a zone transfer
	NotAttached    uint64 // cgroups of servers that are not followed: the root, or the programs could not be attached
}
