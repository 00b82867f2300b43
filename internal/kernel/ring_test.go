//go:build linux

package kernel

import (
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/cilium/ebpf"

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
	o := observe(t, Options{SnapshotRingBytes: 16384}, w.client, w.server)
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
	for range 10 { // a pass that is interrupted may skip a socket, and the next one another
		seen := map[conn.ID]conn.Conn{}
		for range 3 {
			before := slices.Clone(o.ended)
			o.snapshot(true)
			maps.Copy(seen, o.live)
			for _, c := range before {
				if _, alive := o.live[c.ID]; alive {
					t.Errorf("%v is alive in a snapshot that began after its end was read", c.ID)
				}
			}
		}
		if len(seen) < 400 {
			t.Errorf("three snapshots have %d live connections, want 400 at least", len(seen))
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
	wantEqual(t, "ends: none was refused by the other ring", 1000, len(ends))
	stats, err := o.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if stats.SnapshotAgain == 0 {
		t.Error("the snapshot never filled its ring: the test shows nothing")
	}
	o.snapshot(true)
	wantEqual(t, "live connections at the end", 0, len(o.live))
}

// What the small ring lost, of this test and of whoever else was busy meanwhile, is what a second observer with a
// large one has more.
func TestRingOfOnePage(t *testing.T) {
	w := newWire(t)
	witness, o := w.observe(t), observe(t, Options{RingBytes: 1}, w.client, w.server)
	witness.everyone, o.everyone = true, true
	drainAll(t, witness, o)
	witness.ended, o.ended = nil, nil
	lostBefore, err := o.Losses()
	if err != nil {
		t.Fatal(err)
	}
	client, server := w.connect() // reported before its end is lost
	write(t, client, 1000)
	read(t, server, 1000)
	o.snapshot(true)
	reported := maps.Clone(o.live)
	write(t, client, 234)
	read(t, server, 234)

	churn(t, w, 100, 17) // the small ring is not drained meanwhile
	client.Close()
	readEnd(t, server)
	server.Close()
	waitClosed(t, w.client)
	waitClosed(t, w.server)

	drainAll(t, o, witness)
	losses, err := o.Losses()
	if err != nil {
		t.Fatal(err)
	}
	if len(o.ended) == 0 || losses[conn.LostCloses] < 100 || losses[conn.LostKnown] < 2 {
		t.Fatalf("%d itemised, lost %+v: the test wants both", len(o.ended), losses)
	}
	want, got := missing(witness.ended, o.ended, reported), losses.Since(lostBefore)
	if slices.ContainsFunc(witness.ended, func(c conn.Conn) bool { return !o.mine[c.Namespace.Inode] }) {
		// Others closed connections too, also between one reading here and the next: what is this test's own is the
		// least.
		mine := slices.DeleteFunc(witness.ended, func(c conn.Conn) bool { return !o.mine[c.Namespace.Inode] })
		if least := missing(mine, o.ended, reported); got[conn.LostCloses] < least[conn.LostCloses] || got[conn.LostSent] < least[conn.LostSent] || got[conn.LostKnown] < least[conn.LostKnown] {
			t.Fatalf("lost %+v, of which %+v is the test's own", got, least)
		}
	} else {
		wantEqual(t, "losses", want, got)
	}
	o.snapshot(true)
	for id, c := range o.live {
		if o.mine[c.Namespace.Inode] {
			t.Errorf("%v is alive", id)
		}
	}
}

func drainAll(t *testing.T, all ...*observer) {
	t.Helper()
	for _, o := range all {
		if err := o.Drain(o.handler()); err != nil {
			t.Fatal(err)
		}
	}
}

// missing returns, in the vocabulary of losses, what all has and itemised has not; reported is what snapshots told
// before.
func missing(all, itemised []conn.Conn, reported map[conn.ID]conn.Conn) (sum conn.Losses) {
	kept := map[conn.ID]bool{}
	for _, c := range itemised {
		kept[c.ID] = true
	}
	for _, c := range all {
		before, known := reported[c.ID]
		switch {
		case kept[c.ID]:
			continue
		case known:
			sum[conn.LostKnown]++
		case c.Phase == conn.Failed:
			sum[conn.LostFailures]++
		default:
			sum[conn.LostCloses]++
			sum[conn.LostOpenings]++
		}
		sum[conn.LostSent] += c.Counts[conn.Sent] - before.Counts[conn.Sent]
		sum[conn.LostReceived] += c.Counts[conn.Received] - before.Counts[conn.Received]
		sum[conn.LostRetransmits] += uint64(c.Counts[conn.Retransmits] - before.Counts[conn.Retransmits])
	}
	return sum
}

// waitClosed waits until no socket but listeners and TIME_WAIT is left.
func waitClosed(t *testing.T, n *testnet.Namespace) {
	t.Helper()
	n.Command("sh", "-c", "while ss -Htn state connected exclude time-wait | grep -q .; do sleep 0.01; done")
}

func TestRingSize(t *testing.T) {
	page := uint32(os.Getpagesize())
	for bytes, want := range map[int]uint32{0: 12345, -1: 12345, 1: page, int(page): page, int(page) + 1: 2 * page, 1 << 20: 1 << 20, 1<<20 + 1: 1 << 21} {
		ring := ebpf.MapSpec{MaxEntries: 12345}
		resize(&ring, bytes)
		wantEqual(t, "size", want, ring.MaxEntries)
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
