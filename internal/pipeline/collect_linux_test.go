//go:build linux

package pipeline

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

// openEnds are the live ends of a machine. Each has sent and received something before every snapshot.
type openEnds []conn.Conn

// makeOpenEnds returns n ends of 20 programs to 50 ports. both: the machine has the two ends of each connection.
func makeOpenEnds(n int, both bool) openEnds {
	server := netip.AddrFrom4([4]byte{10, 97, 0, 2})
	all := make(openEnds, 0, n)
	for i := uint32(1); len(all) < n; i++ {
		c := conn.Conn{
			Socket: conn.Socket{
				ID:        conn.ID{Cookie: 2 * uint64(i), Generation: 1},
				Namespace: conn.Namespace{Inode: 1}, Role: conn.RoleClient, SeenOpening: true,
				Sequence: conn.Sequence{Local: i * 2654435761, Remote: i},
				Tuple: conn.Tuple{
					Source:      netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 97, 1, byte(i >> 15)}), uint16(1024+i&0x7fff)),
					Destination: netip.AddrPortFrom(server, uint16(9000+i%50)),
				},
			},
			Timing:  conn.Timing{Handshake: 20 * time.Microsecond, RTT: 20 * time.Microsecond, RTTVariation: 5 * time.Microsecond},
			Process: conn.Process{PID: 10 + i%20, Executable: fmt.Sprint("client-", i%20)},
		}
		all = append(all, c)
		if both {
			c.ID.Cookie++
			c.Namespace.Inode, c.Role, c.Sequence, c.Tuple, c.Handshake = 2, conn.RoleServer, c.Sequence.Reverse(), c.Tuple.Reverse(), 0
			c.Process = conn.Process{PID: 100 + i%20, Executable: fmt.Sprint("server-", i%20)}
			all = append(all, c)
		}
	}
	return all[:n]
}

func (o openEnds) sockets() (Sockets, error) {
	s := silent()
	s.Snapshot = func(_ bool, h kernel.Handler) error {
		for i := range o {
			c := &o[i]
			c.Counts[conn.Sent] += 100
			c.Counts[conn.Received] += 1000
			c.Counts[conn.SegmentsSent] += 5
			c.Counts[conn.SegmentsReceived] += 5
			h.Conn(*c)
		}
		return nil
	}
	return s, nil
}

// The cost of a collection of 100,000 ends that all have news, from decoded records to flows.
func BenchmarkCollect(b *testing.B) {
	const n = 100_000
	for name, both := range map[string]bool{"both ends": true, "one end": false} {
		b.Run(name, func(b *testing.B) {
			now := time.Unix(1_700_000_000, 0)
			p, err := Open(options(b), Machine{
				Open: makeOpenEnds(n, both).sockets, Ask: (&mill{}).ask, Join: openSources, Now: func() time.Time { return now },
				Host: func(string) (string, string, error) { return "id", "node", nil },
			})
			if err != nil {
				b.Fatal(err)
			}
			turn := func() {
				now = now.Add(10 * time.Second)
				if _, err := p.Collect(now); err != nil {
					b.Fatal(err)
				}
			}
			for range 10 { // until every identity is settled, and what the first reports took is given back
				turn()
			}
			if s := p.flows.Stats(); s.Connections != n || s.Pending != 0 {
				b.Fatalf("%d connections, %d pending", s.Connections, s.Pending)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime(b)
			for range b.N {
				turn()
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*n), "CPU-ns/end")
		})
	}
}
