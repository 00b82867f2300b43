package netconnreceiver

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/owner"
)

// A machine is how the receiver reaches what it reads. It is the only seam: tests have one of their own.
type machine struct {
	open func() (sockets, error)
	ask  func(root string, now time.Time) (tables, error)
	host func(root string) (id, name string, err error)
	join func(c *Config, now func() time.Time) (cluster, error)
	now  func() time.Time
}

// sockets are the methods of kernel.Sockets; all but close are called by one goroutine at a time.
type sockets struct {
	drain    func(kernel.Handler) error
	snapshot func(all bool, h kernel.Handler) error
	losses   func() (conn.Losses, error)
	stats    func() (kernel.Stats, error)
	close    func() error
}

// tables are the methods of conntrack.Tables, with the same rule. The zero value: connection tracking cannot be asked.
type tables struct {
	ask      func(now time.Time, questions []conntrack.Question) []conntrack.Answer
	local    func(now time.Time, namespace uint32, a netip.Addr) (bool, error)
	outer    func(now time.Time, namespace uint32, to netip.Addr) (uint32, error)
	warnings func() []string
	stats    func() conntrack.Stats
	close    func() error
}

// cluster are the methods of kubernetes.Cluster. The zero value: there is none, or none to be asked.
type cluster struct {
	container func(id string) (conn.Peer, kubernetes.Answer)
	pod       func(uid string) (conn.Peer, kubernetes.Answer)
	address   func(kubernetes.Question) (conn.Peer, kubernetes.Answer)
	service   func(netip.AddrPort) string
	here      func() (zone, region string)
	synced    func() bool
	faults    func() []kubernetes.Fault
	health    func() kubernetes.Health
	close     func()
}

// there tells whether there is one.
func (k cluster) there() bool { return k.close != nil }

// counters returns how the watches are; none where there is no cluster.
func (k cluster) counters() kubernetes.Health {
	if !k.there() {
		return kubernetes.Health{}
	}
	return k.health()
}

// health returns the counters of connection tracking; none where it cannot be asked.
func (t tables) health() conntrack.Stats {
	if t.stats == nil {
		return conntrack.Stats{}
	}
	return t.stats()
}

// thisMachine is the one that the collector runs on.
func thisMachine() machine {
	return machine{open: openSockets, ask: openTables, host: owner.Host, join: joinCluster, now: time.Now}
}

func openSockets() (sockets, error) {
	s, err := kernel.Open(kernel.Options{})
	if err != nil {
		return sockets{}, err
	}
	return sockets{drain: s.Drain, snapshot: s.Snapshot, losses: s.Losses, stats: s.Stats, close: s.Close}, nil
}

func openTables(root string, now time.Time) (tables, error) {
	t, err := conntrack.Open(conntrack.Options{Root: root}, now)
	if err != nil {
		return tables{}, err
	}
	return tables{ask: t.Ask, local: t.Local, outer: t.Outer, warnings: t.Warnings, stats: t.Stats, close: t.Close}, nil
}
