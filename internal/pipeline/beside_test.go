package pipeline

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
)

// slow returns a machine whose connection tracking gives its first answer once the ring has been read again, with some
// reports in it.
func slow(s *scripted, meanwhile ...conn.Conn) Machine {
	asked, read := make(chan struct{}), make(chan struct{})
	var ask, reread sync.Once
	m := s.machine()
	open, tables := m.Open, m.Ask
	m.Open = func() (Sockets, error) {
		sockets, err := open()
		drain := sockets.Drain
		sockets.Drain = func(h kernel.Handler) error {
			select {
			case <-asked:
				reread.Do(func() {
					give(h, meanwhile, nil)
					close(read)
				})
			default:
			}
			return drain(h)
		}
		return sockets, err
	}
	m.Ask = func(root string, now time.Time) (Tables, error) {
		t, err := tables(root, now)
		answer := t.Ask
		t.Ask = func(now time.Time, lookups []conntrack.Lookup) []conntrack.Answer {
			ask.Do(func() { close(asked) })
			<-read
			return answer(now, lookups)
		}
		return t, err
	}
	return m
}

// The ring is read while a question takes long, and nothing of that reading is lost.
func TestTheRingIsReadWhileAQuestionTakesLong(t *testing.T) {
	for name, read := range map[string]func(*Pipeline, time.Time) error{
		"between two collections": (*Pipeline).Drain,
		"at a collection":         func(p *Pipeline, now time.Time) error { _, err := p.Collect(now); return err },
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{now: at(1000)}
			p, err := Open(options(t), slow(s, dialled(2, conn.Closed), dialled(3, conn.Closed)))
			if err != nil {
				t.Fatal(err)
			}
			s.reports = []conn.Conn{dialled(1, conn.Closed)}
			if err := p.readEnded(s.now); err != nil {
				t.Fatal(err)
			}
			if err := read(p, s.now); err != nil {
				t.Fatal(err)
			}
			s.pass(t, p, DrainInterval)
			s.now = s.now.Add(Patience)
			resources, err := p.Collect(s.now)
			if err != nil {
				t.Fatal(err)
			}
			var made uint64
			for _, r := range resources {
				for _, f := range r.Flows {
					made += f.Outcomes[flow.Attempts][conn.NoError]
				}
			}
			if made != 3 {
				t.Errorf("%d connections, want 3", made)
			}
		})
	}
}

// To ask about one end of a pair that is cut in two by the end of a reading is in vain: the other end is in the next.
func TestACutPairIsNotAskedAbout(t *testing.T) {
	client := dialled(1, conn.Closed)
	client.Tuple.Source = netip.MustParseAddrPort("10.244.1.11:50000")
	server := client
	server.ID.Cookie, server.Role = 2, conn.RoleServer
	server.Sequence, server.Tuple = client.Sequence.Reverse(), client.Tuple.Reverse()
	server.Namespace.Inode++
	for name, readings := range map[string][][]conn.Conn{
		"by the first reading of two": {{client}, {server}},
		"by the second":               {{dialled(7, conn.Closed)}, {client}, {server}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{now: at(1000)}
			m := s.machine()
			m.Open = func() (Sockets, error) {
				sockets, err := s.machine().Open()
				sockets.Drain = func(h kernel.Handler) error {
					if len(readings) > 0 {
						give(h, readings[0], nil)
						readings = readings[1:]
					}
					return nil
				}
				return sockets, err
			}
			p, err := Open(options(t), m)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				s.pass(t, p, DrainInterval)
			}
			for _, l := range s.lookups {
				if l.Tuple == client.Tuple {
					t.Error("the client was asked about")
				}
			}
			if routes := p.ends.Stats().Routes; routes[conn.NATNone] < 2 || routes[conn.NATUnresolved] > 0 {
				t.Errorf("routes %v, want two without translation", routes)
			}
		})
	}
}
