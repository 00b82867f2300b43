package pipeline

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/memory"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/udp"
)

// A Machine is how a pipeline reaches what it reads. It is the only seam: tests have one of their own.
type Machine struct {
	Open func() (Sockets, error)
	Ask  func(root string, now time.Time) (Tables, error)
	Host func(root string) (id, name string, err error)
	Join func(o Options, now func() time.Time) (s Sources, missing []error)
	// Resolve follows DNS exchanges; nil: it does not.
	Resolve func(dns.Options) (Exchanges, error)
	// Datagrams opens what counts UDP; nil: it is not counted.
	Datagrams func(root string, all bool) (Datagrams, error)
	// Drops opens what counts dropped packets; nil: they are not counted.
	Drops func() (Drops, error)
	Now   func() time.Time
	// Memory returns the limits of this process's memory; nil: there are none.
	Memory func() memory.Limits
}

// Host is the machine-id and the name of the host; empty: not known.
type Host struct{ ID, Name string }

// capacity returns how many connections fit, or what was configured.
func (m Machine) capacity(configured int) Capacity {
	var l memory.Limits
	if m.Memory != nil {
		l = m.Memory()
	}
	return capacityOf(l, configured, flow.Defaults().MaxConnections)
}

// Sockets are the methods of kernel.Sockets; all but Close are called by one goroutine at a time.
type Sockets struct {
	Adopt    func(context.Context) error // beside any other but Close; nil: everything was adopted by Open
	Limit    func(sockets int) error     // bounds the sockets with state; nil: there is no bound
	Drain    func(kernel.Handler) error
	Snapshot func(all bool, h kernel.Handler) error
	Complete func() bool // a Snapshot of all has every live connection; nil: it has
	Losses   func() (conn.Losses, error)
	Stats    func() (kernel.Stats, error)
	Close    func() error
	// Rings are file descriptors, one of which is readable when Drain has something to read; none: not known.
	Rings []int
}

// Datagrams are the methods of udp.Sockets, with the same rule. The zero value: UDP is not counted.
type Datagrams struct {
	Drain    func(now time.Time, h udp.Handler) error
	Snapshot func(all bool, now time.Time, h udp.Handler) error
	Stats    func() (udp.Stats, error)
	Close    func() error
	Rings    []int // as those of Sockets
}

// errIncomplete says what a snapshot lacks where it visits open files.
var errIncomplete = errors.New("the kernel forbids programs that iterate over maps: connections without an open file " +
	"(not accepted yet, closed and still sending, or the kernel's own) are reported when they end")

func (s Sockets) complete() bool { return s.Complete == nil || s.Complete() }

func (s Sockets) limit(n int) error {
	if s.Limit == nil || n == 0 {
		return nil
	}
	return s.Limit(n)
}

// Tables are the methods of conntrack.Tables, with the same rule. The zero value: connection tracking cannot be asked.
type Tables struct {
	Ask      func(now time.Time, questions []conntrack.Lookup) []conntrack.Answer
	Local    func(now time.Time, namespace uint32, a netip.Addr) (bool, error)
	Outer    func(now time.Time, namespace uint32, packet conn.Tuple) (outer uint32, certain bool, err error)
	Warnings func() []string
	Stats    func() conntrack.Stats
	Close    func() error
}

// health returns the counters of connection tracking; none where it cannot be asked.
func (t Tables) health() conntrack.Stats {
	if t.Stats == nil {
		return conntrack.Stats{}
	}
	return t.Stats()
}

// warnings name what is known later than it could be.
func (t Tables) warnings() []string {
	if t.Warnings == nil {
		return nil
	}
	return t.Warnings()
}

func (t Tables) close() error {
	if t.Close == nil {
		return nil
	}
	return t.Close()
}

// ThisMachine is the one that the process runs on.
func ThisMachine() Machine {
	return Machine{Open: openSockets, Ask: openTables, Host: owner.Host, Join: openSources, Now: time.Now,
		Memory: memory.Read, Resolve: openExchanges, Datagrams: openDatagrams, Drops: openDrops}
}

// Exchanges are the methods of dns.Reader, with the same rule as Sockets. The zero value: DNS is not followed.
type Exchanges struct {
	Drain func(now time.Time, h dns.Handler) error
	Stats func() (dns.Stats, error)
	Close func() error
	Rings []int // as those of Sockets
}

func openExchanges(o dns.Options) (Exchanges, error) {
	r, err := dns.Open(o)
	if err != nil {
		return Exchanges{}, err
	}
	return Exchanges{Drain: r.Drain, Stats: r.Stats, Close: r.Close, Rings: r.Rings()}, nil
}

func openSockets() (Sockets, error) {
	s, err := kernel.Open(kernel.Options{AdoptLater: true})
	if err != nil {
		return Sockets{}, err
	}
	return Sockets{
		Adopt: s.Adopt, Limit: s.Limit, Drain: s.Drain, Snapshot: s.Snapshot, Complete: s.Complete,
		Losses: s.Losses, Stats: s.Stats, Close: s.Close, Rings: s.Rings(),
	}, nil
}

func openDatagrams(root string, all bool) (Datagrams, error) {
	s, err := udp.Open(udp.Options{Root: root, All: all})
	if err != nil {
		return Datagrams{}, err
	}
	return Datagrams{Drain: s.Drain, Snapshot: s.Snapshot, Stats: s.Stats, Close: s.Close, Rings: s.Rings()}, nil
}

func openTables(root string, now time.Time) (Tables, error) {
	t, err := conntrack.Open(root, now)
	if err != nil {
		return Tables{}, err
	}
	return Tables{
		Ask: t.LookUp, Local: t.Local, Outer: t.Outer, Warnings: t.Warnings, Stats: t.Stats, Close: t.Close,
	}, nil
}
