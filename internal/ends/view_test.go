package ends

import (
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// A view is settled when the route of each end is known.
func TestViewSettles(t *testing.T) {
	client, server := ends(100)
	j := newJourney(t, &tracking{})
	settled := func(want bool) {
		t.Helper()
		if got := j.View(client.Sequence, client.ID).Settled; got != want {
			t.Errorf("settled: %v, want %v", got, want)
		}
	}
	j.read(client)
	settled(false)
	j.read()
	settled(true)
	j.read(server)
	settled(false)
	j.read()
	settled(true)
	if n := j.Waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// What is beyond the limit has no route, and the attempts are counted as unresolved.
func TestViewBeyondTheLimit(t *testing.T) {
	j := newLimitedJourney(t, &tracking{}, 1)
	j.read(dialled(1, conn.Open), dialled(2, conn.Open))
	j.read()
	if v := j.View(dialled(2, conn.Open).Sequence, dialled(2, conn.Open).ID); v.Route != nil || v.Settled || v.Found {
		t.Errorf("got %+v", v)
	}
	if v := j.View(conn.Sequence{}, conn.ID{Cookie: 9}); v.Route.NAT != conn.NATUnresolved || !v.Settled {
		t.Errorf("an attempt: got %+v", v)
	}
	if got := j.Stats().Refused; got != 1 {
		t.Errorf("%d refused, want 1", got)
	}
}

// Each end is counted once, by the route that was found first.
func TestRoutesAreCountedOnce(t *testing.T) {
	o := service(true)
	j := newJourney(t, o)
	client := dialled(1, conn.Open)
	j.read(client)
	j.read()
	server := client
	server.ID.Cookie, server.Role, server.Sequence = 7, conn.RoleServer, client.Sequence.Reverse()
	server.Tuple = conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.13:9080"), Destination: client.Tuple.Source}
	server.Namespace.Inode = 3
	j.read(server)
	j.read()
	want := [conn.NATTransparent + 1]uint64{conn.NATDestination: 2}
	if got := j.Stats(); got.Routes != want || got.Conflicts != 0 {
		t.Errorf("got %+v, want routes %v", got, want)
	}
}

// The two connections of one tuple are one conflict.
func TestConflictsAreCounted(t *testing.T) {
	j := newJourney(t, service(false))
	j.read(dialled(1, conn.Closed))
	j.read(dialled(2, conn.Closed))
	j.read()
	if got := j.Stats().Conflicts; got != 1 {
		t.Errorf("%d conflicts, want 1", got)
	}
}

// What a large snapshot needed is not kept.
func TestLargeSnapshotLeavesNothing(t *testing.T) {
	j := newJourney(t, &tracking{})
	for i := range uint32(3 * maxSpare) {
		c := dialled(uint64(i)+1, conn.Open)
		c.Tuple.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 40000)
		j.Add(&c, j.now)
	}
	j.read()
	j.read()
	if n := cap(j.queue) + cap(j.begun) + cap(j.round) + cap(j.questions); n > 4*maxSpare {
		t.Errorf("room for %d is kept", n)
	}
	if n := len(j.spareLookups); n > maxSpare {
		t.Errorf("%d lookups are kept", n)
	}
}
