package flow

import "github.com/netconn/netconn/internal/conn"

// packed holds the totals of a connection in as many bits as the kernel has: a third less than conn.Counts.
type packed struct {
	wide   [conn.WideCounters]uint64
	narrow [conn.Counters - conn.WideCounters]uint32
}

func pack(c conn.Counts) (p packed) {
	copy(p.wide[:], c[:])
	for i, n := range c[conn.WideCounters:] {
		p.narrow[i] = uint32(n)
	}
	return p
}

func (p *packed) unpack() (c conn.Counts) {
	copy(c[:], p.wide[:])
	for i, n := range p.narrow {
		c[int(conn.WideCounters)+i] = uint64(n)
	}
	return c
}
