//go:build linux

package kernel

import (
	"maps"
	"net"
	"sync"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// churn opens connections in n namespaces' worth of goroutines that send and close, and returns when all have ended.
func churn(t *testing.T, w wire, connections, bytes int) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range connections {
			server, err := w.listener.AcceptTCP()
			if err != nil {
				t.Error(err)
				return
			}
			read(t, server, bytes)
			server.Close()
		}
	}()
	for range connections {
		c, err := w.client.TryDial(net.Dialer{}, serverAddress)
		if err != nil {
			t.Fatal(err)
		}
		write(t, c, bytes)
		readEnd(t, c)
		c.Close()
	}
	<-done
}

func TestClosesWhileASnapshotFillsItsRing(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{SnapshotRingBytes: 4096}, w.client, w.server)
	var open []*net.TCPConn
	for range 200 {
		client, server := w.connect()
		open = append(open, client, server)
	}
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		churn(t, w, 300, 17)
	}()
	for range 10 { // a pass that is interrupted may skip a socket, two in a row do not
		o.snapshot(true)
		first := maps.Clone(o.live)
		o.snapshot(true)
		maps.Copy(first, o.live)
		if len(first) < 400 {
			t.Errorf("two snapshots have %d live connections, want 400 at least", len(first))
		}
	}
	wait.Wait()
	for _, c := range open {
		c.Close()
	}
	ends := o.waitEnded(2 * 500)
	seen := map[conn.ID]bool{}
	for _, c := range ends {
		if seen[c.ID] {
			t.Errorf("%v ended twice", c.ID)
		}
		seen[c.ID] = true
	}
	wantEqual(t, "ends", 1000, len(ends))
	stats, err := o.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if stats.SnapshotAgain == 0 {
		t.Error("the snapshot never filled its ring: the test shows nothing")
	}
	wantEqual(t, "closes refused", 0, stats.RingRefused)
	o.snapshot(true)
	wantEqual(t, "live connections at the end", 0, len(o.live))
}

func TestRingOfOnePage(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{RingBytes: 1}, w.client, w.server)
	client, server := w.connect() // reported before its end is lost
	write(t, client, 1000)
	read(t, server, 1000)
	o.snapshot(true)
	wantEqual(t, "reported alive", 2, len(o.live))
	write(t, client, 234)
	read(t, server, 234)

	churn(t, w, 100, 17) // nobody drains meanwhile
	client.Close()
	readEnd(t, server)
	server.Close()
	waitClosed(t, w.client)
	waitClosed(t, w.server)

	losses, err := o.Losses()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Drain(o.handler()); err != nil {
		t.Fatal(err)
	}
	var kept conn.Losses // in the vocabulary of losses: what was itemised
	for _, c := range o.ended {
		kept.Opened++
		kept.Closed++
		kept.Sent += c.Counters.Sent
		kept.Received += c.Counters.Received
	}
	if len(o.ended) == 0 || losses.Closed == 0 {
		t.Fatalf("%d itemised, %d lost: the test wants both", len(o.ended), losses.Closed)
	}
	wantEqual(t, "sum of both ends", conn.Losses{Opened: 200, Closed: 200, Known: 2, Sent: 1700 + 234, Received: 1700 + 234}, conn.Losses{
		Opened: kept.Opened + losses.Opened, Closed: kept.Closed + losses.Closed, Failed: losses.Failed, Known: losses.Known,
		Sent: kept.Sent + losses.Sent, Received: kept.Received + losses.Received,
	})
	o.snapshot(true)
	wantEqual(t, "live connections", 0, len(o.live))
}

// waitClosed waits until no socket but listeners and TIME_WAIT is left.
func waitClosed(t *testing.T, n *testnet.Namespace) {
	t.Helper()
	n.Command("sh", "-c", "while ss -Htn state connected exclude time-wait | grep -q .; do sleep 0.01; done")
}

func TestRingSize(t *testing.T) {
	for bytes, want := range map[int]uint32{0: 1 << 20, -1: 1 << 20, 1: 4096, 4096: 4096, 4097: 8192, 1 << 20: 1 << 20, 1<<20 + 1: 1 << 21} {
		wantEqual(t, "size", want, ringSize(bytes, 1<<20))
	}
}

func TestCloseTwiceAndTwoLoads(t *testing.T) {
	n := testnet.New(t)
	o := observe(t, Options{}, n)
	for range 2 {
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
