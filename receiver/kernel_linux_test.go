package netconnreceiver

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/testnet"
)

const bytesEach = 17

// A lab is a pipeline on the real kernel that sees only one namespace, with a witness that sees the whole machine.
type lab struct {
	*pipeline
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
	config := createDefaultConfig().(*Config)
	p, err := newPipeline(config, machine{
		open: func() (sockets, error) { return l.only(openKernel(t, o)), nil },
		host: owner.Host,
		now:  func() time.Time { return l.now },
	}, "test")
	if err != nil {
		t.Fatal(err)
	}
	l.pipeline = p
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

// only leaves out the reports of other namespaces; what was lost is the machine's.
func (l *lab) only(s *kernel.Sockets) sockets {
	filter := func(h kernel.Handler) kernel.Handler {
		return kernel.Handler{Cgroup: h.Cgroup, Conn: func(c conn.Conn) {
			if c.Namespace == l.net.Inode {
				h.Conn(c)
			}
		}}
	}
	return sockets{
		drain:    func(h kernel.Handler) error { return s.Drain(filter(h)) },
		snapshot: func(all bool, h kernel.Handler) error { return s.Snapshot(all, filter(h)) },
		losses:   s.Losses,
		stats:    s.Stats,
		close:    func() error { return nil }, // the test's own
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
	md, err := l.pipeline.collect(l.now)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.witness.Drain(kernel.Handler{Conn: func(c conn.Conn) {
		if c.Namespace != l.net.Inode {
			l.foreign++
		}
	}}); err != nil {
		l.t.Fatal(err)
	}
	return totalsOf(md)
}

// totals are sums over every point of a metric, the overflow's too.
type totals struct {
	Transmitted, Received, Attempts, Closed, Lost, Active int64
}

func totalsOf(md pmetric.Metrics) (sum totals) {
	for _, r := range md.ResourceMetrics().All() {
		for _, s := range r.ScopeMetrics().All() {
			for _, m := range s.Metrics().All() {
				if m.Type() == pmetric.MetricTypeSum {
					sum.add(m)
				}
			}
		}
	}
	return sum
}

func (s *totals) add(m pmetric.Metric) {
	for _, p := range m.Sum().DataPoints().All() {
		direction, _ := p.Attributes().Get("network.io.direction")
		reason, _ := p.Attributes().Get("error.type")
		switch m.Name() {
		case "netconn.io":
			if direction.Str() == "transmit" {
				s.Transmitted += p.IntValue()
			} else {
				s.Received += p.IntValue()
			}
		case "netconn.attempts":
			s.Attempts += p.IntValue()
		case "netconn.closed":
			s.Closed += p.IntValue()
			if reason.Str() == "lost" {
				s.Lost += p.IntValue()
			}
		case "netconn.active":
			s.Active += p.IntValue()
		}
	}
}

func wantTotals(t *testing.T, what string, want, got totals) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// With a ring of one page that nobody empties, most ends are lost: each is counted, its bytes are in the totals, and what
// looked open is closed after two passes. Losses are the machine's, so they are the test's own only while nobody else is
// busy.
func TestLostEndsKeepTheTotals(t *testing.T) {
	for range 5 {
		if loseEnds(t) {
			return
		}
	}
	t.Fatal("other programs closed connections during each of five attempts")
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
	last := l.collect()
	if l.foreign > 0 {
		return false
	}
	wantTotals(t, "one open connection", totals{Transmitted: bytesEach, Received: bytesEach, Attempts: 2, Active: 2}, first)
	if last.Lost == 0 {
		t.Fatal("nothing was lost: the test shows nothing")
	}
	want := int64(2 * bytesEach * (churn + 1))
	wantTotals(t, "everything", totals{Transmitted: want, Received: want, Attempts: 2 * (churn + 1), Closed: 2 * (churn + 1), Lost: last.Lost}, last)
	return true
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
