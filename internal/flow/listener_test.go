package flow

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

func listening(cookie uint64, port uint16, o conn.Owner, drops uint64) conn.Listener {
	return conn.Listener{
		ID: conn.ID{Cookie: cookie}, Local: netip.AddrPortFrom(netip.IPv4Unspecified(), port), Owner: o, Drops: drops,
	}
}

func serving(o conn.Owner, port uint16) Key {
	return Key{Owner: o, Role: conn.RoleServer, ServerPort: port}
}

func TestListeners(t *testing.T) {
	table := newTable(Config{LimitPerResource: 2}, at(0))
	table.Listener(listening(1, 80, shop, 0), at(1))
	table.Listener(listening(2, 80, shop, 5), at(1)) // SO_REUSEPORT
	table.Listener(listening(3, 81, shop, 1), at(1))
	table.Listener(listening(4, 82, shop, 2), at(1))
	expect(t, "a flow for each port", table.Collect(at(10), byPort), flows(shop,
		Flow{Key: serving(shop, 80), Start: at(0), Listens: true, ListenDrops: 5},
		Flow{Key: serving(shop, 81), Start: at(0), Listens: true, ListenDrops: 1},
		Flow{Overflow: true, Start: at(0), Listens: true, ListenDrops: 2}))

	table.Listener(listening(1, 80, shop, 3), at(11))
	table.Listener(listening(1, 80, shop, 2), at(11)) // out of order
	table.Listener(listening(1, 80, shop, 3), at(11))
	end := listening(2, 80, shop, 6)
	end.Closed = true
	table.Listener(end, at(12))
	table.Listener(listening(2, 80, shop, 7), at(13)) // after its end
	table.Listener(listening(3, 81, bank, 4), at(14)) // the owner is corrected
	expect(t, "totals are absolute", table.Collect(at(20), byPort),
		flows(shop,
			Flow{Key: serving(shop, 80), Start: at(0), Listens: true, ListenDrops: 9},
			Flow{Key: serving(shop, 81), Start: at(0), Listens: true, ListenDrops: 1},
			Flow{Overflow: true, Start: at(0), Listens: true, ListenDrops: 2}),
		flows(bank, Flow{Key: serving(bank, 81), Start: at(10), Listens: true, ListenDrops: 3}))

	want := Stats{
		Resources: 2, Flows: 4, Overflow: 1, Listeners: 3, Late: 1,
		Beyond: [Causes]uint64{ByResource: 1}, Full: []Full{{shop, 1}},
	}
	if diff := cmp.Diff(want, table.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// Idle listeners take no flow, and what they drop takes no room of connections.
func TestIdleListenersTakeNoRoom(t *testing.T) {
	table := newTable(Config{LimitPerResource: 5}, at(0))
	for i := range uint64(3000) {
		table.Listener(listening(1000+i, uint16(1000+i), shop, 0), at(1))
	}
	expect(t, "nothing was dropped", table.Collect(at(10), byPort))
	for i := range uint64(3000) {
		table.Listener(listening(1000+i, uint16(1000+i), shop, 1), at(11))
	}
	open(table, at(12), shop, 80, 81, 82, 83, 84)
	var drops, named uint64
	for _, r := range table.Collect(at(20), byPort) {
		for _, f := range r.Flows {
			drops += f.ListenDrops
			if f.Connections && !f.Overflow {
				named++
			}
		}
	}
	if drops != 3000 || named != 5 {
		t.Errorf("%d drops and %d flows of connections, want 3000 and 5", drops, named)
	}
}

func TestListenerSharesTheFlowOfItsConnections(t *testing.T) {
	table := newTable(Config{}, at(0))
	accepted := edit(sent(dial(1, 40000), 1, 0), func(c *conn.Conn) {
		c.Role, c.Tuple = conn.RoleServer, c.Tuple.Reverse()
	})
	table.Listener(listening(2, 40000, shop, 1), at(1))
	table.Apply(accepted, at(1))
	expect(t, "without a peer", table.Collect(at(10), byPort), flows(shop, Flow{
		Key:         serving(shop, 40000),
		Start:       at(0),
		Connections: true,
		Listens:     true,
		Counts:      conn.Counts{conn.Sent: 1},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError)},
		Active:      1,
		ListenDrops: 1,
	}))
}

func TestListenersExpire(t *testing.T) {
	table := newTable(Config{ExpireAfter: time.Minute}, at(0))
	table.Listener(listening(1, 80, shop, 1), at(1))
	if got := table.Collect(at(1e5), byPort); len(got) != 1 {
		t.Fatal("a flow with a live listener expired")
	}
	for i := range dropAfter {
		table.Reconcile(at(1e5 + float64(i)))
		table.Collect(at(1e5+float64(i)+0.5), byPort)
	}
	if n := table.Stats().Listeners; n != 0 {
		t.Errorf("%d listeners that no pass finds", n)
	}
	expect(t, "after a minute", table.Collect(at(1e5+70), byPort))
}

func TestClosedListenerExpires(t *testing.T) {
	table := newTable(Config{ExpireAfter: time.Minute}, at(0))
	table.Listener(listening(1, 80, shop, 1), at(1))
	table.Collect(at(10), byPort)
	end := listening(1, 80, shop, 2)
	end.Closed = true
	table.Listener(end, at(100))
	expect(t, "its last drops are shown", table.Collect(at(110), byPort),
		flows(shop, Flow{Key: serving(shop, 80), Start: at(0), Listens: true, ListenDrops: 2}))
	if got := table.Collect(at(160), byPort); len(got) != 1 {
		t.Error("expired less than a minute after its end")
	}
	expect(t, "expired", table.Collect(at(180), byPort))
	if n := len(table.listeners) + len(table.retired); n != 0 {
		t.Errorf("%d listeners are still remembered", n)
	}
}

func TestListenerInOverflowStays(t *testing.T) {
	table := newTable(Config{LimitPerResource: 1}, at(0))
	table.Listener(listening(1, 80, shop, 1), at(1))
	table.Listener(listening(2, 81, shop, 1), at(1))
	table.Listener(listening(2, 81, bank, 3), at(2))
	table.Listener(listening(1, 80, sshd, 3), at(2))
	table.Listener(listening(1, 80, shop, 4), at(3))
	table.Listener(listening(1, 80, shop, 4), at(3))
	expect(t, "the named one moves with its owner", table.Collect(at(10), byPort),
		flows(sshd, Flow{Key: serving(sshd, 80), Start: at(0), Listens: true, ListenDrops: 2}),
		flows(shop,
			Flow{Key: serving(shop, 80), Start: at(0), Listens: true, ListenDrops: 2},
			Flow{Overflow: true, Start: at(0), Listens: true, ListenDrops: 3}))
}

// A listener that a pass reports again has missed none: only as many passes in a row as may be wrong drop it.
func TestListenersThatComeBackAreKept(t *testing.T) {
	table, seconds := newTable(Config{}, at(0)), 0.0
	pass := func() {
		seconds++
		table.Reconcile(at(seconds))
		table.Collect(at(seconds+0.5), byPort)
	}
	for round := range 3 {
		table.Listener(listening(1, 80, shop, 1), at(seconds))
		for range dropAfter { // the first of them has it
			pass()
		}
		if n := table.Stats().Listeners; n != 1 {
			t.Fatalf("round %d: %d listeners after %d passes without it", round, n, dropAfter-1)
		}
	}
	if pass(); table.Stats().Listeners != 0 {
		t.Errorf("it is kept after %d passes without it", dropAfter)
	}
}
