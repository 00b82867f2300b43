package pipeline

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/udp"
)

// counting is a scripted machine that counts UDP too.
type counting struct {
	scripted
	exchanges []conn.Conn // of each snapshot
	ended     []conn.Conn // of the next drain
	stats     udp.Stats
	all       bool
	dns       DNSMode // "": off
	err       error
}

func (s *counting) open(t *testing.T, mode UDP) *Pipeline {
	t.Helper()
	s.now, s.scripted.stats.Tracked = at(1000), 1
	o, m := options(t), s.machine()
	o.DNS, o.PeerDomains = s.dns, 100
	o.UDP, o.Mask = mode, func(k flow.Key) flow.Key { return k }
	m.Datagrams = func(_ string, all bool) (Datagrams, error) {
		s.all = all
		return Datagrams{
			Drain: func(_ time.Time, h udp.Handler) error {
				for _, c := range s.ended {
					h(c)
				}
				s.ended = nil
				return nil
			},
			Snapshot: func(_ bool, _ time.Time, h udp.Handler) error {
				for _, c := range s.exchanges {
					h(c)
				}
				return nil
			},
			Stats: func() (udp.Stats, error) { return s.stats, nil },
			Close: s.closing("datagrams"),
		}, s.err
	}
	p, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// exchange is a report of a UDP socket with one peer; no remote: the rest of a socket.
func exchange(cookie uint64, r conn.Role, local, remote string) conn.Conn {
	c := conn.Conn{Socket: conn.Socket{
		ID: conn.ID{Cookie: cookie, Generation: 1}, Namespace: conn.Namespace{Inode: 1}, Protocol: conn.UDP, Role: r,
		Tuple:     conn.Tuple{Source: netip.MustParseAddrPort(local)},
		Datagrams: &conn.Datagrams{},
	}}
	if remote != "" {
		c.Tuple.Destination = netip.MustParseAddrPort(remote)
	}
	c.Opened = at(1000)
	c.Counts[conn.Sent], c.Counts[conn.SegmentsSent] = 100, 1
	return c
}

// collect returns the flows of UDP.
func (s *counting) collect(t *testing.T, p *Pipeline) (all []*flow.Flow) {
	t.Helper()
	s.now = s.now.Add(10 * time.Second)
	rs, err := p.Collect(s.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		for _, f := range r.Flows {
			if f.Key.UDP || f.Overflow {
				all = append(all, f)
			}
		}
	}
	return all
}

func actual(c conn.Conn, to string) conn.Conn {
	c.Datagrams.Actual = netip.MustParseAddrPort(to)
	return c
}

func hooked(c conn.Conn) conn.Conn { c.ConnectHook = true; return c }

func inNamespace(n uint32, c conn.Conn) conn.Conn { c.Namespace.Inode = n; return c }

// The peer of an exchange without an end here, and what is known of the way.
func TestDatagramsToElsewhere(t *testing.T) {
	type way struct {
		NAT      conn.NAT
		Port     uint16
		Original uint16
		Server   string
	}
	for name, tt := range map[string]struct {
		c    conn.Conn
		want way
	}{
		"leaves the machine":    {exchange(1, conn.RoleClient, "10.0.0.1:40000", "192.0.2.1:443"), way{conn.NATNone, 443, 0, "192.0.2.1"}},
		"through another netns": {inNamespace(2, exchange(1, conn.RoleClient, "10.0.0.1:40000", "192.0.2.1:443")), way{conn.NATUnresolved, 443, 0, "192.0.2.1"}},
		"DNAT of its own": {
			actual(exchange(1, conn.RoleClient, "10.0.0.1:40000", "10.96.0.1:53"), "192.0.2.1:5353"),
			way{conn.NATDestination, 5353, 53, "192.0.2.1"},
		},
		"DNAT of its own, and another netns": {
			inNamespace(2, actual(exchange(1, conn.RoleClient, "10.0.0.1:40000", "10.96.0.1:53"), "192.0.2.1:5353")),
			way{conn.NATUnresolved, 5353, 53, "192.0.2.1"},
		},
		"a redirect to a port without a socket": {
			inNamespace(2, actual(exchange(1, conn.RoleClient, "10.0.0.1:40000", "10.96.0.1:53"), "127.0.0.1:15053")),
			way{conn.NATRedirect, 15053, 53, "127.0.0.1"},
		},
		"a program in connect()": {
			hooked(exchange(1, conn.RoleClient, "10.0.0.1:40000", "192.0.2.1:443")), way{conn.NATUnresolved, 443, 0, "192.0.2.1"},
		},
		"a server": {exchange(1, conn.RoleServer, "10.0.0.1:53", "192.0.2.1:40000"), way{conn.NATUnresolved, 53, 0, "10.0.0.1"}},
		"unknown":  {exchange(1, conn.RoleUnknown, "10.0.0.1:53", "192.0.2.1:53"), way{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := counting{exchanges: []conn.Conn{tt.c}}
			s.outer = map[uint32]uint32{2: 1}
			all := s.collect(t, s.open(t, UDPUsed))
			if len(all) != 1 {
				t.Fatalf("%d flows", len(all))
			}
			k := all[0].Key
			got := way{k.NAT, k.ServerPort, k.Original.Port, ""}
			if k.Server.IsValid() {
				got.Server = k.Server.String()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || all[0].Counts[conn.Sent] != 100 {
				t.Errorf("(-want +got):\n%s%v", diff, all[0].Counts)
			}
		})
	}
}

// Both ends of an exchange are here, so each is the other's peer.
func TestDatagramsBetweenEnds(t *testing.T) {
	s := counting{exchanges: []conn.Conn{
		exchange(1, conn.RoleClient, "10.0.0.1:40000", "10.0.0.2:53"),
		inNamespace(2, exchange(2, conn.RoleServer, "10.0.0.2:53", "10.0.0.1:40000")),
	}}
	for i := range s.exchanges {
		s.exchanges[i].Process = conn.Process{PID: uint32(i + 1), Executable: "app"}
	}
	all := s.collect(t, s.open(t, UDPAll))
	if len(all) != 2 {
		t.Errorf("%d flows", len(all))
	}
	for _, f := range all {
		if f.Key.NAT != conn.NATNone || f.Key.ServerPort != 53 || f.Key.Server.String() != "10.0.0.2" || f.Active != 1 {
			t.Errorf("%+v", f.Key)
		}
	}
	if !s.all {
		t.Error("udp: all counts only what is used")
	}
}

// A client has ended before the first snapshot has its server. The server is read at once, and is its peer.
func TestDatagramsOfAMoment(t *testing.T) {
	s := counting{exchanges: []conn.Conn{inNamespace(2, exchange(2, conn.RoleServer, "10.0.0.2:53", "10.0.0.1:40000"))}}
	s.exchanges[0].Process = conn.Process{PID: 2, Executable: "resolver"}
	p := s.open(t, UDPUsed)
	ended := exchange(1, conn.RoleClient, "10.0.0.1:40000", "10.0.0.2:53")
	ended.Phase = conn.Closed
	s.ended = []conn.Conn{ended}
	for range 3 {
		s.pass(t, p, 100*time.Millisecond)
	}
	all := s.collect(t, p)
	if len(all) != 2 || all[0].Key.NAT != conn.NATNone || all[0].Key.Peer[names.PeerName] != "resolver" {
		t.Errorf("%d flows: %+v", len(all), all[0].Key)
	}
}

// What a socket exchanged with peers that there was no room for is its container's overflow, and a fault.
func TestRestOfDatagrams(t *testing.T) {
	s := counting{exchanges: []conn.Conn{exchange(1, conn.RoleUnknown, "10.0.0.1:53", "")}}
	p := s.open(t, UDPUsed)
	all := s.collect(t, p)
	if len(all) != 1 || !all[0].Overflow || all[0].Counts[conn.Sent] != 100 {
		t.Fatalf("%+v", all)
	}
	if f := p.Faults(); len(f) != 1 || f[0].About != "udp_peers" {
		t.Errorf("faults: %+v", f)
	}
}

// What the kernel could not report of UDP is in the totals and in the health, and a cgroup that was refused is a fault.
func TestHealthOfDatagrams(t *testing.T) {
	s := counting{}
	p := s.open(t, UDPUsed)
	s.stats = udp.Stats{Cgroups: 3, LostSent: 5, LostReceived: 7, NotAttached: 1, Err: errors.New("refused")}
	all := s.collect(t, p)
	if len(all) != 1 || !all[0].Overflow || all[0].Counts[conn.Sent] != 5 || all[0].Counts[conn.Received] != 7 {
		t.Errorf("%+v", all)
	}
	h, err := p.Health()
	if err != nil || h.UDP.Cgroups != 3 || h.Losses[conn.LostSent] != 5 || h.Losses[conn.LostReceived] != 7 {
		t.Errorf("%+v: %v", h, err)
	}
	if f := p.Faults(); len(f) != 1 || f[0].About != "udp" || !strings.HasSuffix(f[0].Err.Error(), "refused") {
		t.Errorf("faults: %+v", f)
	}
	if err := p.Close(); err != nil || !strings.Contains(strings.Join(s.closed, " "), "datagrams") {
		t.Errorf("closed %v: %v", s.closed, err)
	}
}

// TCP needs nothing of UDP: without it the pipeline says what is missing, and off asks for nothing.
func TestWithoutDatagrams(t *testing.T) {
	s := counting{err: errors.New("no cgroups")}
	p := s.open(t, UDPUsed)
	if d := p.Degraded(); len(d) != 2 || !strings.HasPrefix(d[0].Error(), "count UDP: no cgroups") {
		t.Errorf("degraded: %v", d)
	}
	if all := s.collect(t, p); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	p = s.open(t, UDPOff)
	if d := p.Degraded(); len(d) != 1 { // the test's host has no cgroups
		t.Errorf("degraded: %v", d)
	}
	if _, err := p.Health(); err != nil {
		t.Error(err)
	}
}
