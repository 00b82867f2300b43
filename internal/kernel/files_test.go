//go:build linux

package kernel

import (
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Where a snapshot visits open files, it has each connection once, however many files it has, and a second one only what
// has changed. A connection that waits to be accepted is missing.
func TestSnapshotOverFiles(t *testing.T) {
	w := newWire(t)
	older, olderServer := w.connect()
	o := observe(t, Options{overFiles: true}, w.client, w.server)
	client, server := w.connect()
	again, err := client.File()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []interface{ Close() error }{older, olderServer, client, server, again} {
		t.Cleanup(func() { c.Close() })
	}
	if o.Complete() {
		t.Error("the snapshot is said to have everything")
	}
	for _, all := range []bool{false, true} {
		o.snapshot(all)
		wantEqual(t, "reports", 4, o.liveCount)
	}
	write(t, client, 10)
	read(t, server, 10)
	o.snapshot(false)
	wantEqual(t, "reports of what has changed", 2, o.liveCount)
	wantEqual(t, "sent", 10, int(o.liveOf(conn.RoleClient).Counts[conn.Sent]))

	waiting := w.client.Dial(serverAddress)
	defer waiting.Close()
	o.snapshot(false)
	wantEqual(t, "reports with a connection that waits", 1, o.liveCount)
	accepted, err := w.listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	o.nextAdopt = time.Time{} // its listener is older
	o.snapshot(false)
	wantEqual(t, "reports once it is accepted", 1, o.liveCount)
	wantSelf(t, o.liveOf(conn.RoleServer).Process)
}

// A ring that is full during a pass over files loses nothing.
func TestSnapshotOverFilesFillsItsRing(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{overFiles: true, SnapshotRingBytes: 1}, w.client, w.server)
	const connections = 40 // each end takes 248 bytes of a page
	for range connections {
		client, server := w.connect()
		t.Cleanup(func() { client.Close(); server.Close() })
	}
	o.snapshot(true)
	wantEqual(t, "live ends", 2*connections, len(o.live))
	wantEqual(t, "reports", 2*connections, o.liveCount)
	if o.stats().SnapshotAgain == 0 {
		t.Error("the ring was never full")
	}
}
