package flow

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// open applies the first report of connections to each of the given ports, one byte each, by the port as cookie.
func open(table *Table, now time.Time, o conn.Owner, ports ...uint16) {
	for _, p := range ports {
		table.Apply(owned(sent(dial(uint64(p), p), 1, 0), o), now)
	}
}

// shut applies their ends.
func shut(table *Table, now time.Time, o conn.Owner, ports ...uint16) {
	for _, p := range ports {
		table.Apply(owned(sent(ended(dial(uint64(p), p), conn.NoError), 1, 0), o), now)
	}
}

func TestFlowsBeyondTheLimitShareOne(t *testing.T) {
	table := newTable(Config{LimitPerResource: 2}, at(0))
	open(table, at(1), shop, 80, 81, 82, 83)
	open(table, at(1), bank, 90)
	named := func(o conn.Owner, port uint16) Flow {
		return Flow{
			Key: toPort(o, port), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 1},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
		}
	}
	expect(t, "four flows and room for two", table.Collect(at(10), byPort),
		flows(shop, named(shop, 80), named(shop, 81), Flow{
			Overflow:    true,
			Start:       at(0),
			Connections: true,
			Counts:      conn.Counts{conn.Sent: 2},
			Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError, conn.NoError)},
			Active:      2,
		}),
		flows(bank, named(bank, 90)))

	want := Stats{
		Resources: 2, Flows: 4, Overflow: 1, Connections: 5,
		Beyond: [Causes]uint64{ByResource: 2}, Full: []Full{{shop, 2}},
	}
	if diff := cmp.Diff(want, table.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestOverflowUntilItCloses(t *testing.T) {
	table := newTable(Config{LimitPerResource: 1, ExpireAfter: time.Minute}, at(0))
	open(table, at(1), shop, 80, 81)
	table.Collect(at(10), byPort)
	shut(table, at(11), shop, 80)
	table.Collect(at(20), byPort)
	if got := ports(table.Collect(at(80), byPort)); !cmp.Equal(got, map[conn.Owner][]uint16{shop: {overflowPort}}) {
		t.Fatalf("80 did not expire: %v", got)
	}

	table.Apply(owned(sent(dial(81, 81), 9, 0), bank), at(81)) // even when its owner is corrected
	open(table, at(81), shop, 82)
	expect(t, "there is room again", table.Collect(at(90), byPort), flows(shop,
		Flow{
			Key: toPort(shop, 82), Start: at(80), Connections: true, Counts: conn.Counts{conn.Sent: 1},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
		},
		Flow{
			Overflow: true, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 9},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
		}))
}

func TestNamedUntilItCloses(t *testing.T) {
	table := newTable(Config{LimitPerResource: 1}, at(0))
	table.Apply(sent(dial(1, 80), 1, 0), at(0))
	table.Collect(at(10), guess("db", false))
	table.Apply(sent(dial(1, 80), 5, 0), at(11))
	key, _ := guess("", false)(dial(1, 80))
	expect(t, "a better answer, and no room for it", table.Collect(at(20), guess("db", true)), flows(shop,
		Flow{
			Key: key, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 5},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
		}))
}

func TestResourcesBeyondTheLimitAreTheHosts(t *testing.T) {
	table := newTable(Config{MaxResources: 1}, at(0))
	open(table, at(1), host, 22) // takes no other's room
	open(table, at(1), shop, 80)
	open(table, at(1), bank, 90)
	open(table, at(1), sshd, 91)
	one := Flow{
		Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 1},
		Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
	}
	unknown, named := one, one
	unknown.Key, named.Key = toPort(host, 22), toPort(shop, 80)
	expect(t, "three owners and room for one", table.Collect(at(10), byPort),
		flows(host, unknown, Flow{
			Overflow:    true,
			Start:       at(0),
			Connections: true,
			Counts:      conn.Counts{conn.Sent: 2},
			Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError, conn.NoError)},
			Active:      2,
		}),
		flows(shop, named))

	table.Apply(owned(sent(dial(80, 80), 4, 0), bank), at(11))
	named.Counts[conn.Sent] = 4
	got := table.Collect(at(20), byPort)
	expect(t, "a named one stays if its new owner has no room", got[1:], flows(shop, named))
}

func TestExpiry(t *testing.T) {
	rows := []struct {
		what  string
		after time.Duration // to expire
		do    func(table *Table)
		last  float64 // collection that still shows the flow
		next  float64 // collection that does not
	}{
		{what: "idle and closed", do: func(table *Table) { shut(table, at(11), shop, 80) }, last: 3610, next: 3620},
		{what: "its container is gone",
			do: func(table *Table) { shut(table, at(11), shop, 80); table.Gone(shop) }, last: 310, next: 320},
		{what: "its container is gone, and expire_after is shorter", after: time.Minute,
			do: func(table *Table) { shut(table, at(11), shop, 80); table.Gone(shop) }, last: 70, next: 80},
		{what: "another container is gone",
			do: func(table *Table) { shut(table, at(11), shop, 80); table.Gone(bank) }, last: 3610, next: 3620},
		{what: "a live connection", do: func(*Table) {}, last: 1e6},
		{what: "a live connection in a container that is gone", do: func(table *Table) { table.Gone(shop) }, last: 1e6},
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			table := newTable(Config{ExpireAfter: row.after}, at(0))
			open(table, at(1), shop, 80)
			table.Collect(at(10), byPort)
			row.do(table)
			table.Collect(at(20), byPort)
			if got := table.Collect(at(row.last), byPort); len(got) != 1 {
				t.Errorf("at %v s: %d resources, want 1", row.last, len(got))
			}
			if row.next == 0 {
				return
			}
			expect(t, "expired", table.Collect(at(row.next), byPort))
			if diff := cmp.Diff(Stats{}, table.Stats()); diff != "" {
				t.Errorf("something is left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSilenceShorterThanACollectionShowsZeroFirst(t *testing.T) {
	table := newTable(Config{ExpireAfter: time.Second}, at(0))
	open(table, at(1), shop, 80)
	table.Collect(at(10), byPort)
	shut(table, at(11), shop, 80)
	expect(t, "closed", table.Collect(at(20), byPort), flows(shop, Flow{
		Key:         toPort(shop, 80),
		Start:       at(0),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 1},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
	}))
	expect(t, "and gone", table.Collect(at(30), byPort))
}

func TestReturnStartsAnew(t *testing.T) {
	table := newTable(Config{ExpireAfter: time.Second}, at(0))
	open(table, at(1), shop, 80)
	shut(table, at(1), shop, 80)
	table.Collect(at(10), byPort)
	table.Collect(at(20), byPort)
	table.Collect(at(30), byPort)
	table.Apply(sent(dial(2, 80), 7, 0), at(35))
	expect(t, "back", table.Collect(at(40), byPort), flows(shop, Flow{
		Key:         toPort(shop, 80),
		Start:       at(30),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 7},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError)},
		Active:      1,
	}))
}

// A connection was reported before the last point of a flow, and is credited to it after the flow expired.
func TestReturnDoesNotOverlap(t *testing.T) {
	table := newTable(Config{ExpireAfter: 100 * time.Millisecond}, at(0))
	table.Collect(at(1), byPort)
	open(table, at(1.1), shop, 80)
	shut(table, at(1.1), shop, 80)
	table.Collect(at(1.2), byPort)

	waiting := func(c conn.Conn) (Key, bool) {
		k, _ := byPort(c)
		return k, c.ID.Cookie != 2
	}
	table.Apply(sent(dial(2, 80), 7, 0), at(1.22))
	table.Collect(at(1.25), waiting) // the last point of the old flow
	expect(t, "expired", table.Collect(at(1.3), waiting))
	expect(t, "back", table.Collect(at(3.3), waiting), flows(shop, Flow{
		Key:         toPort(shop, 80),
		Start:       at(1.25),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 7},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError)},
		Active:      1,
	}))
	if n := len(table.expired); n != 0 {
		t.Errorf("%d expired flows are still remembered", n)
	}
}

// A flow that two connections begin in one collection starts before the first report of either.
func TestStartCoversTheFirstEvent(t *testing.T) {
	table := newTable(Config{}, at(0))
	early, late := sent(dial(1, 80), 1, 0), sent(dial(2, 80), 1, 0)
	slow := func(c conn.Conn) (Key, bool) {
		k, _ := byPort(c)
		return k, c.ID.Cookie == 2
	}
	table.Apply(early, at(9.5))
	table.Collect(at(10), slow)
	table.Apply(late, at(11.5))
	want := Flow{
		Key:         toPort(shop, 80),
		Start:       at(0),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 2},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError, conn.NoError)},
		Active:      2,
	}
	expect(t, "both", table.Collect(at(12), slow), flows(shop, want))

	table = newTable(Config{}, at(0))
	table.Apply(early, at(9.5))
	table.Collect(at(10), slow)
	table.Apply(late, at(10.5))
	want.Counts[conn.Sent], want.Outcomes[Attempts], want.Active, want.Start = 1, outcomes(conn.NoError), 1, at(10)
	expect(t, "the later one, which is known at once", table.Collect(at(11), slow), flows(shop, want))
	want.Counts[conn.Sent], want.Outcomes[Attempts], want.Active = 2, outcomes(conn.NoError, conn.NoError), 2
	expect(t, "a start that was shown does not move", table.Collect(at(12), slow), flows(shop, want))
}

func TestOrder(t *testing.T) {
	keys := []Key{
		{Role: conn.RoleUnknown, ServerPort: 9},
		{Role: conn.RoleClient, ServerPort: 1},
		{Role: conn.RoleClient, ServerPort: 2, Peer: conn.Peer{names.PeerType: names.TypeHost, names.PeerName: "z"}},
		{Role: conn.RoleClient, ServerPort: 2, Peer: conn.Peer{names.PeerType: names.TypePod, names.PeerName: "a"}},
		{Role: conn.RoleClient, ServerPort: 2, Peer: conn.Peer{
			names.PeerType: names.TypePod, names.PeerName: "a", names.PeerContainerName: "b",
		}},
		{Role: conn.RoleServer, ServerPort: 1},
	}
	table := newTable(Config{LimitPerResource: len(keys)}, at(0))
	for i := range keys {
		table.Apply(dial(uint64(len(keys)-i), 80), at(1)) // the last key first
	}
	table.Apply(dial(99, 80), at(1))
	got := table.Collect(at(10), func(c conn.Conn) (Key, bool) {
		if c.ID.Cookie == 99 {
			return Key{ServerPort: 99}, true
		}
		return keys[c.ID.Cookie-1], true
	})
	var order []Key
	for _, f := range got[0].Flows {
		order = append(order, f.Key)
	}
	if diff := cmp.Diff(append(slices.Clone(keys), Key{}), order, options()...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got[0].Flows[len(keys)].Overflow {
		t.Error("the overflow flow is not the last one")
	}
}

// A connection without a final identity is looked up again and again, and mostly finds the flow that it is in. That
// shows that its container exists, as finding the flow in the maps does.
func TestPlaceReturnsTheCurrentFlow(t *testing.T) {
	table := newTable(Config{}, at(0))
	k := toPort(shop, 80)
	f := table.place(&k, nil, established)
	f.of.gone, table.recent = true, recent{}
	if again := table.place(&k, f, established); again != f || f.of.gone {
		t.Errorf("flow %p, container gone: %v; want flow %p, container gone: false", again, f.of.gone, f)
	}
}
