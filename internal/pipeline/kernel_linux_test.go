package pipeline

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/testnet"
)

const bytesEach = 17

// A lab is a pipeline on the real kernel that sees only one namespace, with a witness that sees the whole machine.
type lab struct {
	*Pipeline
	t        *testing.T
	now      time.Time // of the next collection; they are three seconds apart, so that nothing waits for its other end
	net      *testnet.Namespace
	listener *net.TCPListener
	witness  *kernel.Sockets
	foreign  int // ended connections of others that the witness saw
}

func newLab(t *testing.T, o kernel.Options) *lab {
	t.Helper()
	l := &lab{t: t, now: time.Now(), net: testnet.New(t)}
	l.listener = l.net.Listen("127.0.0.1:9080")
	l.witness = openKernel(t, kernel.Options{})
	whole := options(t)
	whole.Root = "/"
	p, err := Open(whole, Machine{
		Open: func() (Sockets, error) {
			return onlyOf(openKernel(t, o), func(n uint32) bool { return n == l.net.Inode }), nil
		},
		Ask:  openTables,
		Host: owner.Host,
		Join: openSources,
		Now:  func() time.Time { return l.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Pipeline = p
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func openKernel(t *testing.T, o kernel.Options) *kernel.Sockets {
	t.Helper()
	s, err := kernel.Open(o)
	testnet.Require(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// onlyOf leaves out the reports of connections in other namespaces; what was lost is the machine's.
func onlyOf(s *kernel.Sockets, wanted func(namespace uint32) bool) Sockets {
	filter := func(h kernel.Handler) kernel.Handler {
		return kernel.Handler{Cgroup: h.Cgroup, Conn: func(c conn.Conn) {
			if wanted(c.Namespace.Inode) {
				h.Conn(c)
			}
		}}
	}
	return Sockets{
		Drain:    func(h kernel.Handler) error { return s.Drain(filter(h)) },
		Snapshot: func(all bool, h kernel.Handler) error { return s.Snapshot(all, filter(h)) },
		Losses:   s.Losses,
		Stats:    s.Stats,
		Close:    func() error { return nil }, // the test's own
	}
}

// exchange sends bytesEach both ways on a new connection, which the server closes first.
func (l *lab) exchange() {
	client, server := l.net.Connect(l.listener, "127.0.0.1:9080")
	l.send(client, server)
	l.send(server, client)
	server.Close()
	if _, err := io.Copy(io.Discard, client); err != nil {
		l.t.Error(err)
	}
	client.Close()
}

func (l *lab) send(from, to net.Conn) {
	l.t.Helper()
	if _, err := from.Write(make([]byte, bytesEach)); err != nil {
		l.t.Fatal(err)
	}
	if _, err := io.ReadFull(to, make([]byte, bytesEach)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) collect() totals {
	l.t.Helper()
	l.now = l.now.Add(3 * time.Second)
	flows, err := l.Collect(l.now)
	if err != nil {
		l.t.Fatal(err)
	}
	sum := totalsOf(flows)
	if err := l.witness.Drain(kernel.Handler{Conn: func(c conn.Conn) {
		if c.Namespace.Inode != l.net.Inode {
			l.foreign++
		}
	}}); err != nil {
		l.t.Fatal(err)
	}
	return sum
}

// With a ring of one page that is not drained, most ends are lost: each is counted, its bytes are in the totals, and
// what looked open is closed after three passes. The losses are those of the whole machine: they are the test's own only
// while no other program opens connections.
func TestLostEndsKeepTheTotals(t *testing.T) {
	for range 5 {
		if loseEnds(t) {
			return
		}
	}
	t.Log("other programs closed connections during each of five attempts: the totals hold theirs too")
}

func loseEnds(t *testing.T) (quiet bool) {
	l := newLab(t, kernel.Options{RingBytes: 1})
	client, server := l.net.Connect(l.listener, "127.0.0.1:9080")
	l.send(client, server)
	first := l.collect()
	l.send(client, server)
	const churn = 300
	for range churn {
		l.exchange()
	}
	server.Close()
	client.Close()
	l.collect() // learns of the losses
	l.collect() // the first pass
	l.collect()
	last := l.collect()
	want := int64(2 * bytesEach * (churn + 1))
	if l.foreign > 0 {
		if last.Active != 0 || last.Transmitted < want || last.Received < want || last.Closed < 2*(churn+1) {
			t.Fatalf("%+v, want all that is the test's own in it", last)
		}
		return false
	}
	wantTotals(t, "one open connection", totals{Transmitted: bytesEach, Received: bytesEach, Attempts: 2, Active: 2}, first)
	if last.Lost == 0 {
		t.Fatal("nothing was lost: the test shows nothing")
	}
	wantTotals(t, "everything", totals{Transmitted: want, Received: want, Attempts: 2 * (churn + 1), Closed: 2 * (churn + 1), Lost: last.Lost}, last)
	return true
}

// Each connection is two events, one for each end, and each refused attempt is one; beyond the rate each is counted.
func TestEventsOfTheKernel(t *testing.T) {
	l := newLab(t, kernel.Options{})
	const exchanges, refused, perSecond = 300, 20, 100
	l.events = newTestEvents(2*exchanges + refused)
	l.exchanges(exchanges)
	for range refused {
		if c, err := l.net.TryDial(net.Dialer{}, "127.0.0.1:9081"); err == nil {
			c.Close()
			t.Fatal("the port has a listener")
		}
	}
	l.collect()
	want := map[conn.Phase]int{conn.Closed: 2 * exchanges, conn.Failed: refused}
	if diff := cmp.Diff(want, l.told()); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}

	l.events = newTestEvents(perSecond)
	l.now = l.now.Add(time.Minute)
	l.exchanges(exchanges) // all of them at this time
	l.collect()
	if diff := cmp.Diff(map[conn.Phase]int{conn.Closed: perSecond}, l.told()); diff != "" {
		t.Errorf("events beyond the rate (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(EventStats{Limited: 2*exchanges - perSecond}, l.events.stats); diff != "" {
		t.Errorf("what became of them (-want +got):\n%s", diff)
	}
}

// exchanges empties the ring as it goes, because other programs fill it too, and until it has seen both ends of each.
func (l *lab) exchanges(n int) {
	l.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for i := 0; i < n || l.seen() < 2*n; i++ {
		if i < n {
			l.exchange()
		}
		if err := l.Drain(l.now); err != nil {
			l.t.Fatal(err)
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%d ends of %d connections were reported", l.seen(), n)
		}
	}
}

// seen counts the ends that the events were made of, or would have been.
func (l *lab) seen() int {
	return len(l.events.unsettled) + len(l.events.settled) + int(l.events.stats.Limited)
}

// told counts the events since the last collection by how far their connections came.
func (l *lab) told() map[conn.Phase]int {
	phases := make(map[conn.Phase]int)
	for _, e := range l.Events(l.now) {
		phases[e.Conn.Phase]++
	}
	return phases
}

// Connections close while snapshots report them alive: none comes back to life, none is counted twice.
func TestEndsDuringSnapshots(t *testing.T) {
	l := newLab(t, kernel.Options{SnapshotRingBytes: 1})
	const churn = 400
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range churn {
			l.exchange()
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		l.collect()
	}
	l.collect()
	last := l.collect()
	want := int64(2 * bytesEach * churn)
	wantTotals(t, "everything", totals{Transmitted: want, Received: want, Attempts: 2 * churn, Closed: 2 * churn}, last)
	if late := l.flows.Stats().Late; late == 0 {
		t.Log("no report came late this time")
	}
}
