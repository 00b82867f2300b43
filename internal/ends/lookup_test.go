package ends

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// An answer counts once the next reports have no other connection with the same tuple.
func TestAnswersAreConfirmed(t *testing.T) {
	o := service(false)
	j := newJourney(t, o)
	c := dialled(1, conn.Closed)
	j.read(c)
	j.want(c, nil)
	j.read()
	j.want(c, toBackend())
	if len(o.asked) != 2 {
		t.Errorf("asked %d times, want the pod and the node once", len(o.asked))
	}
}

func TestAnswersAreContested(t *testing.T) {
	unresolved := &conn.Route{NAT: conn.NATUnresolved}
	for name, c := range map[string]struct {
		reads [][]conn.Conn
		older *conn.Route
		newer *conn.Route
	}{
		"by one that is read after the answer": {[][]conn.Conn{
			{dialled(1, conn.Closed)}, {dialled(2, conn.Closed)}, {},
		}, unresolved, toBackend()},
		"by one that is read with it": {[][]conn.Conn{
			{dialled(1, conn.Closed), dialled(2, conn.Closed)}, {},
		}, unresolved, toBackend()},
		"by one that is open": {[][]conn.Conn{
			{dialled(2, conn.Open), dialled(1, conn.Closed)}, {},
		}, unresolved, toBackend()},
		"by one that comes when it is settled": {[][]conn.Conn{
			{dialled(1, conn.Closed)}, {}, {dialled(2, conn.Closed)}, {},
		}, toBackend(), toBackend()},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, service(false))
			for _, reports := range c.reads {
				j.read(reports...)
			}
			j.want(dialled(1, conn.Closed), c.older)
			j.want(dialled(2, conn.Closed), c.newer)
		})
	}
}

// When the other end comes, the sockets of both tell more than was answered before.
func TestOtherEndComesLater(t *testing.T) {
	o := service(true)
	j := newJourney(t, o)
	client := dialled(1, conn.Open)
	j.read(client)
	j.read()
	j.want(client, toBackend())
	server := client
	server.ID.Cookie, server.Role, server.Namespace.Inode = 7, conn.RoleServer, 3
	server.Sequence = client.Sequence.Reverse()
	server.Tuple = conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.14:15006"), Destination: client.Tuple.Source}
	o.entries[place{3, server.Tuple}] = entry{Answer: Answer{
		Result: Found, Reply: true, Tuple: conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.14:9080"), Destination: client.Tuple.Source},
	}}
	j.read(server)
	j.read()
	want := toBackend()
	want.Server = server.Tuple.Source
	j.want(client, want)
	j.want(server, want)
}

// Two ends that have each other's addresses need no lookup.
func TestMirroredEndsNeedNoLookup(t *testing.T) {
	o := &tracking{}
	j := newJourney(t, o)
	client := dialled(1, conn.Closed)
	server := client
	server.ID.Cookie, server.Role, server.Sequence, server.Tuple = 7, conn.RoleServer, client.Sequence.Reverse(), client.Tuple.Reverse()
	j.read(client, server)
	j.want(client, &conn.Route{NAT: conn.NATNone})
	j.want(server, &conn.Route{NAT: conn.NATNone})
	if len(o.asked) > 0 {
		t.Errorf("asked %v", o.asked)
	}
}

func TestTheWayOutIsNotKnown(t *testing.T) {
	o := service(true)
	o.lost = map[uint32]bool{pod: true}
	j := newJourney(t, o)
	c := dialled(1, conn.Open)
	j.read(c)
	j.read()
	j.want(c, &conn.Route{NAT: conn.NATUnresolved})
}

// A pod has another way out than the one that is followed. A missing entry on that one proves nothing, an entry does.
func TestTheWayOutIsNotCertain(t *testing.T) {
	for tracked, want := range map[bool]*conn.Route{false: {NAT: conn.NATUnresolved}, true: toBackend()} {
		o := service(tracked)
		if o.uncertain = map[uint32]bool{pod: true}; !tracked {
			clear(o.entries)
		}
		j := newJourney(t, o)
		c := dialled(1, conn.Open)
		j.read(c)
		j.read()
		j.want(c, want)
	}
}

// Two namespaces whose default routes lead to each other are asked once each.
func TestTheWayOutIsARing(t *testing.T) {
	o := service(true)
	o.outers[node] = pod
	j := newJourney(t, o)
	c := dialled(1, conn.Open)
	j.read(c)
	j.read()
	j.want(c, toBackend())
	if len(o.asked) != 2 {
		t.Errorf("asked %d times, want twice", len(o.asked))
	}
}

// More connections than may wait are asked about at once, some at a time; none is dropped. Each gets its own answer,
// also where only every third one goes through a second namespace's table.
func TestManyWait(t *testing.T) {
	o := service(false)
	backend := netip.MustParseAddrPort("10.244.2.13:9080")
	var reports []conn.Conn
	for i := range uint64(maxQueued + 10) {
		c := dialled(i+1, conn.Open)
		c.Tuple.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
		if i%3 == 0 {
			to := conn.Tuple{Source: c.Tuple.Source, Destination: backend}
			o.entries[place{node, c.Tuple}] = entry{Answer{Result: Found, Tuple: to}, false}
		}
		reports = append(reports, c)
	}
	j := newJourney(t, o)
	j.read(reports...)
	j.read()
	for i, c := range reports {
		switch r := j.View(c.Sequence, c.ID).Route; {
		case r == nil:
			t.Fatalf("%d has no route", c.ID.Cookie)
		case i%3 == 0 && (r.NAT != conn.NATDestination || r.Client != c.Tuple.Source || r.Server != backend):
			t.Fatalf("route of %d, which is translated: %+v", c.ID.Cookie, r)
		case i%3 != 0 && r.NAT != conn.NATNone:
			t.Fatalf("route of %d: %+v", c.ID.Cookie, r)
		}
	}
	if len(o.asked) != 2*len(reports) || o.most > maxAsked {
		t.Errorf("%d questions, up to %d in one call; want %d, up to %d", len(o.asked), o.most, 2*len(reports), maxAsked)
	}
}

// A refused attempt is not looked up: a flood of them is no flood of lookups. An attempt that timed out may still
// have its entry.
func TestRefusedAttemptIsNotLookedUp(t *testing.T) {
	for error, lookups := range map[conn.Error]int{conn.Refused: 0, conn.TimedOut: 1} {
		o := &tracking{}
		j := newJourney(t, o)
		c := dialled(1, conn.Failed)
		c.Sequence, c.Error = conn.Sequence{}, error
		j.read(c)
		j.read()
		j.want(c, &conn.Route{NAT: conn.NATUnresolved})
		if len(o.asked) != lookups {
			t.Errorf("%v: %d lookups, want %d", error, len(o.asked), lookups)
		}
		if waiting := j.Waiting(); waiting > 0 {
			t.Errorf("%v: %d wait", error, waiting)
		}
	}
}

// The route of an attempt is forgotten after a while.
func TestAttemptsAreForgotten(t *testing.T) {
	j := newJourney(t, &tracking{})
	c := dialled(1, conn.Failed)
	c.Sequence, c.Error = conn.Sequence{}, conn.Refused
	j.read(c)
	j.read(c)
	j.want(c, &conn.Route{NAT: conn.NATUnresolved})
	added := j.now.Add(-100 * time.Millisecond)
	j.Expire(added.Add(2*patience + time.Second))
	if len(j.attempts) != 1 {
		t.Errorf("%d attempts are kept for as long as the caller may ask, want 1", len(j.attempts))
	}
	j.Expire(added.Add(2*patience + time.Second + tick))
	if len(j.attempts) > 0 {
		t.Errorf("%d attempts stay", len(j.attempts))
	}
}

// A namespace that is not found yet is asked about again, and not for ever.
func TestTooEarly(t *testing.T) {
	for name, c := range map[string]struct {
		early int // times
		want  *conn.Route
	}{
		"once":      {1, toBackend()},
		"too often": {maxRetries + 1, &conn.Route{NAT: conn.NATUnresolved}},
	} {
		t.Run(name, func(t *testing.T) {
			o := service(true)
			o.early = c.early
			j := newJourney(t, o)
			c1 := dialled(1, conn.Open)
			j.read(c1)
			for range maxRetries + 2 {
				j.read()
			}
			j.want(c1, c.want)
		})
	}
}

// An attempt that was refused and the connection after it have one tuple: the order of their reports tells whose the
// answer is.
func TestAttemptBeforeAConnection(t *testing.T) {
	refused := dialled(1, conn.Failed)
	refused.Sequence, refused.Error = conn.Sequence{}, conn.Refused
	j := newJourney(t, service(false))
	j.read(refused, dialled(2, conn.Closed))
	j.read()
	j.want(refused, &conn.Route{NAT: conn.NATUnresolved})
	j.want(dialled(2, conn.Closed), toBackend())
}

// What waits for its namespace may end meanwhile, and its tuple be used again: then the answer is the newer one's.
func TestTooEarlyAndUsedAgain(t *testing.T) {
	o := service(true)
	j := newJourney(t, o)
	o.early = 1
	j.read(dialled(1, conn.Open))
	j.read(dialled(1, conn.Closed), dialled(2, conn.Open))
	j.read()
	j.want(dialled(1, conn.Closed), &conn.Route{NAT: conn.NATUnresolved})
	j.want(dialled(2, conn.Open), toBackend())
}

// A connection that was asked about while it was open has ended before the answer counts, and the answer is that of a
// newer one.
func TestOvertakenWhileOpen(t *testing.T) {
	j := newJourney(t, service(true)) // an entry that is open
	j.read(dialled(1, conn.Open))
	j.read(dialled(1, conn.Closed))
	j.read()
	j.want(dialled(1, conn.Closed), &conn.Route{NAT: conn.NATUnresolved})
}

// What is known of a connection is not given up for an answer that is none.
func TestUnresolvedReplacesNothing(t *testing.T) {
	o := service(true)
	j := newJourney(t, o)
	client := dialled(1, conn.Open)
	j.read(client)
	j.read()
	server := client
	server.ID.Cookie, server.Role, server.Namespace.Inode = 7, conn.RoleServer, 3
	server.Sequence = client.Sequence.Reverse()
	server.Tuple = conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.13:15006"), Destination: client.Tuple.Source}
	o.entries[place{3, server.Tuple}] = entry{Answer: Answer{Result: Unknown}}
	j.read(server)
	j.read()
	j.want(client, toBackend())
}

// A server that is behind a redirect knows less than a client with a BPF program in its connect(): what the client asked
// for is not known at either end, whichever was reported first.
func TestConnectHook(t *testing.T) {
	client := dialled(1, conn.Open)
	client.ConnectHook = true
	client.Tuple.Destination = netip.MustParseAddrPort("10.244.2.13:9080")
	server := client
	server.ID.Cookie, server.Role, server.Namespace.Inode, server.ConnectHook = 7, conn.RoleServer, 3, false
	server.Sequence = client.Sequence.Reverse()
	server.Tuple = conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.13:15006"), Destination: client.Tuple.Source}
	want := &conn.Route{Client: client.Tuple.Source, Server: server.Tuple.Source, Port: 9080}
	for name, order := range map[string][]conn.Conn{"client": {client, server}, "server": {server, client}} {
		t.Run(name+" first", func(t *testing.T) {
			o := service(true)
			o.entries[place{3, server.Tuple}] = entry{Answer: Answer{
				Result: Found, Reply: true, Tuple: conn.Tuple{Source: client.Tuple.Destination, Destination: client.Tuple.Source},
			}}
			j := newJourney(t, o)
			for _, c := range order {
				j.read(c)
				j.read()
			}
			j.want(client, want)
			j.want(server, want)
		})
	}
}

// A port scan leaves no more behind than connections may.
func TestAttemptsAreBounded(t *testing.T) {
	j := newLimitedJourney(t, &tracking{}, 10)
	for id := range uint64(100) {
		c := dialled(id+1, conn.Failed)
		c.Sequence, c.Error = conn.Sequence{}, conn.Refused
		j.read(c)
	}
	j.read()
	if len(j.attempts) != 10 || j.Stats().Routes[conn.NATUnresolved] != 100 {
		t.Errorf("%d kept, %d unresolved", len(j.attempts), j.Stats().Routes[conn.NATUnresolved])
	}
}

// A question names the socket's own namespace by its cookie too, as another one may have its inode. Of a namespace
// further out only the inode is known.
func TestQuestionNamesTheNamespace(t *testing.T) {
	o := service(true)
	j := newJourney(t, o)
	c := dialled(1, conn.Open)
	c.Namespace.Cookie, c.Process.PID = 77, 4711
	j.read(c)
	want := []Question{
		{Namespace: conn.Namespace{Inode: pod, Cookie: 77}, Process: 4711, Phase: conn.Open, Tuple: c.Tuple},
		{Namespace: conn.Namespace{Inode: node}, Process: 4711, Phase: conn.Open, Tuple: c.Tuple},
	}
	wantQuestions(t, want, o.asked)
}

// Of two ends the server's packets are followed, and only in the server's namespace.
func TestQuestionAboutAPair(t *testing.T) {
	for name, order := range map[string][]int{"client first": {0, 1}, "server first": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			client, server := ends(100)
			server.Namespace.Cookie, server.Process.PID, server.Phase = 78, 4712, conn.Closed
			o := service(true)
			j := newJourney(t, o)
			both := []conn.Conn{client, server}
			j.read(both[order[0]], both[order[1]])
			want := []Question{{Namespace: conn.Namespace{Inode: 2, Cookie: 78}, Process: 4712, Phase: conn.Closed, Tuple: server.Tuple}}
			wantQuestions(t, want, o.asked)
		})
	}
}

func wantQuestions(t *testing.T, want, got []Question) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

// A lookup that is retried does not outlive its connection: the record may be another one's by then.
func TestRetryOfADroppedConnection(t *testing.T) {
	o := service(true)
	o.early = 1
	j := newJourney(t, o)
	c := dialled(1, conn.Closed)
	j.read(c)
	j.now = j.now.Add(grace + 2*tick)
	j.Expire(j.now)
	if n := len(j.established); n != 0 {
		t.Fatalf("%d records stay", n)
	}
	j.read(dialled(2, conn.Closed)) // in the same memory
	j.read()
	j.want(c, nil)
	if len(o.asked) == 0 || o.asked[0].Tuple != c.Tuple || j.Waiting() != 0 {
		t.Errorf("asked %d times, %d wait", len(o.asked), j.Waiting())
	}
}

// A connection that has the numbers of an earlier one does not have its route.
func TestNumbersUsedAgainHaveNoRoute(t *testing.T) {
	j := newJourney(t, service(true))
	first := dialled(1, conn.Open)
	j.read(first)
	j.read()
	j.want(first, toBackend())
	second := first
	second.ID.Cookie = 999
	j.now = j.now.Add(tick)
	j.Add(&second, j.now)
	j.want(second, nil)
	j.want(first, nil)
	j.Settle(j.now)
	j.read()
	j.want(second, toBackend())
}
