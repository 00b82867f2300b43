package nat

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// A path is a connection and the namespaces that its packets pass, from the client's to the server's. Each may rewrite
// the destination, the source or both. It is the model that the properties are held against.
type path struct {
	asked  conn.Tuple
	passed []conn.Tuple // the client's packet as it leaves each namespace
}

// newPath makes one by chance: of namespaces that rewrite, the first is the client's and the last the server's.
func newPath(r *rand.Rand, namespaces int) path {
	random := func() netip.AddrPort {
		address := netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(3)), byte(r.IntN(3))})
		return netip.AddrPortFrom(address, uint16(1+r.IntN(3)))
	}
	p := path{asked: conn.Tuple{Source: random(), Destination: random()}}
	packet := p.asked
	for range namespaces {
		if r.IntN(3) == 0 {
			packet.Destination = random()
		}
		if r.IntN(3) == 0 {
			packet.Source = random()
		}
		p.passed = append(p.passed, packet)
	}
	return p
}

func (p path) arrived() conn.Tuple { return p.passed[len(p.passed)-1] }

func (p path) client() conn.End {
	return conn.End{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: 1}, Namespace: conn.Namespace{Inode: 1}, Role: conn.RoleClient, Tuple: p.asked,
			SeenOpening: true,
		},
	}
}

func (p path) server() conn.End {
	return conn.End{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: 2}, Namespace: conn.Namespace{Inode: 2}, Role: conn.RoleServer,
			Tuple: p.arrived().Reverse(), SeenOpening: true,
		},
	}
}

// fromClient are the steps of the packets that the client sends, in all namespaces.
func (p path) fromClient() (steps []Step) {
	for _, out := range p.passed {
		steps = append(steps, Step{Knowledge: Tracked, Out: out})
	}
	return steps
}

// fromServer are the steps of the packets that the server answers with.
func (p path) fromServer() (steps []Step) {
	for i := range p.passed {
		before := p.asked
		if i > 0 {
			before = p.passed[i-1]
		}
		steps = append(steps, Step{Knowledge: Tracked, Out: before.Reverse(), Reply: true})
	}
	slices.Reverse(steps)
	return steps
}

func FuzzPath(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, namespaces uint8) {
		p := newPath(rand.New(rand.NewPCG(seed, 0)), 1+int(namespaces)%MaxSteps)
		fromClient, fromServer := Follow(p.client(), p.fromClient()), Follow(p.server(), p.fromServer())
		between := Between(p.client(), p.server(), p.fromServer()[0])
		wantEnds(t, "seen by the client", p, fromClient)
		wantEnds(t, "seen by the server", p, fromServer)
		if p.asked.Destination != p.arrived().Destination {
			wantEnds(t, "seen by both", p, between)
		}
		if p.asked == p.arrived() && len(p.passed) == 1 {
			for _, r := range []conn.Route{fromClient, fromServer, between} {
				if r.NAT != conn.NATNone {
					t.Errorf("nothing is translated, and the route says %v", r.NAT)
				}
			}
		}
	})
}

// wantEnds holds a route against the path: who is at its ends, and what was asked for.
func wantEnds(t *testing.T, by string, p path, r conn.Route) {
	t.Helper()
	if r.Client != p.asked.Source || r.Server != p.arrived().Destination {
		t.Errorf("%s: %v to %v, want %v to %v; %+v", by, r.Client, r.Server, p.asked.Source, p.arrived().Destination, p)
	}
	if r.Asked.IsValid() && r.Asked != p.asked.Destination {
		t.Errorf("%s: asked for %v, want %v; %+v", by, r.Asked, p.asked.Destination, p)
	}
	if p.asked.Destination != p.arrived().Destination && !r.Asked.IsValid() {
		t.Errorf("%s: the destination was translated, but the original one is missing; %+v", by, p)
	}
}

// Whatever connection tracking says, a route is one of the kinds, keeps the end's own address, and is the same each
// time.
func FuzzFollow(f *testing.F) {
	f.Add(uint64(1), []byte{3, 0, 2, 1})
	f.Fuzz(func(t *testing.T, seed uint64, kinds []byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := newPath(r, 1).client()
		e.Role = conn.Role(r.IntN(3))
		var steps []Step
		for _, k := range kinds[:min(len(kinds), MaxSteps)] {
			steps = append(steps, Step{
				Knowledge: Knowledge(k % 4), Out: newPath(r, 1).asked, Reply: k&8 != 0, Local: k&16 != 0,
			})
		}
		route := Follow(e, steps)
		if own := (route.Client == e.Tuple.Source) || (route.Server == e.Tuple.Source); route.Client.IsValid() && !own {
			t.Errorf("neither end is the socket: %+v of %+v", route, e)
		}
		if again := Follow(e, steps); again != route {
			t.Errorf("%+v, and then %+v", route, again)
		}
		_ = route.NAT.String()
	})
}
