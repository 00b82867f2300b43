package conn

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/names"
)

var (
	near = netip.MustParseAddrPort("10.244.1.11:37016")
	far  = netip.MustParseAddrPort("10.96.1.3:9080")
	pod  = netip.MustParseAddrPort("10.244.2.13:8080")
)

func TestReverse(t *testing.T) {
	out := Tuple{Source: near, Destination: far}
	if got, want := out.Reverse(), (Tuple{Source: far, Destination: near}); got != want {
		t.Errorf("the answer to %v has %v", out, got)
	}
	if got := out.Reverse().Reverse(); got != out {
		t.Errorf("reversed twice: %v", got)
	}
	if got, want := (Sequence{1, 2}).Reverse(), (Sequence{2, 1}); got != want {
		t.Errorf("the other end has %v", got)
	}
}

func TestServerPort(t *testing.T) {
	for role, want := range map[Role]uint16{RoleClient: 9080, RoleServer: 37016, RoleUnknown: 0} {
		s := Socket{Role: role, Tuple: Tuple{Source: near, Destination: far}}
		if got := s.ServerPort(); got != want {
			t.Errorf("%s: port %d, want %d", role, got, want)
		}
	}
}

// Values are written as names has them: each constant is the value of its name.
func TestNamesOfValues(t *testing.T) {
	for got, want := range map[string]string{
		RoleUnknown.String(): "unknown", RoleClient.String(): "client", RoleServer.String(): "server",
		TCP.String():           "tcp",
		NATUnresolved.String(): "unresolved", NATNone.String(): "none", NATRedirect.String(): "redirect",
		NATDestination.String(): "dnat", NATSource.String(): "snat", NATBoth.String(): "dnat+snat",
		NATTransparent.String(): "tproxy",
		NoError.String():        "", Refused.String(): "refused", TimedOut.String(): "timed_out",
		Reset.String():           "reset",
		HostUnreachable.String(): "host_unreachable", NetworkUnreachable.String(): "network_unreachable",
		Cancelled.String(): "cancelled", NotSent.String(): "not_sent", Aborted.String(): "aborted",
		Lost.String(): "lost", Other.String(): "_OTHER",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := len(errorTypes); got != int(Errors) {
		t.Errorf("%d values of error.type for %d errors", got, Errors)
	}
	if got := len(nats); got != int(NATTransparent)+1 {
		t.Errorf("%d values of netconn.nat for %d kinds", got, NATTransparent+1)
	}
}

func TestRemote(t *testing.T) {
	out := Tuple{Source: near, Destination: far}
	translated := Route{NAT: NATDestination, Client: near, Server: pod}
	for name, tt := range map[string]struct {
		route Route
		tuple Tuple
		want  netip.AddrPort
		known bool
	}{
		"nothing is known": {Route{}, out, far, false},
		"the client's end": {translated, out, pod, true},
		"the server's end": {translated, Tuple{Source: pod, Destination: far}, near, true},
	} {
		if got, known := tt.route.Remote(tt.tuple); got != tt.want || known != tt.known {
			t.Errorf("%s: %v, %t; want %v, %t", name, got, known, tt.want, tt.known)
		}
	}
}

// End keeps the whole socket, whatever fields it has.
func TestEnd(t *testing.T) {
	c := Conn{
		Socket: Socket{
			ID: ID{Cookie: 1, Generation: 2}, Namespace: Namespace{Inode: 3, Cookie: 4}, Tuple: Tuple{near, far},
			Sequence: Sequence{5, 6}, Role: RoleServer, Phase: Failed, Error: Reset, SeenOpening: true,
			Transparent: true, ConnectHook: true,
		},
		Process: Process{PID: 7, Cgroup: 8, Executable: "app"},
		Owner:   Owner{ContainerID: "c"},
	}
	if got, want := c.End(), (End{Socket: c.Socket, Process: 7, Owner: c.Owner}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The time of a report is that of the opening, and the age. An accepted socket, and one that is older than netconn, have
// them too.
func TestReported(t *testing.T) {
	opened := time.Unix(1_700_000_000, 5)
	for age, want := range map[time.Duration]time.Time{0: opened, 90 * time.Second: time.Unix(1_700_000_090, 5)} {
		if got := (Timing{Opened: opened, Age: age}).Reported(); !got.Equal(want) {
			t.Errorf("%v after %v: %v, want %v", age, opened, got, want)
		}
	}
}

func TestPeerOr(t *testing.T) {
	for a := range names.PeerAttributes {
		var known, other Peer
		other[a] = "other"
		if got := known.Or(other); got != other {
			t.Errorf("%s: got %q", a, got)
		}
		if known[a] = "known"; known.Or(other) != known {
			t.Errorf("%s: %q has gone for %q", a, known[a], known.Or(other)[a])
		}
	}
}

// Peers are ordered by the first attribute that differs.
func TestPeerCompare(t *testing.T) {
	var peers []*Peer
	for a := range names.PeerAttributes {
		peers = append(peers, peerWith(a))
	}
	peers = append(peers, &Peer{})
	ordered := slices.Clone(peers)
	slices.Reverse(ordered)
	slices.SortFunc(peers, (*Peer).Compare)
	if !slices.Equal(peers, ordered) {
		t.Errorf("got %v, want %v", peers, ordered)
	}
	for _, p := range peers {
		if same := *p; p.Compare(&same) != 0 {
			t.Errorf("%v differs from itself", *p)
		}
	}
}

func peerWith(a names.Attribute) *Peer {
	var p Peer
	p[a] = "x"
	return &p
}

// A loss that a table of the kernel no longer holds, because the table was made anew, is not counted as negative.
func TestLossesThatFell(t *testing.T) {
	earlier := Losses{LostOpenings: 5, LostSent: 100}
	want := Losses{LostSent: 20, LostKnown: 1}
	if got := (Losses{LostOpenings: 2, LostSent: 120, LostKnown: 1}).Since(earlier); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if earlier[LostOpenings] != 5 {
		t.Error("the earlier sums have changed")
	}
}

// An end keeps what a report of its socket says, whatever the transport is, and the process that opened it.
func TestEndOfDatagrams(t *testing.T) {
	c := Conn{
		Socket: Socket{
			ID: ID{Cookie: 1, Generation: 2}, Protocol: UDP, Role: RoleServer, ConnectHook: true,
			Tuple:     Tuple{Source: netip.MustParseAddrPort("10.0.0.1:53"), Destination: netip.MustParseAddrPort("10.0.0.2:40000")},
			Datagrams: &Datagrams{Actual: netip.MustParseAddrPort("10.0.0.3:40000"), SentHash: 3, ReceivedHash: 4},
		},
		Process: Process{PID: 5},
		Owner:   Owner{ContainerID: "c"},
	}
	e := c.End()
	if e.Socket != c.Socket || e.Process != 5 || e.Owner != c.Owner {
		t.Errorf("%+v of %+v", e, c)
	}
	if got := e.ServerPort(); got != 53 {
		t.Errorf("the server's port is %d, want 53", got)
	}
	if e.Tuple.Reverse().Reverse() != e.Tuple || e.Tuple.Reverse().Source != e.Tuple.Destination {
		t.Errorf("%+v is reversed as %+v", e.Tuple, e.Tuple.Reverse())
	}
}
