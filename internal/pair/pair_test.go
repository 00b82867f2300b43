package pair

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

var start = time.Unix(1_700_000_000, 0)

// ends returns the two ends of a connection through a service: neither address of one end is an address of the other.
func ends(n uint32) (client, server conn.Conn) {
	address := netip.MustParseAddrPort
	client = conn.Conn{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: uint64(n)*2 + 1}, Namespace: conn.Namespace{Inode: 1},
			Role: conn.RoleClient, Sequence: conn.Sequence{Local: n, Remote: n + 7},
			Tuple: conn.Tuple{Source: address("10.244.1.11:37016"), Destination: address("10.96.1.3:9080")},
		},
		Owner: conn.Owner{Executable: "app"},
	}
	server = conn.Conn{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: uint64(n)*2 + 2}, Namespace: conn.Namespace{Inode: 2},
			Role: conn.RoleServer, Sequence: client.Sequence.Reverse(),
			Tuple: conn.Tuple{Source: address("10.244.2.13:15006"), Destination: address("192.0.2.1:4711")},
		},
		Owner: conn.Owner{Executable: "envoy"},
	}
	return client, server
}

func closing(c conn.Conn) conn.Conn {
	c.Phase = conn.Closed
	return c
}

func want(t *testing.T, x *Index, of conn.Conn, other *conn.Conn) {
	t.Helper()
	got, ok := x.Other(of.Sequence)
	switch {
	case ok != (other != nil):
		t.Fatalf("other end of %v: found %v, want %v", of.ID, ok, other != nil)
	case ok:
		if diff := cmp.Diff(other.End(), got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatalf("other end of %v (-want +got):\n%s", of.ID, diff)
		}
	}
}

func TestBothEndsFindEachOtherInAnyOrder(t *testing.T) {
	client, server := ends(100)
	for _, order := range [][]conn.Conn{{client, server}, {server, client}, {client, server, client}} {
		x := New()
		for _, c := range order {
			x.Add(c, start)
		}
		want(t, x, client, &server)
		want(t, x, server, &client)
	}
}

func TestAlone(t *testing.T) {
	client, server := ends(100)
	x := New()
	x.Add(client, start)
	want(t, x, client, nil)
	want(t, x, server, &client)
}

func TestSamePortsAndAddressesElsewhereAreNotMixed(t *testing.T) {
	x := New()
	client, server := ends(100)
	otherClient, otherServer := ends(200) // the same addresses in other namespaces
	for _, c := range []conn.Conn{client, otherClient, server, otherServer} {
		x.Add(c, start)
	}
	want(t, x, client, &server)
	want(t, x, otherClient, &otherServer)
}

func TestSelfConnect(t *testing.T) {
	c, _ := ends(100)
	c.Sequence.Remote = c.Sequence.Local
	x := New()
	x.Add(c, start)
	want(t, x, c, &c)
}

func TestNeverEstablished(t *testing.T) {
	c, s := ends(100)
	c.Sequence, s.Sequence, c.Phase = conn.Sequence{}, conn.Sequence{}, conn.Failed
	x := New()
	x.Add(c, start)
	want(t, x, c, nil)
	want(t, x, s, nil)
}

func TestClosedStaysForTheGrace(t *testing.T) {
	client, server := ends(100)
	x := New()
	x.Add(client, start)
	gone := closing(client)
	x.Add(gone, start)
	x.Add(client, start) // a live report that comes late
	x.Expire(start.Add(Grace))
	want(t, x, server, &gone)
	x.Expire(start.Add(Grace + 1))
	want(t, x, server, nil)
}

// When both ends have closed, nothing is asked about them any more a moment later, whichever closed first.
func TestBothClosedRest(t *testing.T) {
	for name, later := range map[string]time.Duration{
		"at once": 0, "within a second": 900 * time.Millisecond, "a while later": 2 * time.Second, "after the rest": 10 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			client, server := ends(100)
			x := New()
			x.Add(client, start)
			x.Add(server, start)
			client, server = closing(client), closing(server)
			x.Add(client, start)
			for at := time.Duration(0); at < later; at += 100 * time.Millisecond {
				x.Expire(start.Add(at))
			}
			x.Add(server, start.Add(later))
			x.Expire(start.Add(later + 2*time.Second))
			want(t, x, server, &client)
			want(t, x, client, &server)
			x.Expire(start.Add(later + Rest + 1))
			if len(x.ends)+x.closed.len() > 0 {
				t.Errorf("%d ends and %d closed ones stay", len(x.ends), x.closed.len())
			}
		})
	}
}

func TestDone(t *testing.T) {
	client, server := ends(100)
	x := New()
	x.Add(client, start)
	x.Done(client.Sequence, client.ID) // it lives
	client, server = closing(client), closing(server)
	x.Add(client, start)
	x.Add(server, start)
	x.Done(server.Sequence, server.ID)
	x.Done(server.Sequence, server.ID)
	x.Done(client.Sequence, conn.ID{Cookie: 999})
	x.Expire(start)
	want(t, x, server, &client)
	want(t, x, client, &server)
	x.Done(client.Sequence, client.ID)
	want(t, x, client, &server)
	x.Expire(start)
	want(t, x, server, nil)
	want(t, x, client, nil)
	x.Expire(start.Add(Rest + 1))
	if n := len(x.ends) + x.closed.len() + x.alone.len() + len(x.done); n != 0 {
		t.Errorf("%d things are kept", n)
	}
}

func TestSequenceUsedAgainOutlivesTheFirst(t *testing.T) {
	client, server := ends(100)
	x := New()
	x.Add(closing(client), start)
	again := client
	again.ID.Cookie = 999
	x.Add(again, start.Add(time.Second))
	x.Expire(start.Add(Grace + 1))
	want(t, x, server, &again)
}

func TestSilentEndIsForgotten(t *testing.T) {
	client, server := ends(100)
	x := New()
	x.Add(client, start)
	x.Add(server, start.Add(Silence))
	x.Expire(start.Add(Silence))
	want(t, x, server, &client)
	x.Expire(start.Add(2 * Silence))
	want(t, x, server, nil)
	want(t, x, client, &server)
}

func TestLimit(t *testing.T) {
	x := New()
	x.Limit = 2
	client, server := ends(100)
	other, otherServer := ends(200)
	for _, c := range []conn.Conn{client, server, other, otherServer} {
		x.Add(c, start)
	}
	gone := closing(client)
	x.Add(gone, start) // no other end more, but news of one
	want(t, x, client, &server)
	want(t, x, server, &gone)
	want(t, x, other, nil)
	want(t, x, otherServer, nil)

	x.Expire(start.Add(Grace + 1))
	x.Add(other, start.Add(Grace+1))
	x.Add(otherServer, start.Add(Grace+1))
	want(t, x, otherServer, &other)
	want(t, x, other, nil)
	if x.Refused != 3 {
		t.Errorf("%d reports were refused, want 3", x.Refused)
	}
}

// Whatever the order and the repetitions, an end never finds anything but its own other end, and nothing stays for ever.
func FuzzPairs(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		random, x, now := rand.New(rand.NewPCG(a, b)), New(), start
		x.Limit = int(a % 16)
		for range 200 {
			client, server := ends(uint32(random.IntN(20)) * 1000)
			if random.IntN(4) == 0 {
				client, server = closing(client), closing(server)
			}
			x.Add(client, now)
			if random.IntN(2) == 0 {
				x.Add(server, now)
			}
			if other, ok := x.Other(client.Sequence); ok && other.ID != server.ID {
				t.Fatalf("%v is paired with %v", client.ID, other.ID)
			}
			if x.Limit > 0 && len(x.ends) > x.Limit {
				t.Fatalf("%d ends, limit %d", len(x.ends), x.Limit)
			}
			now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			x.Expire(now)
		}
		x.Expire(now.Add(2 * Silence))
		x.Expire(now.Add(4 * Silence))
		if len(x.ends)+x.closed.len()+x.alone.len() > 0 {
			t.Fatalf("%d ends, %d closed and %d lone ones stay", len(x.ends), x.closed.len(), x.alone.len())
		}
	})
}

func BenchmarkAddAndOther(b *testing.B) {
	x := New()
	b.ReportAllocs()
	for i := range b.N {
		client, server := ends(uint32(i) * 8)
		x.Add(closing(client), start)
		x.Add(closing(server), start)
		if _, ok := x.Other(client.Sequence); !ok {
			b.Fatal("not paired")
		}
		if i%1000 == 0 {
			x.Expire(start.Add(2 * Grace))
		}
	}
}
