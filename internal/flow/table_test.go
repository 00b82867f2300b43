package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

func TestStats(t *testing.T) {
	table := newTable(Config{}, at(0))
	check := func(what string, want Stats) {
		t.Helper()
		if diff := cmp.Diff(want, table.Stats()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	table.Apply(dial(1, 80), at(1))
	table.Apply(dial(2, 80), at(9.5))
	check("reported", Stats{Connections: 2, Pending: 2})
	table.Collect(at(10), guess("", false))
	check("one still waits", Stats{Resources: 1, Flows: 1, Connections: 2, Pending: 1})
	table.Collect(at(20), guess("", false))
	check("none waits", Stats{Resources: 1, Flows: 1, Connections: 2})
	table.Apply(ended(dial(1, 80), conn.NoError), at(21))
	table.Apply(ended(dial(1, 80), conn.NoError), at(21))
	check("ended, twice", Stats{Resources: 1, Flows: 1, Connections: 1, Late: 1})
}

// An end is remembered until the snapshot that it overtook has been read, and not for long after.
func TestEndsAreForgotten(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(ended(dial(1, 80), conn.NoError), at(1))
	for _, step := range []struct {
		second float64
		known  int
	}{{2, 1}, {11, 1}, {12, 0}} {
		table.Collect(at(step.second), byPort)
		if n := len(table.connections); n != step.known {
			t.Errorf("at %v s: %d connections known, want %d", step.second, n, step.known)
		}
	}
}

func TestRoomOfAFullPassIsGivenBack(t *testing.T) {
	const n = 2 * sparePieces * pieceSize
	table := newTable(Config{}, at(0))
	for i := range uint64(n) {
		table.Apply(dial(i, 80), at(1))
	}
	table.Collect(at(10), byPort)
	if c := len(table.visits.pieces) * pieceSize; c > (sparePieces+1)*pieceSize {
		t.Errorf("there is room for %d visits after the first collection", c)
	}
	table.Apply(sent(dial(7, 80), 1, 0), at(11))
	got := table.Collect(at(20), byPort)
	want := Flow{Key: toPort(shop, 80), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 1}, Active: n}
	want.Outcomes[Attempts][conn.NoError] = n
	expect(t, "and nothing is lost with it", got, flows(shop, want))
}

// Connections whose identity may still change keep their visits, also at the first collection.
func TestRoomOfTheUnsettledStays(t *testing.T) {
	const n = 2 * sparePieces * pieceSize
	table := newTable(Config{}, at(0))
	for i := range uint64(n) {
		table.Apply(sent(dial(i, 80), 1, 0), at(1))
	}
	table.Collect(at(2), guess("", false))
	if table.visits.n != n {
		t.Fatalf("%d of %d connections are looked up again", table.visits.n, n)
	}
	got := table.Collect(at(3), byPort)
	want := Flow{Key: toPort(shop, 80), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: n}, Active: n}
	want.Outcomes[Attempts][conn.NoError] = n
	expect(t, "all of them", got, flows(shop, want))
}

// As many visits as the last two collections had stay, whatever ends before the next one.
func TestRoomStaysWhileItIsNeeded(t *testing.T) {
	const n = 2 * sparePieces * pieceSize
	table, reports := crowd(n)
	now, last := at(2), uint64(n)
	collect := func() {
		now = now.Add(10 * time.Second)
		last++
		table.Apply(ended(dial(last, 80), conn.NoError), now)
		table.Settle(now, byPort)
		table.Settle(now, byPort)
		for i := range reports {
			reports[i].Counts[conn.Sent]++
			table.Apply(reports[i], now)
		}
		table.Collect(now, byPort)
	}
	collect()
	if allocations := testing.AllocsPerRun(3, collect); allocations >= sparePieces/2 {
		t.Errorf("%v allocations of a collection", allocations)
	}
}

func TestNothingIsCollectedFromAnEmptyTable(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Gone(shop)
	table.Reconcile(at(1))
	table.Lose(conn.Losses{}, at(1))
	expect(t, "empty", table.Collect(at(1), byPort))
}

func TestDefaults(t *testing.T) {
	want := Config{
		LimitPerResource: 500, MaxResources: 2000, MaxConnections: 1_000_000, ExpireAfter: time.Hour,
		Bounds: DefaultBounds(),
	}
	if diff := cmp.Diff(want, Config{}.withDefaults()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
