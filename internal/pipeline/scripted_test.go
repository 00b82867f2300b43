package pipeline

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
)

// scripted is a machine that reports what a test says, and remembers what it was asked.
type scripted struct {
	reports   []conn.Conn // of the next reading
	next      []conn.Conn // of the reading after it
	listeners []conn.Listener
	live      []conn.Conn // of each snapshot
	losses    conn.Losses
	stats     kernel.Stats
	err       error // of the next drain
	partial   bool  // a snapshot does not have every connection
	closed    []string

	exchanges []conn.Lookup            // of the next drain
	answered  map[string][]dns.Address // by question
	follow    []dns.Options            // of each reader of DNS
	dnsStats  dns.Stats
	dnsErr    error // of everything that the reader of DNS does

	translate func(conntrack.Lookup) conntrack.Answer
	lookups   []conntrack.Lookup
	outer     map[uint32]uint32

	peers     map[netip.Addr]conn.Peer
	certainty conn.Answer
	source    *oracle // that was joined; nil: none
	now       time.Time
}

func (s *scripted) machine() Machine {
	return Machine{
		Open: func() (Sockets, error) {
			return Sockets{
				Drain: func(h kernel.Handler) error {
					give(h, s.reports, s.listeners)
					s.reports, s.next, s.listeners = s.next, nil, nil
					return s.err
				},
				Snapshot: func(_ bool, h kernel.Handler) error { give(h, s.live, nil); return nil },
				Complete: func() bool { return !s.partial },
				Losses:   func() (conn.Losses, error) { return s.losses, nil },
				Stats:    func() (kernel.Stats, error) { return s.stats, nil },
				Close:    s.closing("sockets"),
			}, nil
		},
		Ask:  func(string, time.Time) (Tables, error) { return s.tables(), nil },
		Host: func(string) (string, string, error) { return "4d3c", "node-1", nil },
		Join: func(Options, func() time.Time) (Sources, []error) { return s.sources(), nil },
		Now:  func() time.Time { return s.now },
		Resolve: func(o dns.Options) (Exchanges, error) {
			s.follow = append(s.follow, o)
			return s.resolver(), s.dnsErr
		},
	}
}

func (s *scripted) resolver() Exchanges {
	return Exchanges{
		Drain: func(_ time.Time, h dns.Handler) error {
			for _, l := range s.exchanges {
				h(l, s.answered[l.Question])
			}
			s.exchanges = nil
			return s.dnsErr
		},
		Stats: func() (dns.Stats, error) { return s.dnsStats, s.dnsErr },
		Close: s.closing("DNS"),
	}
}

func (s *scripted) closing(what string) func() error {
	return func() error { s.closed = append(s.closed, what); return nil }
}

func give(h kernel.Handler, reports []conn.Conn, listeners []conn.Listener) {
	for _, c := range reports {
		h.Conn(c)
	}
	for _, l := range listeners {
		h.Listener(l)
	}
}

func (s *scripted) tables() Tables {
	return Tables{
		Ask: func(_ time.Time, lookups []conntrack.Lookup) (answers []conntrack.Answer) {
			s.lookups = append(s.lookups, lookups...)
			for _, l := range lookups {
				if s.translate == nil {
					answers = append(answers, conntrack.Answer{Result: conntrack.NoEntry})
					continue
				}
				answers = append(answers, s.translate(l))
			}
			return answers
		},
		Local: func(time.Time, uint32, netip.Addr) (bool, error) { return false, nil },
		Outer: func(_ time.Time, netns uint32, _ conn.Tuple) (uint32, bool, error) {
			return s.outer[netns], true, nil
		},
		Close: s.closing("tables"),
	}
}

func (s *scripted) sources() Sources {
	if s.peers == nil {
		return nil
	}
	s.source = &oracle{
		peers: s.peers, answer: s.certainty, zone: "zone-a", faults: []conn.Fault{{About: "pods"}},
		health: kubernetes.Health{Store: kubernetes.StoreStats{Pods: 3}},
		close:  func() { s.closed = append(s.closed, "source") },
	}
	return Sources{s.source}
}

func (s *scripted) open(t *testing.T) *Pipeline {
	t.Helper()
	s.now, s.stats.Tracked = at(1000), 1
	p, err := Open(options(t), s.machine())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pass lets time pass, and drains.
func (s *scripted) pass(t *testing.T, p *Pipeline, d time.Duration) {
	t.Helper()
	s.now = s.now.Add(d)
	if err := p.Drain(s.now); err != nil {
		t.Fatal(err)
	}
}
