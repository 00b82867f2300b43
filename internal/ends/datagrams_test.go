package ends

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// exchange is a report of a UDP socket, in the namespace 1.
func exchange(cookie uint64, r conn.Role, local, remote string, sent, received uint32) *conn.Conn {
	c := &conn.Conn{Socket: conn.Socket{
		ID: conn.ID{Cookie: cookie, Generation: 1}, Namespace: conn.Namespace{Inode: 1}, Protocol: conn.UDP, Role: r,
		Tuple:     conn.Tuple{Source: netip.MustParseAddrPort(local), Destination: netip.MustParseAddrPort(remote)},
		Datagrams: &conn.Datagrams{SentHash: sent, ReceivedHash: received},
	}}
	c.Opened = time.Unix(1000, 0)
	return c
}

func in(netns uint32, c *conn.Conn) *conn.Conn { c.Namespace.Inode = netns; return c }

func after(d time.Duration, c *conn.Conn) *conn.Conn { c.Opened = c.Opened.Add(d); return c }

func to(actual string, c *conn.Conn) *conn.Conn {
	c.Datagrams.Actual = netip.MustParseAddrPort(actual)
	return c
}

func over(c *conn.Conn) *conn.Conn { c.Phase = conn.Closed; return c }

const asClient, asServer = conn.RoleClient, conn.RoleServer

// met is the cookie of the other end, 0 for none, and the translation.
type met struct {
	Other uint64
	NAT   conn.NAT
}

// datagramCases have the ends of one machine, and what each of them has met.
var datagramCases = map[string]struct {
	ends []*conn.Conn
	want []met
}{
	"equal tuples": {
		[]*conn.Conn{
			exchange(1, asClient, "10.0.0.1:40000", "10.0.0.2:53", 0, 0),
			in(2, exchange(2, asServer, "10.0.0.2:53", "10.0.0.1:40000", 0, 0)),
		},
		[]met{{2, conn.NATNone}, {1, conn.NATNone}},
	},
	"translated on the way, by the hash": {
		[]*conn.Conn{
			exchange(1, asClient, "10.0.0.1:40000", "10.96.0.1:53", 7, 0),
			in(2, exchange(2, asServer, "10.0.0.2:5353", "10.0.0.9:1024", 0, 7)),
		},
		[]met{{2, conn.NATUnresolved}, {1, conn.NATUnresolved}},
	},
	"translated in the client's namespace": {
		[]*conn.Conn{
			to("10.0.0.2:5353", exchange(1, asClient, "10.0.0.1:40000", "10.96.0.1:53", 0, 0)),
			in(2, exchange(2, asServer, "10.0.0.2:5353", "10.0.0.1:40000", 0, 0)),
		},
		[]met{{2, conn.NATDestination}, {1, conn.NATDestination}},
	},
	"redirected in the client's namespace": {
		[]*conn.Conn{
			to("127.0.0.1:15053", exchange(1, asClient, "10.0.0.1:40000", "10.96.0.1:53", 7, 0)),
			exchange(2, asServer, "127.0.0.1:15053", "10.0.0.1:40000", 0, 7),
		},
		[]met{{2, conn.NATRedirect}, {1, conn.NATRedirect}},
	},
	"loopback addresses of two namespaces": {
		[]*conn.Conn{
			exchange(1, asClient, "127.0.0.1:40000", "127.0.0.1:53", 0, 0),
			in(2, exchange(2, asServer, "127.0.0.1:53", "127.0.0.1:40000", 0, 0)),
		},
		[]met{{}, {}},
	},
	"two candidates of a hash": {
		[]*conn.Conn{
			exchange(1, asClient, "10.0.0.1:40000", "10.96.0.1:53", 7, 0),
			exchange(2, asClient, "10.0.0.1:40001", "10.96.0.1:53", 7, 0),
			in(2, exchange(3, asServer, "10.0.0.2:5353", "10.0.0.9:1024", 0, 7)),
		},
		[]met{{}, {}, {}},
	},
	"a hash of long ago": {
		[]*conn.Conn{
			exchange(1, asClient, "10.0.0.1:40000", "10.96.0.1:53", 7, 0),
			in(2, after(2*time.Second, exchange(2, asServer, "10.0.0.2:5353", "10.0.0.9:1024", 0, 7))),
		},
		[]met{{}, {}},
	},
	"no hash": {
		[]*conn.Conn{
			exchange(1, asClient, "10.0.0.1:40000", "10.96.0.1:53", 0, 0),
			in(2, exchange(2, asServer, "10.0.0.2:5353", "10.0.0.9:1024", 0, 0)),
		},
		[]met{{}, {}},
	},
	"a port that is used again": {
		[]*conn.Conn{
			over(exchange(1, asClient, "10.0.0.1:40000", "10.0.0.2:53", 0, 0)),
			after(time.Minute, exchange(2, asClient, "10.0.0.1:40000", "10.0.0.2:53", 0, 0)),
			in(2, exchange(3, asServer, "10.0.0.2:53", "10.0.0.1:40000", 0, 0)),
		},
		[]met{{3, conn.NATNone}, {3, conn.NATNone}, {2, conn.NATNone}},
	},
	"two receivers of a group": {
		[]*conn.Conn{
			exchange(1, asClient, "10.0.0.1:40000", "239.0.0.1:53", 0, 0),
			in(2, exchange(2, asServer, "239.0.0.1:53", "10.0.0.1:40000", 0, 0)),
			in(3, exchange(3, asServer, "239.0.0.1:53", "10.0.0.1:40000", 0, 0)),
		},
		[]met{{}, {1, conn.NATNone}, {1, conn.NATNone}},
	},
	"a program may have translated in connect()": {
		[]*conn.Conn{
			hookedExchange(exchange(1, asClient, "10.0.0.1:40000", "10.0.0.2:53", 0, 0)),
			in(2, exchange(2, asServer, "10.0.0.2:53", "10.0.0.1:40000", 0, 0)),
		},
		[]met{{2, conn.NATUnresolved}, {1, conn.NATUnresolved}},
	},
}

func TestOtherEndOfDatagrams(t *testing.T) {
	for name, tt := range datagramCases {
		t.Run(name, func(t *testing.T) {
			for _, reversed := range []bool{false, true} {
				d := NewDatagrams(Config{})
				for i := range tt.ends {
					if reversed {
						i = len(tt.ends) - 1 - i
					}
					d.Add(tt.ends[i], time.Unix(1001, 0))
				}
				var got []met
				for _, c := range tt.ends {
					v := d.View(c.ID)
					m := met{Other: v.Other.ID.Cookie}
					if v.Route != nil {
						m.NAT = v.Route.NAT
					}
					got = append(got, m)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func hookedExchange(c *conn.Conn) *conn.Conn { c.ConnectHook = true; return c }

// The route of a pair has what the client asked for.
func TestRouteOfDatagrams(t *testing.T) {
	d := NewDatagrams(Config{})
	c := to("10.0.0.2:5353", exchange(1, asClient, "10.0.0.1:40000", "10.96.0.1:53", 0, 0))
	d.Add(c, time.Unix(1001, 0))
	d.Add(in(2, exchange(2, asServer, "10.0.0.2:5353", "10.0.0.1:40000", 0, 0)), time.Unix(1001, 0))
	v := d.View(c.ID)
	want := conn.Route{
		NAT: conn.NATDestination, Client: c.Tuple.Source, Server: netip.MustParseAddrPort("10.0.0.2:5353"),
		Asked: c.Tuple.Destination, Port: 5353,
	}
	if !v.Found || !v.Settled || *v.Route != want {
		t.Errorf("%+v with %+v", v, v.Route)
	}
}

// A name stays with its exchange, with and without the other end.
func TestNameOfDatagrams(t *testing.T) {
	d := NewDatagrams(Config{Patience: patience})
	c := exchange(1, conn.RoleClient, "10.0.0.1:4000", "203.0.113.9:443", 0, 0)
	d.Name(c.ID, "too.early.example")
	d.Add(c, start)
	d.Name(c.ID, "a.example")
	d.Add(over(c), start)
	if got := d.View(c.ID).Name; got != "a.example" {
		t.Errorf("the name is %q", got)
	}
	d.Add(exchange(2, conn.RoleServer, "203.0.113.9:443", "10.0.0.1:4000", 0, 0), start)
	if v := d.View(c.ID); v.Name != "a.example" || !v.Found {
		t.Errorf("with its other end: %+v", v)
	}
	d.Expire(start.Add(time.Hour))
	if got := d.View(c.ID).Name; got != "" {
		t.Errorf("after its end: %q", got)
	}
}

// An end is found by what a later report has, and no more by what it has no longer. Nothing stays after the end.
func TestDatagramsAreForgotten(t *testing.T) {
	d := NewDatagrams(Config{Limit: 2, Patience: time.Second})
	now := time.Unix(1001, 0)
	c := exchange(1, asClient, "10.0.0.9:40000", "10.0.0.2:53", 0, 0) // the source of a masqueraded packet
	s := exchange(2, asServer, "10.0.0.2:53", "10.0.0.1:40000", 0, 0)
	d.Add(c, now)
	d.Add(s, now)
	d.Add(exchange(3, asClient, "10.0.0.3:40000", "10.0.0.2:53", 0, 0), now) // beyond the limit
	if d.View(s.ID).Found || len(d.ends) != 2 {
		t.Errorf("%d ends, and the server has %+v", len(d.ends), d.View(s.ID))
	}
	c = over(exchange(1, asClient, "10.0.0.1:40000", "10.0.0.2:53", 5, 0))
	d.Add(c, now)
	d.Add(over(s), now)
	if !d.View(s.ID).Found || !d.View(c.ID).Found {
		t.Errorf("%+v and %+v", d.View(s.ID), d.View(c.ID))
	}
	d.Expire(now.Add(grace))
	if len(d.ends) != 2 {
		t.Errorf("%d ends, want 2", len(d.ends))
	}
	d.Expire(now.Add(grace + 2*time.Second))
	if len(d.ends)+len(d.tuples)+len(d.hashes) != 0 {
		t.Errorf("%d ends, %d tuples, %d hashes stay", len(d.ends), len(d.tuples), len(d.hashes))
	}
	d.Add(&conn.Conn{Socket: conn.Socket{Datagrams: &conn.Datagrams{}}}, now)
	if len(d.ends) != 0 {
		t.Error("the rest of a socket is kept")
	}
}

// A reading ten times a second, with 10,000 exchanges that go on.
func BenchmarkExpireDatagrams(b *testing.B) {
	now := time.Unix(1000, 0)
	d := NewDatagrams(Config{Patience: 2 * time.Second})
	for i := range uint64(10_000) {
		d.Add(exchange(i+1, asClient, "10.0.0.1:1000", "10.0.0.2:53", uint32(i+1), 0), now.Add(10_000*time.Hour))
	}
	for b.Loop() {
		d.Expire(now)
		now = now.Add(100 * time.Millisecond)
	}
}
