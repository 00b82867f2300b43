package ends

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
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

func newIndex() *Index {
	return New(Config{Patience: patience}, start)
}

func add(x *Index, c conn.Conn, now time.Time) { x.Add(&c, now) }

func want(t *testing.T, x *Index, of conn.Conn, other *conn.Conn) {
	t.Helper()
	v := x.View(of.Sequence, of.ID)
	switch {
	case v.Found != (other != nil):
		t.Fatalf("other end of %v: found %v, want %v", of.ID, v.Found, other != nil)
	case v.Found:
		if diff := cmp.Diff(other.End(), v.Other, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatalf("other end of %v (-want +got):\n%s", of.ID, diff)
		}
	}
}

func TestBothEndsFindEachOtherInAnyOrder(t *testing.T) {
	client, server := ends(100)
	for _, order := range [][]conn.Conn{{client, server}, {server, client}, {client, server, client}} {
		x := newIndex()
		for _, c := range order {
			add(x, c, start)
		}
		want(t, x, client, &server)
		want(t, x, server, &client)
	}
}

// A name stays with its connection, and with no later one.
func TestNameOfTheOtherEnd(t *testing.T) {
	client, _ := ends(100)
	failed := client
	failed.Sequence, failed.Phase, failed.ID.Cookie = conn.Sequence{}, conn.Failed, 900
	for name, c := range map[string]conn.Conn{"established": client, "failed": failed} {
		t.Run(name, func(t *testing.T) {
			x := newIndex()
			x.Name(c.Sequence, c.ID, "too.early.example")
			add(x, c, start)
			x.Name(c.Sequence, c.ID, "a.example")
			other := c.ID
			other.Generation++
			x.Name(c.Sequence, other, "of.another.example")
			add(x, closing(c), start)
			if got := x.View(c.Sequence, c.ID).Name; got != "a.example" {
				t.Errorf("the name is %q", got)
			}
			x.Expire(start.Add(time.Hour))
			if got := x.View(c.Sequence, c.ID).Name; got != "" || len(x.names) != 0 {
				t.Errorf("after its end: %q, and %d names are kept", got, len(x.names))
			}
		})
	}
	x := newIndex()
	add(x, client, start)
	x.Name(client.Sequence, client.ID, "a.example")
	client.ID.Cookie = 901 // the numbers are another connection's now
	add(x, client, start)
	if got := x.View(client.Sequence, client.ID).Name; got != "" {
		t.Errorf("another connection has the name %q", got)
	}
}

func TestUnpaired(t *testing.T) {
	client, server := ends(100)
	x := newIndex()
	add(x, client, start)
	want(t, x, client, nil)
	want(t, x, server, &client)
}

func TestSamePortsAndAddressesElsewhereAreNotMixed(t *testing.T) {
	x := newIndex()
	client, server := ends(100)
	otherClient, otherServer := ends(200) // the same addresses in other namespaces
	for _, c := range []conn.Conn{client, otherClient, server, otherServer} {
		add(x, c, start)
	}
	want(t, x, client, &server)
	want(t, x, otherClient, &otherServer)
}

func TestSelfConnect(t *testing.T) {
	c, _ := ends(100)
	c.Sequence.Remote = c.Sequence.Local
	x := newIndex()
	add(x, c, start)
	want(t, x, c, &c)
}

func TestNeverEstablished(t *testing.T) {
	c, s := ends(100)
	c.Sequence, s.Sequence, c.Phase = conn.Sequence{}, conn.Sequence{}, conn.Failed
	x := newIndex()
	add(x, c, start)
	want(t, x, c, nil)
	want(t, x, s, nil)
}

func TestClosedStaysForTheGrace(t *testing.T) {
	client, server := ends(100)
	x := newIndex()
	add(x, client, start)
	gone := closing(client)
	add(x, gone, start)
	add(x, client, start) // a live report that comes late
	x.Expire(start.Add(grace))
	want(t, x, server, &gone)
	x.Expire(start.Add(grace + tick))
	want(t, x, server, nil)
}

// A record that is used again has nothing of the connection before.
func TestDroppedRecordsAreEmpty(t *testing.T) {
	client, server := ends(100)
	x := newIndex()
	for _, c := range []conn.Conn{client, server, closing(client), closing(server)} {
		add(x, c, start)
	}
	x.Expire(start.Add(time.Hour))
	if len(x.spare) != 2 {
		t.Fatalf("%d records to be used again", len(x.spare))
	}
	for _, r := range x.spare {
		if !reflect.ValueOf(*r).IsZero() {
			t.Errorf("a dropped record: %+v", *r)
		}
	}
}

// When both ends have closed, nothing is asked about them any more a moment later, whichever closed first.
func TestBothClosedRest(t *testing.T) {
	for name, later := range map[string]time.Duration{
		"at once": 0, "within a second": 900 * time.Millisecond, "a while later": 2 * time.Second, "after the rest": 10 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			client, server := ends(100)
			x := newIndex()
			add(x, client, start)
			add(x, server, start)
			client, server = closing(client), closing(server)
			add(x, client, start)
			for at := time.Duration(0); at < later; at += 100 * time.Millisecond {
				x.Expire(start.Add(at))
			}
			add(x, server, start.Add(later))
			x.Expire(start.Add(later + 2*time.Second))
			want(t, x, server, &client)
			want(t, x, client, &server)
			x.Expire(start.Add(later + x.rest() + tick))
			if n := len(x.established); n > 0 {
				t.Errorf("%d ends stay", n)
			}
			x.Expire(start.Add(later + grace + tick))
			if n := kept(x); n > 0 {
				t.Errorf("%d things stay", n)
			}
		})
	}
}

func TestDone(t *testing.T) {
	client, server := ends(100)
	x := newIndex()
	add(x, client, start)
	x.Done(client.Sequence, client.ID) // it lives
	client, server = closing(client), closing(server)
	add(x, client, start)
	add(x, server, start)
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
	x.Expire(start.Add(x.rest() + tick))
	if n := kept(x); n != 0 {
		t.Errorf("%d things are kept", n)
	}
}

// A settled attempt is not asked about again, so it is not kept. A flood of attempts takes no room here.
func TestAttemptsDone(t *testing.T) {
	x := newIndex()
	attempt := conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: 7}, Phase: conn.Failed, Error: conn.Refused}}
	x.Add(&attempt, start)
	x.Expire(start)
	if len(x.attempts) != 1 {
		t.Fatal("an attempt that is asked about is not kept")
	}
	x.Done(conn.Sequence{}, conn.ID{Cookie: 8})
	x.Done(conn.Sequence{}, attempt.ID)
	x.Expire(start)
	if n := len(x.attempts); n != 0 {
		t.Errorf("%d attempts are kept", n)
	}
	unanswered := attempt
	unanswered.Error = conn.Cancelled
	x.Add(&unanswered, start)
	x.Done(conn.Sequence{}, unanswered.ID)
	if x.Expire(start); len(x.attempts) != 1 {
		t.Error("an attempt whose route is not known is not kept")
	}
}

func TestSequenceUsedAgainOutlivesTheFirst(t *testing.T) {
	client, server := ends(100)
	x := newIndex()
	add(x, closing(client), start)
	again := client
	again.ID.Cookie = 999
	add(x, again, start.Add(time.Second))
	x.Expire(start.Add(grace + tick))
	want(t, x, server, &again)
}

func TestSilentEndIsForgotten(t *testing.T) {
	client, server := ends(100)
	x := newIndex()
	add(x, client, start)
	add(x, server, start.Add(silence))
	x.Expire(start.Add(silence))
	want(t, x, server, &client)
	x.Expire(start.Add(2 * silence))
	want(t, x, server, nil)
	want(t, x, client, &server)
}

func TestLimit(t *testing.T) {
	x := New(Config{Limit: 2, Patience: patience}, start)
	client, server := ends(100)
	other, otherServer := ends(200)
	for _, c := range []conn.Conn{client, server, other, otherServer} {
		add(x, c, start)
	}
	gone := closing(client)
	add(x, gone, start) // no other end more, but news of one
	want(t, x, client, &server)
	want(t, x, server, &gone)
	want(t, x, other, nil)
	want(t, x, otherServer, nil)

	x.Expire(start.Add(grace + tick))
	add(x, other, start.Add(grace+tick))
	add(x, otherServer, start.Add(grace+tick))
	want(t, x, otherServer, &other)
	want(t, x, other, nil)
	if x.stats.Refused != 3 {
		t.Errorf("%d reports were refused, want 3", x.stats.Refused)
	}
}

// kept counts the records, and the places where expired ones may still be.
func kept(x *Index) int {
	n := len(x.established) + len(x.attempts)
	for _, slot := range x.due.slots {
		n += len(slot)
	}
	return n
}

// Whatever the order and the repetitions, an end never finds anything but its own other end, and nothing stays for
// ever.
func FuzzPairs(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		random, now := rand.New(rand.NewPCG(a, b)), start
		limit := int(a % 16)
		x := New(Config{Limit: limit, Patience: patience}, start)
		for range 200 {
			client, server := ends(uint32(random.IntN(20)) * 1000)
			if random.IntN(4) == 0 {
				client, server = closing(client), closing(server)
			}
			add(x, client, now)
			if random.IntN(2) == 0 {
				add(x, server, now)
			}
			if v := x.View(client.Sequence, client.ID); v.Found && v.Other.ID != server.ID {
				t.Fatalf("%v is paired with %v", client.ID, v.Other.ID)
			}
			if limit > 0 && len(x.established) > limit {
				t.Fatalf("%d ends, limit %d", len(x.established), limit)
			}
			now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			x.Expire(now)
		}
		x.Expire(now.Add(2 * silence))
		x.Expire(now.Add(4 * silence))
		if n := kept(x); n > 0 {
			t.Fatalf("%d things stay", n)
		}
	})
}

func BenchmarkAddAndOther(b *testing.B) {
	x := newIndex()
	b.ReportAllocs()
	for i := range b.N {
		client, server := ends(uint32(i) * 8)
		add(x, closing(client), start)
		add(x, closing(server), start)
		if !x.View(client.Sequence, client.ID).Found {
			b.Fatal("not paired")
		}
		if i%1000 == 0 {
			x.Expire(start.Add(2 * grace))
		}
	}
}

// BenchmarkHeap measures what an open connection with both ends here keeps, an end.
func BenchmarkHeap(b *testing.B) {
	const connections = 100_000
	for range b.N {
		before := liveHeap()
		x := newIndex()
		for i := range uint32(connections) {
			client, server := ends(i * 8)
			add(x, client, start)
			add(x, server, start)
		}
		x.Settle(start)
		x.Settle(start) // no answer is waited for any more
		b.ReportMetric(float64(liveHeap()-before)/(2*connections), "B/end")
		runtime.KeepAlive(x)
	}
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
