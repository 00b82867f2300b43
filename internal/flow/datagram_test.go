package flow

import (
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// datagrams is a report of an exchange.
func datagrams(cookie uint64, sent, errors uint64, e conn.Error) conn.Conn {
	c := dial(cookie, 80)
	c.Protocol, c.SeenOpening, c.Error = conn.UDP, false, e
	c.Counts = conn.Counts{conn.Sent: sent, conn.DatagramErrors: errors}
	return c
}

// An exchange of datagrams is no attempt, and it has no end: it is active or not. Its errors count by the last of them.
func TestExchange(t *testing.T) {
	closed := edit(datagrams(1, 30, 3, conn.NoError), func(c *conn.Conn) { c.Phase = conn.Closed })
	checkLives(t, map[string]life{
		"open": {
			reports: [][]conn.Conn{{datagrams(1, 10, 0, conn.NoError)}},
			want:    Flow{Counts: conn.Counts{conn.Sent: 10}, Active: 1},
		},
		"with errors": {
			reports: [][]conn.Conn{{datagrams(1, 10, 2, conn.Refused)}, {datagrams(1, 20, 3, conn.HostUnreachable)}},
			want: Flow{
				Counts: conn.Counts{conn.Sent: 20, conn.DatagramErrors: 3}, Active: 1,
				Outcomes: OutcomeCounts{DatagramErrors: counted(map[conn.Error]uint64{conn.Refused: 2, conn.HostUnreachable: 1})},
			},
		},
		"closed": {
			reports: [][]conn.Conn{{datagrams(1, 10, 2, conn.Refused)}, {closed}},
			want: Flow{
				Counts:   conn.Counts{conn.Sent: 30, conn.DatagramErrors: 3},
				Outcomes: OutcomeCounts{DatagramErrors: counted(map[conn.Error]uint64{conn.Refused: 2, conn.Other: 1})},
			},
		},
	})
}

func counted(of map[conn.Error]uint64) (all [conn.Errors]uint64) {
	for e, n := range of {
		all[e] = n
	}
	return all
}

// What has no peer is in the overflow of its container, by a cause of its own. It takes no flow from others.
func TestRestIsOverflow(t *testing.T) {
	table := newTable(Config{LimitPerResource: 1}, at(0))
	rest := edit(datagrams(1, 10, 0, conn.NoError), func(c *conn.Conn) { c.Counts[conn.DatagramDrops] = 4 })
	table.Apply(rest, at(1))
	table.Apply(datagrams(2, 7, 0, conn.NoError), at(1))
	rs := table.Collect(at(2), func(c conn.Conn) (Key, bool) {
		k, settled := byPort(c)
		k.UDP, k.Rest = true, c.ID.Cookie == 1
		return k, settled
	})
	if len(rs) != 1 || len(rs[0].Flows) != 2 {
		t.Fatalf("%+v", rs)
	}
	named, beyond := rs[0].Flows[0], rs[0].Flows[1]
	if named.Counts[conn.Sent] != 7 || !beyond.Overflow || beyond.Counts[conn.Sent] != 10 ||
		beyond.Counts[conn.DatagramDrops] != 4 {
		t.Errorf("%+v and %+v", named, beyond)
	}
	if s := table.Stats(); s.Beyond != [Causes]uint64{ByPeers: 1} || len(s.Full) != 0 {
		t.Errorf("%+v", s)
	}
}
