//go:build linux

package kernel

import (
	"testing"
	"time"

	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// A connection opened and ended when the applications opened and closed it, however late its end is read.
func TestTimesOfConnection(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{}, n)
	l := n.Listen("127.0.0.1:9080")
	opening := time.Now()
	client, server := n.Connect(l, "127.0.0.1:9080")
	opened := time.Now()
	time.Sleep(2 * tolerance)
	closing := time.Now()
	client.Close()
	server.Close()
	closed := time.Now()
	time.Sleep(4 * tolerance)
	for _, c := range w.waitEnded(2) {
		within(t, c.Role.String()+" opened", c.Opened, opening, opened)
		within(t, c.Role.String()+" ended", c.Reported(), closing, closed)
	}
}

// What is reported of a live connection is of the time of the snapshot.
func TestTimesOfLiveConnection(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{}, n)
	l := n.Listen("127.0.0.1:9080")
	opening := time.Now()
	n.Connect(l, "127.0.0.1:9080")
	opened := time.Now()
	time.Sleep(2 * tolerance)
	reading := time.Now()
	w.snapshot(true)
	read := time.Now()
	for _, role := range []conn.Role{conn.RoleClient, conn.RoleServer} {
		within(t, role.String()+" opened", w.liveOf(role).Opened, opening, opened)
		within(t, role.String()+" reported", w.liveOf(role).Reported(), reading, read)
	}
}

// tolerance is for softirqs that the kernel puts off, and for the reading of the clock.
const tolerance = 50 * time.Millisecond

func within(t *testing.T, what string, got, from, to time.Time) {
	t.Helper()
	if got.Before(from.Add(-tolerance)) || got.After(to.Add(tolerance)) {
		t.Errorf("%s at %v, want between %v and %v", what, got.UnixNano(), from.UnixNano(), to.UnixNano())
	}
}

// A step of the wall clock moves the records that are read after it, and no others.
func TestClockFollowsSteps(t *testing.T) {
	wall := time.Unix(1_700_000_000, 0)
	d := newDecoder()
	for _, step := range []time.Duration{0, time.Hour, -time.Hour} {
		d.clock = clock.Clock{Wall: wall.Add(step), Monotonic: 100 * time.Second}
		c := d.connection(sockConnectionRecord{TimeNs: uint64(99 * time.Second), AgeNs: uint64(9 * time.Second)})
		if want := wall.Add(step - time.Second); !c.Reported().Equal(want) || !c.Opened.Equal(want.Add(-9*time.Second)) {
			t.Errorf("step %v: opened %v, reported %v", step, c.Opened, c.Reported())
		}
	}
}
