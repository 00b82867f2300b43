package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

func TestBeyondTheLimitOnlyEndsCount(t *testing.T) {
	table := newTable(Config{MaxConnections: 1}, at(0))
	kept, other := sent(dial(1, 80), 1, 2), sent(dial(2, 80), 10, 20)
	table.Apply(kept, at(1))
	table.Apply(other, at(2))
	table.Apply(sent(other, 11, 20), at(3))
	one := Flow{Key: toPort(shop, 80), Start: at(0), Connections: true, Counts: conn.Counts{
		conn.Sent: 1, conn.Received: 2,
	}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1}
	expect(t, "alive", table.Collect(at(10), byPort), flows(shop, one))

	end := edit(ended(sent(other, 12, 20), conn.Reset), func(c *conn.Conn) {
		c.Handshake, c.Age = time.Millisecond, 5*time.Millisecond
		c.RTT, c.RTTVariation = 2*time.Millisecond, 4*time.Millisecond
	})
	table.Apply(end, at(11))
	table.Apply(edit(dial(3, 80), func(c *conn.Conn) { c.Phase, c.Error = conn.Failed, conn.Refused }), at(12))
	overflow := Flow{
		Overflow:    true,
		Start:       at(10),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 12, conn.Received: 20},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError, conn.Refused), Ends: outcomes(conn.Reset)},
		Histograms: [Measures]Histogram{
			RTT: histogram(2e-3), Jitter: histogram(4e-3), Handshake: measured(Handshake, 1e-3),
			Duration: measured(Duration, 5e-3),
		},
	}
	expect(t, "ended", table.Collect(at(20), byPort), flows(host, overflow), flows(shop, one))

	want := Stats{Resources: 2, Flows: 2, Overflow: 1, Connections: 1, Deferred: 2, Beyond: [Causes]uint64{ByConnections: 2},
		AtMaxConnections: true}
	if diff := cmp.Diff(want, table.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// Once there is room a connection is kept with all of its totals: nothing of it was counted before.
func TestKeptOnceThereIsRoom(t *testing.T) {
	table := newTable(Config{MaxConnections: 1}, at(0))
	open(table, at(1), shop, 80)
	table.Apply(sent(dial(2, 81), 10, 0), at(2))
	table.Collect(at(10), byPort)
	shut(table, at(11), shop, 80)
	table.Collect(at(20), byPort) // the end is remembered, in the room of the connection
	table.Apply(sent(dial(2, 81), 15, 0), at(21))
	table.Collect(at(30), byPort)
	table.Apply(sent(dial(2, 81), 20, 0), at(31))
	got := table.Collect(at(40), byPort)
	expect(t, "kept", got[0:1], flows(shop,
		Flow{
			Key: toPort(shop, 80), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 1},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
		},
		Flow{
			Key: toPort(shop, 81), Start: at(30), Connections: true, Counts: conn.Counts{conn.Sent: 20},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
		},
	))
	if n := table.Stats().Deferred; n != 2 {
		t.Errorf("%d reports were deferred, want 2", n)
	}
}

// A live report that comes after an end beyond the limit would begin a connection that never ends, even with room.
func TestOvertakenBeyondTheLimit(t *testing.T) {
	for _, row := range []struct {
		what      string
		collected float64 // after the end, at 11 s
		active    int64
	}{
		{"soon after", 12, 0},
		{"shortly before it is safe", 20.9, 0},
		{"no report is this late, so it is another connection", 21, 1},
	} {
		t.Run(row.what, func(t *testing.T) {
			table := newTable(Config{MaxConnections: 1}, at(0))
			open(table, at(1), shop, 80)
			table.Collect(at(10), byPort)
			table.Apply(ended(sent(dial(2, 81), 10, 0), conn.NoError), at(11))
			for range dropAfter { // makes room
				table.Reconcile(at(11.5))
				table.Collect(at(11.6), byPort)
			}
			table.Collect(at(row.collected), byPort)
			if n := len(table.connections); n != 0 {
				t.Fatalf("%d connections are kept, want room", n)
			}
			table.Apply(sent(dial(2, 81), 9, 0), at(row.collected+0.1))
			active := int64(0)
			for _, r := range table.Collect(at(30), byPort) {
				for _, f := range r.Flows {
					active += f.Active
				}
			}
			if active != row.active {
				t.Errorf("%d active, want %d", active, row.active)
			}
		})
	}
}

// A failed attempt takes none of the last eighth, and keeps no live connection out.
func TestFailedAttemptsLeaveRoom(t *testing.T) {
	table := newTable(Config{MaxConnections: 16}, at(0))
	for i := range uint64(40) {
		table.Apply(edit(dial(100+i, 80), func(c *conn.Conn) { c.Phase, c.Error = conn.Failed, conn.Refused }), at(1))
	}
	table.Apply(sent(dial(1, 81), 10, 0), at(1))
	table.Apply(ended(sent(dial(2, 82), 20, 0), conn.NoError), at(1))
	named := func(port uint16, f Flow) Flow {
		f.Key, f.Start, f.Connections = toPort(shop, port), at(0), true
		return f
	}
	expect(t, "connections beside a flood", table.Collect(at(10), byPort),
		flows(host, Flow{
			Overflow: true, Start: at(0), Connections: true,
			Outcomes: OutcomeCounts{Attempts: [conn.Errors]uint64{conn.Refused: 26}},
		}),
		flows(shop,
			named(80, Flow{Outcomes: OutcomeCounts{Attempts: [conn.Errors]uint64{conn.Refused: 14}}}),
			named(81, Flow{
				Counts: conn.Counts{conn.Sent: 10}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
			}),
			named(82, Flow{
				Counts:   conn.Counts{conn.Sent: 20},
				Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
			}),
		))
}
