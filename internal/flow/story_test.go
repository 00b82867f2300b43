package flow

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// at returns a time by the seconds since the table was made.
// patience is what the pipeline gives a table.
const patience = 2 * time.Second

func newTable(c Config, now time.Time) *Table {
	c.Patience = patience
	return New(c, now)
}

func at(seconds float64) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

var (
	shop = conn.Owner{ContainerID: "c1", PodUID: "p1", Executable: "shop"}
	bank = conn.Owner{ContainerID: "c2", PodUID: "p2", Executable: "bank"}
	sshd = conn.Owner{Unit: "ssh.service", Executable: "sshd"}
	host = conn.Owner{}
)

// dial returns the report of a connection that shop has just opened to port, with the counters of its handshake.
func dial(cookie uint64, port uint16) conn.Conn {
	return conn.Conn{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: cookie, Generation: 1},
			Tuple: conn.Tuple{
				Source:      netip.MustParseAddrPort("10.0.0.1:40000"),
				Destination: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), port),
			},
			Role: conn.RoleClient, SeenOpening: true,
		},
		Owner: shop,
	}
}

// edit returns c with a change.
func edit(c conn.Conn, change func(*conn.Conn)) conn.Conn {
	change(&c)
	return c
}

// sent returns c with totals of payload bytes.
func sent(c conn.Conn, out, in uint64) conn.Conn {
	c.Counts[conn.Sent], c.Counts[conn.Received] = out, in
	return c
}

// ended returns c as its last report.
func ended(c conn.Conn, e conn.Error) conn.Conn {
	c.Phase, c.Error = conn.Closed, e
	return c
}

// owned returns c with another owner.
func owned(c conn.Conn, o conn.Owner) conn.Conn {
	c.Owner = o
	return c
}

// byPort settles every connection at once.
func byPort(c conn.Conn) (Key, bool) {
	return Key{Owner: c.Owner, Role: c.Role, ServerPort: c.ServerPort()}, true
}

// toPort is the key that byPort gives to a connection that o dials.
func toPort(o conn.Owner, port uint16) Key {
	return Key{Owner: o, Role: conn.RoleClient, ServerPort: port}
}

// guess gives the port of a connection, and the peer's name only if it is settled.
func guess(name string, settled bool) Identify {
	return func(c conn.Conn) (Key, bool) {
		k, _ := byPort(c)
		k.Peer = conn.Peer{names.PeerType: names.TypeUnknown}
		if settled {
			k.Peer = conn.Peer{names.PeerType: names.TypeContainer, names.PeerName: name}
		}
		return k, settled
	}
}

// outcomes returns counts by conn.Error.
func outcomes(e ...conn.Error) (n [conn.Errors]uint64) {
	for _, e := range e {
		n[e]++
	}
	return n
}

// flows returns one resource.
func flows(o conn.Owner, f ...Flow) Resource {
	r := Resource{Owner: o}
	for i := range f {
		f[i].Key.Owner = o
		r.Flows = append(r.Flows, &f[i])
	}
	return r
}

// expect compares whole collections; what says at which point of the story.
func expect(t *testing.T, what string, got []Resource, want ...Resource) {
	t.Helper()
	if diff := cmp.Diff(want, got, options()...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func options() cmp.Options {
	return cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(Flow{}, "Shown")} // TestShownParts looks at it
}

// ports returns the port of every flow, by owner.
func ports(rs []Resource) map[conn.Owner][]uint16 {
	m := make(map[conn.Owner][]uint16)
	for _, r := range rs {
		for _, f := range r.Flows {
			p := f.Key.ServerPort
			if f.Overflow {
				p = overflowPort
			}
			m[r.Owner] = append(m[r.Owner], p)
		}
	}
	return m
}

// overflowPort stands for the overflow flow in the results of ports.
const overflowPort = 65535
