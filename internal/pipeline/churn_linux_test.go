//go:build linux

package pipeline

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
)

// A mill makes connections that were opened and closed since the last turn, as many as it is told to.
type mill struct {
	connections int    // at each turn
	turned      bool   // since it was last drained
	lone        bool   // the other end is elsewhere
	refused     bool   // the attempts are refused
	open        bool   // the connections do not end
	served      bool   // of a lone end, that it is the server's
	events      bool   // a receiver takes the ends
	dialled     string // the address that clients ask for
	made        uint32
}

func (m *mill) sockets() (Sockets, error) {
	s := silent()
	s.Drain = m.drain
	return s, nil
}

func (m *mill) drain(h kernel.Handler) error {
	if !m.turned {
		return nil
	}
	m.turned = false
	server, asked := netip.MustParseAddrPort("10.97.0.2:9000"), netip.MustParseAddrPort(m.dialled)
	for range m.connections {
		m.made++
		c := conn.Conn{
			Socket: conn.Socket{
				ID:        conn.ID{Cookie: 2 * uint64(m.made), Generation: 1},
				Namespace: conn.Namespace{Inode: 1}, Role: conn.RoleClient, Phase: conn.Closed,
				SeenOpening: true, Sequence: conn.Sequence{Local: m.made * 2654435761, Remote: m.made},
				Tuple: conn.Tuple{
					Source:      netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 97, 0, 1}), uint16(1024+m.made%60000)),
					Destination: asked,
				},
			},
			Timing: conn.Timing{
				Handshake: 20 * time.Microsecond, Age: 100 * time.Microsecond,
				RTT: 20 * time.Microsecond,
			},
			Counts:  conn.Counts{conn.Sent: 100, conn.Received: 1000, conn.SegmentsSent: 5, conn.SegmentsReceived: 5},
			Process: conn.Process{PID: 10, Executable: "curl"},
		}
		if m.refused {
			c.Phase, c.Error, c.Sequence, c.Counts = conn.Failed, conn.Refused, conn.Sequence{}, conn.Counts{conn.SegmentsSent: 1}
		}
		if m.open {
			c.Phase = conn.Open
		}
		if !m.served {
			h.Conn(c)
		}
		if m.lone && !m.served || m.refused {
			continue
		}
		c.Tuple.Destination = server
		c.ID.Cookie++
		c.Namespace.Inode, c.Role, c.Sequence, c.Tuple, c.Handshake = 2, conn.RoleServer, c.Sequence.Reverse(), c.Tuple.Reverse(), 0
		c.Process = conn.Process{PID: 11, Executable: "nginx"}
		h.Conn(c)
	}
	return nil
}

// ask has each connection translated to where the server is, or none.
func (m *mill) ask(string, time.Time) (Tables, error) {
	var answers []conntrack.Answer
	server := netip.MustParseAddrPort("10.97.0.2:9000")
	return Tables{
		Ask: func(_ time.Time, questions []conntrack.Lookup) []conntrack.Answer {
			answers = answers[:0]
			for _, q := range questions {
				a := conntrack.Answer{Tuple: q.Tuple, State: conntrack.TimeWait}
				switch {
				case q.Tuple.Destination.Port() != server.Port(): // a client's
					a.Tuple.Destination = server
				case q.Namespace != 2:
					a = conntrack.Answer{Result: conntrack.NoEntry}
				}
				answers = append(answers, a)
			}
			return answers
		},
		Local: func(time.Time, uint32, netip.Addr) (bool, error) { return false, nil },
		Outer: func(time.Time, uint32, conn.Tuple) (uint32, bool, error) { return 0, true, nil },
	}, nil
}

// processorTime is what the process has used: on a machine with other work the time of the clock tells less.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// start returns the pipeline that the mill feeds, with the time of its machine.
func (m *mill) start(t testing.TB) (p *Pipeline, now time.Time) {
	now = time.Unix(1_700_000_000, 0)
	p, err := Open(options(t), Machine{
		Open: m.sockets, Ask: m.ask, Join: openSources, Now: func() time.Time { return now },
		Host: func(string) (string, string, error) { return "id", "node", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, now
}

// What has ended is let go of as it is read: neither time nor memory grows with what is between two collections.
func TestChurnKeepsNothing(t *testing.T) {
	m := &mill{connections: 500, dialled: "10.97.0.2:9000"}
	p, now := m.start(t)
	read := func() {
		m.turned, now = true, now.Add(DrainInterval)
		if err := p.Drain(now); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 { // until all that is used again is there
		read()
	}
	allocations := testing.AllocsPerRun(20, read)
	if limit := float64(m.connections) / 20; allocations > limit {
		t.Errorf("%v allocations for %d connections, want at most %v", allocations, m.connections, limit)
	}
	m.connections = 0
	for range 3 {
		read()
	}
	if pending := p.flows.Stats().Pending; pending != 0 {
		t.Errorf("%d connections wait", pending)
	}
	resources, err := p.read(now.Add(DrainInterval))
	if err != nil {
		t.Fatal(err)
	}
	var attempts, active uint64
	for _, r := range resources {
		for _, f := range r.Flows {
			attempts += f.Outcomes[flow.Attempts][conn.NoError]
			active += uint64(f.Active)
			if f.Key.NAT != conn.NATNone || f.Key.Peer[names.PeerType] != names.TypeHost {
				t.Errorf("flow %+v, want a host's without translation", f.Key)
			}
		}
	}
	if want := 2 * uint64(m.made); attempts != want || active != 0 || p.ends.Stats().Routes[conn.NATNone] != want {
		t.Errorf("%d attempts, %d active, %d routes; want %d, 0, %d", attempts, active, p.ends.Stats().Routes[conn.NATNone], want, want)
	}
}

// The cost of a connection that was opened and closed, from its decoded reports to its flow, at ten thousand a second:
// an operation is a reading of the ring, and each hundredth ends with a collection.
func BenchmarkChurn(b *testing.B) {
	for name, m := range map[string]*mill{
		"both ends":               {dialled: "10.97.0.2:9000"},
		"both ends, translated":   {dialled: "10.96.0.1:80"},
		"client only":             {dialled: "10.97.0.2:9000", lone: true},
		"client only, translated": {dialled: "10.96.0.1:80", lone: true},
		"server only":             {dialled: "10.97.0.2:9000", lone: true, served: true},
		"both ends, events":       {dialled: "10.97.0.2:9000", events: true},
		"client only, events":     {dialled: "10.97.0.2:9000", lone: true, events: true},
		"refused":                 {dialled: "10.97.0.2:9000", refused: true},
	} {
		b.Run(name, func(b *testing.B) {
			m.connections = 1000
			p, now := m.start(b)
			p.WantEvents(m.events)
			turn := func(i int) {
				m.turned, now = true, now.Add(DrainInterval)
				if err := p.Drain(now); err != nil {
					b.Fatal(err)
				}
				if i%100 == 99 {
					if _, err := p.Collect(now); err != nil {
						b.Fatal(err)
					}
					p.Events(now)
				}
			}
			for i := range 150 { // until as many are forgotten as there come
				turn(i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime(b)
			for i := range b.N {
				turn(i)
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*m.connections), "CPU-ns/connection")
		})
	}
}

// The cost of a reading without reports, with 20,000 open ends.
func BenchmarkIdleReading(b *testing.B) {
	m := &mill{connections: 10_000, dialled: "10.97.0.2:9000", open: true, turned: true}
	p, now := m.start(b)
	for range 3 {
		now = now.Add(Patience)
		if _, err := p.Collect(now); err != nil {
			b.Fatal(err)
		}
		if err := p.Drain(now); err != nil {
			b.Fatal(err)
		}
	}
	if n := p.flows.Stats().Connections; n != 2*m.connections {
		b.Fatalf("%d are open", n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for range b.N {
		now = now.Add(DrainInterval)
		if err := p.Drain(now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "CPU-ns/reading")
}
