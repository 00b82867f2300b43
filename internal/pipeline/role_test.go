package pipeline

import (
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
)

// restored returns both ends of a connection that no counter shows the roles of; the first one has the lower port.
func restored() (server, client conn.Conn) {
	server, client = dialled(1, conn.Open), dialled(2, conn.Open)
	server.Role, client.Role = conn.RoleUnknown, conn.RoleUnknown
	client.Tuple = conn.Tuple{
		Source:      netip.MustParseAddrPort("10.244.1.11:45300"),
		Destination: netip.MustParseAddrPort("10.244.1.12:50051"),
	}
	server.Tuple = client.Tuple.Reverse()
	client.Sequence = server.Sequence.Reverse()
	client.Namespace.Inode = 6
	return server, client
}

// listener returns a socket that listens on the local port of an end.
func listener(of conn.Conn, cookie uint64) conn.Listener {
	return conn.Listener{ID: conn.ID{Cookie: cookie}, Inode: of.Namespace.Inode, Local: of.Tuple.Source}
}

type restoredEnds struct{ server, client *conn.Conn }

// Each row gives the roles of both ends of a restored connection. The ports are the weakest evidence.
var rolesOfRestored = map[string]struct {
	change    func(restoredEnds)
	listeners func(restoredEnds) []conn.Listener
	alone     bool // the client's end is elsewhere
	server    conn.Role
	client    conn.Role
	entry     bool // connection tracking has the server's packets as replies, translated
}{
	"no evidence": {server: conn.RoleUnknown, client: conn.RoleUnknown},
	"a listener on the server's port": {
		listeners: func(e restoredEnds) []conn.Listener { return []conn.Listener{listener(*e.server, 70)} },
		server:    conn.RoleServer, client: conn.RoleClient,
	},
	"a listener, and ports that say otherwise": {
		change: func(e restoredEnds) {
			e.server.PortsRole, e.client.PortsRole = conn.RoleClient, conn.RoleServer
		},
		listeners: func(e restoredEnds) []conn.Listener { return []conn.Listener{listener(*e.server, 70)} },
		server:    conn.RoleServer, client: conn.RoleClient,
	},
	"the ports": {
		change: func(e restoredEnds) {
			e.server.PortsRole, e.client.PortsRole = conn.RoleServer, conn.RoleClient
		},
		server: conn.RoleServer, client: conn.RoleClient,
	},
	"the other end, and ports that say otherwise": {
		change: func(e restoredEnds) {
			e.client.Role, e.server.PortsRole = conn.RoleClient, conn.RoleClient
		},
		server: conn.RoleServer, client: conn.RoleClient,
	},
	"the other end is the server": {
		change: func(e restoredEnds) { e.server.Role = conn.RoleServer },
		server: conn.RoleServer, client: conn.RoleClient,
	},
	"listeners on both ports": {
		listeners: func(e restoredEnds) []conn.Listener {
			return []conn.Listener{listener(*e.server, 70), listener(*e.client, 71)}
		},
		server: conn.RoleUnknown, client: conn.RoleUnknown,
	},
	"a listener on that port of another namespace": {
		listeners: func(e restoredEnds) []conn.Listener {
			l := listener(*e.server, 70)
			l.Inode = 99
			return []conn.Listener{l}
		},
		server: conn.RoleUnknown, client: conn.RoleUnknown,
	},
	"a listener that has closed": {
		listeners: func(e restoredEnds) []conn.Listener {
			open, closed := listener(*e.server, 70), listener(*e.server, 70)
			closed.Closed = true
			return []conn.Listener{open, open, closed}
		},
		server: conn.RoleUnknown, client: conn.RoleUnknown,
	},
	"one of two listeners has closed": {
		listeners: func(e restoredEnds) []conn.Listener {
			open, another, closed := listener(*e.server, 70), listener(*e.server, 71), listener(*e.server, 70)
			closed.Closed = true
			return []conn.Listener{open, another, closed}
		},
		server: conn.RoleServer, client: conn.RoleClient,
	},
	"a translated reply": {alone: true, entry: true, server: conn.RoleServer},
}

func TestRoleOfRestored(t *testing.T) {
	for name, tt := range rolesOfRestored {
		t.Run(name, func(t *testing.T) {
			s := &scripted{}
			p := s.open(t)
			server, client := restored()
			if tt.change != nil {
				tt.change(restoredEnds{&server, &client})
			}
			if tt.listeners != nil {
				s.listeners = tt.listeners(restoredEnds{&server, &client})
			}
			if tt.entry {
				s.translate = func(l conntrack.Lookup) conntrack.Answer {
					out := l.Tuple
					out.Source = netip.MustParseAddrPort("10.96.0.7:80")
					return conntrack.Answer{Result: conntrack.Found, Tuple: out, Reply: true}
				}
			}
			s.reports = []conn.Conn{server, client}
			if tt.alone {
				s.reports = s.reports[:1]
			}
			s.pass(t, p, DrainInterval)
			s.pass(t, p, DrainInterval)
			wantRole(t, p, s, server, tt.server)
			if !tt.alone {
				wantRole(t, p, s, client, tt.client)
			}
		})
	}
}

// wantRole compares the role of an end, and what depends on it: the port of the server, and the flow's key.
func wantRole(t *testing.T, p *Pipeline, s *scripted, c conn.Conn, want conn.Role) {
	t.Helper()
	port := map[conn.Role]uint16{conn.RoleServer: c.Tuple.Source.Port(), conn.RoleClient: c.Tuple.Destination.Port()}
	known := p.resolve(c, s.now)
	if known.Role != want {
		t.Errorf("%v: %v, want %v", c.Tuple, known.Role, want)
	}
	if known.NAT == conn.NATNone && known.Port != port[want] {
		t.Errorf("%v: port %d, want %d", c.Tuple, known.Port, port[want])
	}
	if key, _ := p.identify(c, s.now); key.Role != want {
		t.Errorf("%v: the flow has %v, want %v", c.Tuple, key.Role, want)
	}
}

// An event has the role that its flow has.
func TestRoleOfAnEvent(t *testing.T) {
	s := &scripted{}
	p := s.open(t)
	p.WantEvents(true)
	p.events.config.Closed = true
	server, _ := restored()
	server.Phase, server.PortsRole = conn.Closed, conn.RoleServer
	s.reports = []conn.Conn{server}
	s.pass(t, p, DrainInterval)
	s.now = s.now.Add(2 * Patience)
	events := p.Events(s.now)
	if len(events) != 1 || events[0].Conn.Role != conn.RoleServer {
		t.Errorf("got %+v", events)
	}
}

// A program that opens listeners without end takes a bounded room, and gives it back.
func TestListeningIsBounded(t *testing.T) {
	l := newListening()
	at := func(n int) *conn.Listener {
		local := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(n))
		return &conn.Listener{ID: conn.ID{Cookie: uint64(n)}, Inode: uint32(n), Local: local}
	}
	for n := range maxListening + 100 {
		l.note(at(n))
	}
	if len(l.places) != maxListening || len(l.sockets) != maxListening {
		t.Errorf("%d listeners at %d places, want %d", len(l.places), len(l.sockets), maxListening)
	}
	for n := range maxListening + 100 {
		r := at(n)
		r.Closed = true
		l.note(r)
	}
	if len(l.places) != 0 || len(l.sockets) != 0 {
		t.Errorf("%d listeners at %d places are left", len(l.places), len(l.sockets))
	}
}
