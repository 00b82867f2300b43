//go:build linux

package kernel

import (
	"net"
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// limit bounds the sockets with state.
func (w *observer) limit(n int) {
	w.t.Helper()
	if err := w.Limit(n); err != nil {
		w.t.Fatal(err)
	}
}

func (w *observer) stats() Stats {
	w.t.Helper()
	s, err := w.Stats()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// A socket beyond the limit is counted once, and not reported. Once there is room, it is as a connection that is older
// than netconn.
func TestNoRoom(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	const address = "10.77.0.2:9090"
	listener := w.server.Listen(address) // newer than the programs, so its sockets inherit its state
	connect := func() (client, server *net.TCPConn) { return w.client.Connect(listener, address) }
	known, accepted := connect()
	for range 10 { // more sockets with state than the limit, whatever ends
		connect()
	}
	o.limit(1)
	before := o.stats()
	const more = 100
	for range more - 2 {
		connect()
	}
	client, server := connect()
	ended, itsServer := connect()
	write(t, client, 100)
	read(t, server, 100)
	for _, c := range []*net.TCPConn{known, accepted, ended, itsServer} {
		c.Close()
	}
	// What had state before the limit keeps it.
	o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 0, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 0})
	o.snapshot(true)
	if len(o.live) != 20 || len(o.ended) != 2 {
		t.Fatalf("%d live and %d ended connections are reported, want 20 and 2", len(o.live), len(o.ended))
	}
	after := o.stats()
	// Other programs of the machine may open some connections, too.
	if n := after.NoRoom - before.NoRoom; n < 2*more || n >= 3*more {
		t.Errorf("%d sockets had no room, want %d", n, 2*more)
	}
	if n := after.EndedUntracked - before.EndedUntracked; n < 2 || !after.Full {
		t.Errorf("%d of them have ended, want 2; full: %v", n, after.Full)
	}

	o.limit(1 << 30)
	o.snapshot(true)
	write(t, client, 20)
	read(t, server, 20)
	client.Close()
	readEnd(t, server)
	server.Close()
	o.until("the ends of the connection that got room", func() bool { return len(o.ended) == 4 })
	for _, c := range o.ended[2:] {
		if c.SeenOpening || c.Counts[conn.Sent]+c.Counts[conn.Received] != 20 || c.Process.PID == 0 {
			t.Errorf("found later: %+v", c)
		}
	}
	if o.stats().Full {
		t.Error("there is no room")
	}
}

// Adoption stops at the limit, however many sockets one pass visits.
func TestNoRoomToAdopt(t *testing.T) {
	w := newWire(t)
	const most = 10
	for range 3 * most {
		client, server := w.connect()
		t.Cleanup(func() { client.Close(); server.Close() })
	}
	o := observe(t, Options{AdoptLater: true}, w.client, w.server)
	o.limit(most)
	if err := o.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := o.stats()
	if s.Tracked > most+most/2 { // others may open sockets until the next Drain
		t.Errorf("%d sockets have state, want %d", s.Tracked, most)
	}
}

// The count of sockets with state follows them, and each pass sets it right.
func TestSocketsWithState(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	o.wantComplete()
	o.limit(1 << 30)
	count := func() int64 {
		o.snapshot(false)
		n, err := o.counted()
		if err != nil {
			t.Fatal(err)
		}
		return n + o.room.drift
	}
	const connections = 500
	near := func(got, want int64) bool { return got > want-connections/10 && got < want+connections/10 }
	var opened, ended, closed int64
	for range 20 { // others open and close connections meanwhile
		o.room.drift = 1 << 40
		before := count()
		var all []*net.TCPConn
		for range connections {
			client, server := w.connect()
			all = append(all, client, server)
		}
		n, err := o.counted()
		if err != nil {
			t.Fatal(err)
		}
		opened = n + o.room.drift - before
		for _, c := range all {
			c.SetLinger(0)
			c.Close()
		}
		if n, err = o.counted(); err != nil {
			t.Fatal(err)
		}
		ended = n + o.room.drift - before
		if closed = count() - before; near(opened, 2*connections) && near(ended, 0) && near(closed, 0) {
			return
		}
	}
	t.Errorf("%d more with %d connections open, %d more when they were closed, %d more after a pass",
		opened, connections, ended, closed)
}

// Where a pass visits open files, a count that has drifted is set right as far as the limit needs it. Too many: of
// sockets whose destruction no program saw. Too few: of sockets whose opening none saw.
func TestCountOverFiles(t *testing.T) {
	t.Run("too many", func(t *testing.T) {
		w := newWire(t)
		o := observe(t, Options{overFiles: true}, w.client, w.server)
		const connections, others = 1000, 500
		o.limit(int(must(readAllocated())(t)) + others)
		o.detach(o.objects.SocketDestroyed)
		for range connections {
			client, server := w.connect()
			client.SetLinger(0)
			client.Close()
			server.Close()
		}
		o.snapshot(false)
		if o.stats().Full {
			t.Error("sockets that are gone left no room")
		}
		client, server := w.connect()
		defer client.Close()
		defer server.Close()
		o.live = nil
		o.snapshot(false)
		wantEqual(t, "live ends", 2, len(o.live))
	})
	t.Run("too few", func(t *testing.T) {
		w := newWire(t)
		o := observe(t, Options{overFiles: true}, w.client, w.server)
		const connections = 20
		for range connections {
			client, server := w.connect()
			defer client.Close()
			defer server.Close()
		}
		o.room.drift = -1 << 40
		o.limit(2 * connections)
		if o.stats().Full {
			t.Fatal("the count has not drifted")
		}
		o.snapshot(false)
		if !o.stats().Full {
			t.Error("there is room beside as many sockets as the limit")
		}
	})
}

func TestParseAllocated(t *testing.T) {
	n, err := parseAllocated("sockets: used 20\nTCP: inuse 4 orphan 0 tw 2 alloc 12 mem 966\nUDP: inuse 0 mem 119\n")
	if err != nil || n != 12 {
		t.Errorf("%d, %v; want 12", n, err)
	}
	for _, wrong := range []string{"", "UDP: alloc 1\n", "TCP: inuse 4\n", "TCP: inuse 4 alloc\n", "TCP: alloc x\n"} {
		if n, err := parseAllocated(wrong); err == nil {
			t.Errorf("%q: %d, want an error", wrong, n)
		}
	}
}
