package pipeline

import (
	"fmt"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/drops"
	"github.com/netconn/netconn/internal/flow"
)

// DropsMode says whether dropped packets are counted.
type DropsMode string

const (
	DropsOff DropsMode = "off"
	DropsOn  DropsMode = "on" // a program runs for each dropped packet
)

// Choices returns all values.
func (DropsMode) Choices() []string { return []string{string(DropsOff), string(DropsOn)} }

// DropStats are the counters of the reader of drops.
type DropStats = drops.Stats

// Drops are the methods of drops.Reader, with the same rule as Sockets. The zero value: drops are not counted.
type Drops struct {
	Read  func(drops.Handler) error
	Stats func() (drops.Stats, error)
	Close func() error
}

func openDrops() (Drops, error) {
	r, err := drops.Open()
	if err != nil {
		return Drops{}, err
	}
	return Drops{Read: r.Read, Stats: r.Stats, Close: r.Close}, nil
}

// dropping is what a pipeline knows of drops.
type dropping struct {
	Drops
	read time.Time // what was dropped before is counted
}

// open begins to count drops. The error says what is missing; the rest of a pipeline works without.
func (d *dropping) open(o Options, m Machine, now time.Time) error {
	if o.Drops == DropsOff || o.Drops == "" || m.Drops == nil {
		return nil
	}
	opened, err := m.Drops()
	if err != nil {
		return fmt.Errorf("count dropped packets (drops): %w", err)
	}
	d.Drops, d.read = opened, now
	return nil
}

// stats returns the counters of drops; zero: they are not counted.
func (d *dropping) stats() (drops.Stats, error) {
	if d.Stats == nil {
		return drops.Stats{}, nil
	}
	return d.Stats()
}

func (d *dropping) close() error {
	if d.Close == nil {
		return nil
	}
	return d.Close()
}

// readDrops credits the packets that were dropped since the last collection. Those without a socket are the host's.
func (p *Pipeline) readDrops(now time.Time) error {
	if p.drops.Read == nil {
		return nil
	}
	err := p.drops.Read(func(d drops.Drops) {
		k := flow.Key{Drop: d.Reason, UDP: d.Protocol == conn.UDP, Protocol: d.Protocol}
		if d.Cgroup != 0 {
			k.Owner, _ = p.believe(p.owners.Resolve(conn.Process{Cgroup: d.Cgroup}), now)
		}
		p.flows.Drop(p.mask(k), d.Packets, p.drops.read)
	})
	if err != nil {
		return fmt.Errorf("read dropped packets: %w", err)
	}
	p.drops.read = now
	return nil
}
