package ends

import (
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Only references lead to the ends of a pair, until both are released. An earlier record in their memory, which expires
// meanwhile, takes nothing away.
func TestAddPair(t *testing.T) {
	x := newIndex()
	before, _ := ends(100)
	refused := before
	refused.Phase, refused.Error, refused.Sequence = conn.Failed, conn.Refused, conn.Sequence{}
	e := x.Add(&refused, start)
	x.Release(e, true)
	x.Expire(start.Add(tick))

	client, server := ends(200)
	client, server = closing(client), closing(server)
	a, b := x.AddPair(&client, &server, start)
	if e.live() {
		t.Fatal("the attempt is live")
	}
	if x.Has(client.Sequence) || x.Has(server.Sequence) {
		t.Error("the index leads to an end of the pair")
	}
	x.Settle(start)
	x.Settle(start) // the answer is confirmed
	now := start.Add(time.Minute)
	x.Expire(now)
	for range 2 {
		if v := x.Of(a, &client); !v.Found || !v.Settled || v.Other.ID != server.ID || !b.Paired() {
			t.Fatalf("the client's: %+v", v)
		}
		x.Release(b, false)
	}
	x.Release(a, false)
	if a.live() || b.live() || x.Of(a, &client).Found {
		t.Error("the pair is kept after both ends were released")
	}
	if got := x.Stats().Routes; got[conn.NATUnresolved] != 3 {
		t.Errorf("routes: %v", got)
	}
}

// The end that comes later finds the one that was released and is not expired.
func TestReleaseKeepsAnEndForTheOther(t *testing.T) {
	x := newIndex()
	client, server := ends(100)
	client, server = closing(client), closing(server)
	a := x.Add(&client, start)
	x.Settle(start)
	x.Settle(start)
	if a.Paired() {
		t.Error("the client's end is paired")
	}
	x.Release(a, true)
	b := x.Add(&server, start.Add(grace/2))
	if v := x.Of(b, &server); !v.Found || v.Other.ID != client.ID {
		t.Errorf("the server's: %+v", v)
	}
	x.Settle(start.Add(grace / 2))
	x.Release(b, true)
	x.Expire(start.Add(grace/2 + tick))
	if x.Has(client.Sequence) || x.Has(server.Sequence) || x.Of(b, &server).Found {
		t.Error("both ends are done, and kept")
	}
}
