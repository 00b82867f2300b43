package flow

import (
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// A life is that of one connection: the reports between one collection and the next, and what its flow shows after the
// last collection.
type life struct {
	reports [][]conn.Conn
	want    Flow
}

func checkLives(t *testing.T, lives map[string]life) {
	t.Helper()
	for name, l := range lives {
		t.Run(name, func(t *testing.T) {
			table := newTable(Config{}, at(0))
			var got []Resource
			for i, reports := range l.reports {
				for _, r := range reports {
					table.Apply(r, at(float64(i)+0.5))
				}
				got = table.Collect(at(float64(i+1)), byPort)
			}
			want := l.want
			want.Key, want.Start, want.Connections = toPort(shop, 80), at(0), true
			expect(t, "after the last collection", got, flows(shop, want))
		})
	}
}

func TestCountersOfAConnection(t *testing.T) {
	open := dial(1, 80)
	segments := func(n uint64) conn.Conn {
		return edit(open, func(c *conn.Conn) { c.Counts[conn.SegmentsSent] = n })
	}
	full := conn.Counts{
		conn.Sent: 1, conn.Received: 2, conn.SegmentsSent: 3, conn.SegmentsReceived: 4, conn.Retransmits: 5,
		conn.OutOfOrder: 6, conn.Reordering: 7, conn.CE: 8, conn.SegmentsLost: 9,
		conn.Bypassed: 1,
	}
	checkLives(t, map[string]life{
		"open": {
			reports: [][]conn.Conn{{sent(open, 10, 20)}},
			want: Flow{Counts: conn.Counts{
				conn.Sent: 10, conn.Received: 20,
			}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1},
		},
		"every counter": {
			reports: [][]conn.Conn{{edit(open, func(c *conn.Conn) { c.Counts = full })}},
			want: Flow{
				Counts: conn.Counts{
					conn.Sent: 1, conn.Received: 2, conn.SegmentsSent: 3, conn.SegmentsReceived: 4,
					conn.Retransmits: 5, conn.OutOfOrder: 6, conn.Reordering: 7, conn.CE: 8, conn.SegmentsLost: 9,
					conn.Bypassed: 1,
				},
				Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)},
				Active:   1,
			},
		},
		"totals are absolute": {
			reports: [][]conn.Conn{
				{sent(open, 10, 0), sent(open, 15, 1)}, {sent(open, 17, 1)}, {}, {sent(open, 20, 2)},
			},
			want: Flow{Counts: conn.Counts{
				conn.Sent: 20, conn.Received: 2,
			}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1},
		},
		"a 32-bit counter wraps": {
			reports: [][]conn.Conn{
				{segments(1 << 31)}, {segments(1<<32 - 1)}, {segments(1)}, {segments(7), segments(5)},
			},
			want: Flow{
				Counts:   conn.Counts{conn.SegmentsSent: 1<<32 + 7},
				Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
			},
		},
		"a 32-bit counter goes backwards": {
			reports: [][]conn.Conn{{segments(100)}, {segments(90)}, {segments(101)}},
			want: Flow{
				Counts:   conn.Counts{conn.SegmentsSent: 101},
				Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
			},
		},
	})
}

func TestEndOfAConnection(t *testing.T) {
	open := dial(1, 80)
	old := edit(open, func(c *conn.Conn) { c.SeenOpening = false })
	checkLives(t, map[string]life{
		"closed in one report": {
			reports: [][]conn.Conn{{sent(ended(open, conn.NoError), 13, 7)}},
			want: Flow{Counts: conn.Counts{
				conn.Sent: 13, conn.Received: 7,
			}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)}},
		},
		"closed after a while": {
			reports: [][]conn.Conn{{sent(open, 10, 0)}, {}, {sent(ended(open, conn.Reset), 13, 7)}, {}},
			want: Flow{Counts: conn.Counts{
				conn.Sent: 13, conn.Received: 7,
			}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.Reset)}},
		},
		"opened and closed between collections": {
			reports: [][]conn.Conn{{sent(open, 10, 0), sent(ended(open, conn.TimedOut), 13, 7)}},
			want: Flow{Counts: conn.Counts{
				conn.Sent: 13, conn.Received: 7,
			}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.TimedOut)}},
		},
		"refused": {
			reports: [][]conn.Conn{{edit(open, func(c *conn.Conn) { c.Phase, c.Error = conn.Failed, conn.Refused })}},
			want:    Flow{Outcomes: OutcomeCounts{Attempts: outcomes(conn.Refused)}},
		},
		"failed without a reason is not a success": {
			reports: [][]conn.Conn{{edit(open, func(c *conn.Conn) { c.Phase = conn.Failed })}},
			want:    Flow{Outcomes: OutcomeCounts{Attempts: outcomes(conn.Other)}},
		},
		"a reason that has no name": {
			reports: [][]conn.Conn{{ended(open, conn.Errors+3)}},
			want:    Flow{Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.Other)}},
		},
		"older than netconn: no attempt": {
			reports: [][]conn.Conn{{sent(old, 5, 5)}},
			want:    Flow{Counts: conn.Counts{conn.Sent: 5, conn.Received: 5}, Active: 1},
		},
		"older than netconn: closed": {
			reports: [][]conn.Conn{{sent(old, 5, 5)}, {edit(sent(ended(old, conn.NoError), 6, 5), func(c *conn.Conn) {
				c.Age = time.Hour
			})}},
			want: Flow{Counts: conn.Counts{
				conn.Sent: 6, conn.Received: 5,
			}, Outcomes: OutcomeCounts{Ends: outcomes(conn.NoError)}},
		},
	})
}

// The end of a connection is final; whatever comes late or twice changes nothing.
func TestReportsOutOfOrder(t *testing.T) {
	open := dial(1, 80)
	checkLives(t, map[string]life{
		"the end is reported twice": {
			reports: [][]conn.Conn{{ended(open, conn.NoError), ended(open, conn.NoError)}, {ended(open, conn.Reset)}},
			want:    Flow{Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)}},
		},
		"a live report after the end is dropped": {
			reports: [][]conn.Conn{{sent(ended(open, conn.NoError), 10, 0), sent(open, 11, 0)}, {sent(open, 12, 0)}},
			want: Flow{
				Counts:   conn.Counts{conn.Sent: 10},
				Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
			},
		},
		"an older live report changes nothing": {
			reports: [][]conn.Conn{{sent(open, 10, 3), sent(open, 8, 4)}, {sent(open, 9, 4)}},
			want: Flow{Counts: conn.Counts{
				conn.Sent: 10, conn.Received: 4,
			}, Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1},
		},
		"the end's totals are final even if a byte lower": {
			reports: [][]conn.Conn{{sent(open, 101, 0), sent(ended(open, conn.NoError), 100, 0)}},
			want: Flow{
				Counts:   conn.Counts{conn.Sent: 100},
				Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
			},
		},
		"what was credited does not fall": {
			reports: [][]conn.Conn{{sent(open, 101, 0)}, {sent(ended(open, conn.NoError), 100, 0)}},
			want: Flow{
				Counts:   conn.Counts{conn.Sent: 101},
				Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
			},
		},
	})
}

func TestGaugesAreSampledForWhatIsNew(t *testing.T) {
	rtt := func(c conn.Conn, ms int) conn.Conn {
		c.RTT = time.Duration(ms) * time.Millisecond
		c.RTTVariation = c.RTT / 2
		c.Handshake = 2 * time.Millisecond
		c.Age = 3 * time.Second
		return c
	}
	open := dial(1, 80)
	table := newTable(Config{Bounds: SameBounds([]float64{0.001, 0.01, 0.1})}, at(0))
	steps := []struct {
		what    string
		reports []conn.Conn
	}{
		{"first report: a sample", []conn.Conn{rtt(sent(open, 1, 0), 10)}},
		{"no report: none", nil},
		{"a full pass repeats it: none", []conn.Conn{rtt(sent(open, 1, 0), 20)}},
		{"its counters changed: a sample", []conn.Conn{rtt(sent(open, 2, 0), 100)}},
		{"no RTT known: none", []conn.Conn{sent(open, 3, 0)}},
		{"closed: a sample, and the duration", []conn.Conn{rtt(ended(sent(open, 3, 0), conn.NoError), 200)}},
	}
	var got []Resource
	for i, s := range steps {
		for _, r := range s.reports {
			table.Apply(r, at(float64(i)+0.5))
		}
		got = table.Collect(at(float64(i+1)), byPort)
	}
	expect(t, "after the close", got, flows(shop, Flow{
		Key:         toPort(shop, 80),
		Start:       at(0),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 3},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
		Histograms: [Measures]Histogram{
			RTT:       {Counts: []uint64{0, 1, 1, 1}, Count: 3, Sum: 0.31, Min: 0.01, Max: 0.2},
			Jitter:    {Counts: []uint64{0, 1, 2, 0}, Count: 3, Sum: 0.155, Min: 0.005, Max: 0.1},
			Handshake: {Counts: []uint64{0, 1, 0, 0}, Count: 1, Sum: 0.002, Min: 0.002, Max: 0.002},
			Duration:  {Counts: []uint64{0, 0, 0, 1}, Count: 1, Sum: 3, Min: 3, Max: 3},
		},
	}))
}

var (
	hundredSent = sent(dial(1, 80), 100, 0)
	unknownPeer = peerKey(conn.Peer{names.PeerType: names.TypeUnknown})
	knownPeer   = peerKey(conn.Peer{names.PeerType: names.TypeContainer, names.PeerName: "db"})
)

func peerKey(p conn.Peer) Key {
	k := toPort(shop, 80)
	k.Peer = p
	return k
}

// An identity is waited for two seconds; what is found later counts for what comes then.
func TestIdentityIsWaitedForAndThenImproves(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(hundredSent, at(9))
	expect(t, "at 1 s of age", table.Collect(at(10), guess("db", false)))
	expect(t, "at 2 s of age", table.Collect(at(11), guess("db", false)), flows(shop,
		Flow{
			Key: unknownPeer, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 100},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
		}))

	table.Apply(sent(hundredSent, 130, 0), at(12))
	expect(t, "with a better answer", table.Collect(at(20), guess("db", true)), flows(shop,
		Flow{Key: knownPeer, Start: at(11), Connections: true, Counts: conn.Counts{conn.Sent: 30}, Active: 1},
		Flow{
			Key: unknownPeer, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 100},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)},
		}))

	table.Apply(ended(sent(hundredSent, 131, 0), conn.Reset), at(21))
	expect(t, "closed", table.Collect(at(30), guess("db", false)), flows(shop,
		Flow{
			Key: knownPeer, Start: at(11), Connections: true, Counts: conn.Counts{conn.Sent: 31},
			Outcomes: OutcomeCounts{Ends: outcomes(conn.Reset)},
		},
		Flow{
			Key: unknownPeer, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 100},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)},
		}))
}

func TestIdentitySettledAtOnce(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(hundredSent, at(9.9))
	expect(t, "at once", table.Collect(at(10), guess("db", true)), flows(shop,
		Flow{
			Key: knownPeer, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 100},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)}, Active: 1,
		}))
}

func TestClosedWhileItsIdentityWaits(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(hundredSent, at(9.5))
	table.Apply(ended(sent(hundredSent, 110, 0), conn.NoError), at(9.6))
	expect(t, "too early", table.Collect(at(10), guess("db", false)))
	table.Apply(hundredSent, at(10.5))
	expect(t, "found after its end", table.Collect(at(11), guess("db", true)), flows(shop, Flow{
		Key:         knownPeer,
		Start:       at(0),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 110},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.NoError), Ends: outcomes(conn.NoError)},
	}))
}

// An idle connection is looked up for a minute, and then when it is reported.
func TestIdleConnectionsAreLookedUpForAMinute(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(hundredSent, at(0))
	asked := 0
	ask := func(c conn.Conn) (Key, bool) {
		asked++
		return guess("db", false)(c)
	}
	for s := 10.0; s <= 600; s += 10 {
		table.Collect(at(s), ask)
	}
	if asked != 6 {
		t.Errorf("asked %d times in ten minutes, want 6", asked)
	}
	table.Apply(hundredSent, at(601))
	expect(t, "reported again", table.Collect(at(610), guess("db", true)), flows(shop,
		Flow{Key: knownPeer, Start: at(600), Connections: true, Active: 1},
		Flow{
			Key: unknownPeer, Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 100},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)},
		}))
}

func TestSettledIdentityIsNotLookedUpAgain(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(hundredSent, at(0))
	table.Collect(at(1), guess("db", true))
	table.Apply(sent(hundredSent, 101, 0), at(2))
	table.Collect(at(3), func(conn.Conn) (Key, bool) {
		t.Error("asked again")
		return Key{}, true
	})
}

func TestUnsettledIsNotSampledAgain(t *testing.T) {
	open := edit(dial(1, 80), func(c *conn.Conn) { c.RTT = time.Second })
	table := newTable(Config{}, at(0))
	table.Apply(open, at(1))
	for s := 10.0; s < 50; s += 10 {
		got := table.Collect(at(s), guess("", false))
		if n := got[0].Flows[0].Histograms[RTT].Count; n != 1 {
			t.Errorf("at %v s: %d samples of one report", s, n)
		}
		table.Apply(open, at(s+1)) // a full pass repeats it
	}
}

func TestFlowThatWasLeftExpires(t *testing.T) {
	table := newTable(Config{ExpireAfter: time.Minute}, at(0))
	table.Apply(dial(1, 80), at(0))
	table.Collect(at(10), guess("db", false))
	if got := table.Collect(at(20), guess("db", true)); len(got[0].Flows) != 2 {
		t.Fatalf("%d flows after the move, want 2", len(got[0].Flows))
	}
	key, _ := guess("db", true)(dial(1, 80))
	expect(t, "a minute later", table.Collect(at(80), guess("db", true)), flows(shop,
		Flow{Key: key, Start: at(10), Connections: true, Active: 1}))
}

func TestOwnerIsCorrected(t *testing.T) {
	open := sent(dial(1, 80), 100, 0)
	table := newTable(Config{}, at(0))
	table.Apply(owned(open, sshd), at(1))
	table.Collect(at(10), byPort)
	table.Apply(sent(open, 140, 0), at(11))
	expect(t, "increments and active go to the right owner", table.Collect(at(20), byPort),
		flows(sshd, Flow{
			Key: toPort(sshd, 80), Start: at(0), Connections: true, Counts: conn.Counts{conn.Sent: 100},
			Outcomes: OutcomeCounts{Attempts: outcomes(conn.NoError)},
		}),
		flows(shop, Flow{
			Key: toPort(shop, 80), Start: at(10), Connections: true, Counts: conn.Counts{conn.Sent: 40}, Active: 1,
		}))
}

func TestGenerationsAreConnectionsOfTheirOwn(t *testing.T) {
	refused := edit(dial(1, 80), func(c *conn.Conn) { c.Phase, c.Error = conn.Failed, conn.Refused })
	again := edit(sent(dial(1, 80), 5, 5), func(c *conn.Conn) { c.ID.Generation++ })
	table := newTable(Config{}, at(0))
	table.Apply(refused, at(1))
	table.Apply(again, at(1))
	expect(t, "both count", table.Collect(at(10), byPort), flows(shop, Flow{
		Key:         toPort(shop, 80),
		Start:       at(0),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 5, conn.Received: 5},
		Outcomes:    OutcomeCounts{Attempts: outcomes(conn.Refused, conn.NoError)},
		Active:      1,
	}))
}
