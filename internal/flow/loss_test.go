package flow

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

func TestLossesAreCountedOnTheHost(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Collect(at(10), byPort)
	table.Lose(conn.Losses{
		conn.LostOpenings: 1, conn.LostFailures: 2, conn.LostCloses: 3, conn.LostSent: 400, conn.LostReceived: 500,
		conn.LostRetransmits: 6,
	}, at(20))
	want := Flow{
		Overflow:    true,
		Start:       at(10),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 400, conn.Received: 500, conn.Retransmits: 6},
		Outcomes: OutcomeCounts{
			Attempts: [conn.Errors]uint64{conn.NoError: 1, conn.Lost: 2}, Ends: [conn.Errors]uint64{conn.Lost: 3},
		},
	}
	expect(t, "the first sums", table.Collect(at(20), byPort), flows(host, want))

	table.Lose(conn.Losses{
		conn.LostOpenings: 1, conn.LostFailures: 2, conn.LostCloses: 4, conn.LostSent: 410, conn.LostReceived: 500,
		conn.LostRetransmits: 6, conn.LostKnown: 7,
	}, at(30))
	want.Outcomes[Ends][conn.Lost], want.Counts[conn.Sent] = 4, 410
	expect(t, "what they have grown by", table.Collect(at(30), byPort), flows(host, want))
}

// The ends that the passes will find belong to flows of their own.
func TestKnownLossesMakeNoFlow(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Lose(conn.Losses{conn.LostKnown: 3}, at(10))
	expect(t, "nothing to show", table.Collect(at(10), byPort))
	if !table.NeedsPass() {
		t.Error("no pass is wanted to find them")
	}
}

// A failed attempt was never open, so no pass can find it.
func TestLostAttemptsNeedNoPass(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Lose(conn.Losses{conn.LostFailures: 3}, at(10))
	if table.NeedsPass() {
		t.Error("a pass is wanted")
	}
}

func TestNeedsPass(t *testing.T) {
	table := newTable(Config{}, at(0))
	var got []bool
	scrape := func(second float64, all bool) {
		if all {
			table.Reconcile(at(second))
		}
		table.Collect(at(second), byPort)
		got = append(got, table.NeedsPass())
	}
	scrape(10, false)
	scrape(299, false)
	scrape(300, false) // five minutes without one
	scrape(310, true)
	table.Lose(conn.Losses{conn.LostKnown: 1}, at(320))
	scrape(320, false) // a loss
	scrape(330, true)
	scrape(340, true)
	scrape(350, true)                                   // three passes since
	table.Lose(conn.Losses{conn.LostKnown: 1}, at(360)) // the same sums again
	scrape(360, false)
	table.Lose(conn.Losses{conn.LostKnown: 1, conn.LostSent: 1}, at(370))
	scrape(370, false)
	want := []bool{false, false, true, false, true, true, true, false, false, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// passes is a table with two idle connections: the end of the one to port 80 was lost, the one to port 81 is open.
type passes struct {
	*Table
	second float64
}

func newPasses() *passes {
	p := &passes{Table: newTable(Config{}, at(0))}
	open(p.Table, at(1), shop, 80, 81)
	p.second = 10
	p.Collect(at(10), byPort)
	return p
}

// pass is a scrape with a full pass that reports the connections to the given ports.
func (p *passes) pass(ports ...uint16) []Resource {
	p.second += 10
	open(p.Table, at(p.second), shop, ports...)
	p.Reconcile(at(p.second))
	return p.Collect(at(p.second), byPort)
}

func alive(port uint16) Flow {
	return Flow{
		Key: toPort(shop, port), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 1},
		Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
	}
}

func lost(port uint16) Flow {
	f := alive(port)
	f.Active, f.Outcomes[Ends] = 0, outcomes(conn.Lost)
	return f
}

func TestAbsentFromThreePassesIsLost(t *testing.T) {
	p := newPasses()
	for pass := range lostAfter - 1 {
		expect(t, "not enough passes", p.pass(81), flows(shop, alive(80), alive(81)))
		if !p.NeedsPass() {
			t.Errorf("after pass %d a connection is missing and no other pass is wanted", pass)
		}
	}
	expect(t, "three passes", p.pass(81), flows(shop, lost(80), alive(81)))
	if p.NeedsPass() {
		t.Error("nothing is missing and another pass is wanted")
	}
	for range 5 {
		expect(t, "once", p.pass(81), flows(shop, lost(80), alive(81)))
	}
	want := Stats{Resources: 1, Flows: 2, Connections: 1, Lost: 1}
	if diff := cmp.Diff(want, p.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if n := len(p.connections); n != 1 {
		t.Errorf("%d connections are remembered, want 1", n)
	}
}

// One pass may skip a connection, and so may the one after it.
func TestSkippedByPassesLives(t *testing.T) {
	p := newPasses()
	for i := range 6 {
		for range 1 + i%(lostAfter-1) {
			p.pass(81)
		}
		expect(t, "back in the next pass", p.pass(80, 81), flows(shop, alive(80), alive(81)))
	}
	p.pass(81)
	p.pass(81)
	p.second++
	p.Apply(sent(dial(80, 80), 1, 0), at(p.second)) // a snapshot between the passes
	p.Collect(at(p.second), byPort)
	expect(t, "seen in between", p.pass(81), flows(shop, alive(80), alive(81)))
}

func TestLostAndYetAlive(t *testing.T) {
	p := newPasses()
	for range dropAfter - 1 {
		p.pass(81)
	}
	p.Apply(sent(dial(80, 80), 51, 3), at(41))
	want := lost(80)
	want.Counts[conn.Sent], want.Counts[conn.Received] = 51, 3
	expect(t, "its increments count", p.pass(81), flows(shop, want, alive(81)))

	p.Apply(sent(ended(dial(80, 80), conn.Reset), 60, 3), at(51))
	want.Counts[conn.Sent] = 60
	expect(t, "its end does not, again", p.pass(81), flows(shop, want, alive(81)))
	if got, want := p.Stats(), (Stats{Resources: 1, Flows: 2, Connections: 1, Lost: 1}); !cmp.Equal(got, want) {
		t.Errorf("stats: got %+v, want %+v", got, want)
	}
}

func TestLostWhileItWaits(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(sent(dial(1, 80), 1, 0), at(0.1))
	for i := range dropAfter + 2 {
		now := at(0.2 + float64(i)/10)
		if table.Reconcile(now); len(table.Collect(now, guess("", false))) != 0 {
			t.Fatal("credited too early")
		}
	}
	want := lost(80)
	want.Key.Peer[names.PeerType] = names.TypeUnknown
	expect(t, "credited", table.Collect(at(3), guess("", false)), flows(shop, want))

	for second := 100.0; second < 105; second++ { // it is forgotten, and lets go of its flow
		table.Collect(at(second), guess("", false))
		table.Reconcile(at(second + 0.5))
	}
	expect(t, "expired", table.Collect(at(4000), guess("", false)))
}
