package pipeline

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
)

// An oracle is a source that says what a test says.
type oracle struct {
	peers   map[netip.Addr]conn.Peer
	owned   conn.Peer
	answer  conn.Answer
	service string
	zone    string
	faults  []conn.Fault
	health  kubernetes.Health
	queries []conn.Query
	close   func()
}

func (s *oracle) Peer(q conn.Query) (conn.Peer, conn.Answer) {
	s.queries = append(s.queries, q)
	if q.Here {
		return s.owned, s.answer
	}
	return s.peers[q.Address], s.answer
}

func (s *oracle) Service(conn.Protocol, netip.AddrPort) string { return s.service }
func (s *oracle) Here() (zone, region string, a conn.Answer)   { return s.zone, "", s.answer }
func (s *oracle) Warnings() []string                           { return []string{"warning of " + s.zone} }
func (s *oracle) Faults() []conn.Fault                         { return s.faults }
func (s *oracle) Health() kubernetes.Health                    { return s.health }

func (s *oracle) Close() {
	if s.close != nil {
		s.close()
	}
}

// A source is asked for the owner of an end on this machine, and otherwise for its address.
func TestQueryOfASource(t *testing.T) {
	s := &oracle{answer: conn.Final}
	p := &Pipeline{sources: Sources{s}}
	c := dialled(1, conn.Open)
	c.Namespace, c.Opened = conn.Namespace{Inode: 7}, at(990)
	web := conn.Owner{ContainerID: "c1"}
	remote := netip.MustParseAddrPort("10.244.1.7:80")
	p.named(c, nil, remote, at(1000))
	p.named(c, &conn.End{Owner: web}, remote, at(1000))
	c.Role = conn.RoleServer
	p.named(c, nil, remote, at(1000))
	for _, to := range []string{"127.0.0.1:80", "[::1]:80"} {
		if _, settled := p.named(c, nil, netip.MustParseAddrPort(to), at(1000)); !settled {
			t.Errorf("%s is waited for", to)
		}
	}
	if _, settled := p.named(c, nil, netip.AddrPort{}, at(1000)); !settled {
		t.Error("no address is waited for")
	}
	want := []conn.Query{
		{Address: remote.Addr(), Port: 80, Namespace: c.Namespace, At: at(990), Now: at(1000)},
		{Here: true, Owner: web, Namespace: c.Namespace, At: at(990), Now: at(1000)},
		{Address: remote.Addr(), Namespace: c.Namespace, At: at(990), Now: at(1000)}, // a client's port identifies no pod
	}
	if diff := cmp.Diff(want, s.queries, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The first source that knows what kind of peer it is describes it. A connection waits for that source and for those
// before it.
func TestSourcesInTurn(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.7")
	pod := conn.Peer{names.PeerType: names.TypePod, names.PeerName: "web"}
	other := conn.Peer{names.PeerType: names.TypeHost, names.PeerName: "db", names.PeerZone: "zone-b"}
	zone := conn.Peer{names.PeerZone: "zone-a"}
	says := func(p conn.Peer, answer conn.Answer) *oracle {
		return &oracle{peers: map[netip.Addr]conn.Peer{a: p}, answer: answer}
	}
	rows := map[string]struct {
		sources Sources
		want    conn.Peer
		settled bool
	}{
		"none":                         {nil, conn.Peer{}, true},
		"the first knows":              {Sources{says(pod, conn.Final), says(other, conn.Unknown)}, pod, true},
		"the first is not certain":     {Sources{says(pod, conn.Provisional), says(other, conn.Final)}, pod, false},
		"the second knows":             {Sources{says(conn.Peer{}, conn.Final), says(other, conn.Final)}, other, true},
		"the first may know later":     {Sources{says(conn.Peer{}, conn.Unknown), says(other, conn.Final)}, other, false},
		"none knows":                   {Sources{says(conn.Peer{}, conn.Final), says(conn.Peer{}, conn.Final)}, conn.Peer{}, true},
		"one may know later":           {Sources{says(conn.Peer{}, conn.Final), says(conn.Peer{}, conn.Unknown)}, conn.Peer{}, false},
		"the first knows only a place": {Sources{says(zone, conn.Final), says(other, conn.Final)}, zone.Or(other), true},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got, settled := row.sources.peer(conn.Query{Address: a})
			if got != row.want || settled != row.settled {
				t.Errorf("got %v, settled %v; want %v, %v", got, settled, row.want, row.settled)
			}
		})
	}
}

// The other questions go to the first source that has an answer.
func TestSourcesTogether(t *testing.T) {
	closed := 0
	away := conn.Fault{About: "pods", Err: errors.New("watch pods")}
	quiet := &oracle{answer: conn.Final, close: func() { closed++ }}
	s := Sources{quiet, &oracle{
		answer: conn.Provisional, service: "reviews.default", zone: "zone-a", faults: []conn.Fault{away},
		close: func() { closed++ },
	}}
	if got := s.service(conn.TCP, netip.MustParseAddrPort("10.96.1.3:80")); got != "reviews.default" {
		t.Errorf("the service is %q", got)
	}
	if zone, _, settled := s.here(); zone != "zone-a" || settled {
		t.Errorf("the zone is %q, settled %v", zone, settled)
	}
	if zone, _, settled := s[:1].here(); zone != "" || !settled {
		t.Errorf("without a zone: %q, settled %v", zone, settled)
	}
	if got := s.faults(); len(got) != 1 || got[0] != away {
		t.Errorf("faults %v", got)
	}
	if got := s.warnings(); !slices.Equal(got, []string{"warning of ", "warning of zone-a"}) {
		t.Errorf("warnings %q", got)
	}
	if s.close(); closed != 2 {
		t.Errorf("%d of 2 are closed", closed)
	}
}

// What cannot be opened is named, and costs only itself.
func TestSourceThatCannotBeOpened(t *testing.T) {
	o := options(t)
	if s, missing := openSources(o, time.Now); len(s) != 0 || len(missing) != 0 {
		t.Errorf("none is configured: %d, %v", len(s), missing)
	}
	o.Kubernetes = kubernetes.Config{AuthType: kubernetes.AuthKubeConfig, Context: "no-such-context"}
	s, missing := openSources(o, time.Now)
	if len(s) != 0 || len(missing) != 1 {
		t.Fatalf("%d sources, missing %v", len(s), missing)
	}
	m := silentMachine()
	m.Join = func(Options, func() time.Time) (Sources, []error) { return s, missing }
	p, err := Open(o, m)
	if err != nil || !slices.Contains(p.Degraded(), missing[0]) {
		t.Errorf("degraded %v, %v", p.Degraded(), err)
	}
}
