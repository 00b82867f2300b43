package pipeline

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
)

var remote = netip.MustParseAddrPort("10.244.2.13:9080")

// dialled is a client's connection to a pod of another node, which began two seconds before it was reported.
func dialled(id uint64, p conn.Phase) conn.Conn {
	return conn.Conn{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: id, Generation: 1}, Namespace: conn.Namespace{Inode: 5, Cookie: 77}, Role: conn.RoleClient, Phase: p,
			SeenOpening: true, Sequence: conn.Sequence{Local: uint32(id), Remote: 1000},
			Tuple: conn.Tuple{Source: netip.MustParseAddrPort("10.244.1.11:40000"), Destination: remote},
		},
		Timing:  conn.Timing{Age: 2 * time.Second, Opened: at(998)},
		Process: conn.Process{PID: 4711, Executable: "curl"},
	}
}

// The cluster is asked who had the address when the connection began, whatever way the connection takes to the
// question.
func TestMomentReachesTheCluster(t *testing.T) {
	for name, c := range map[string]struct {
		phase conn.Phase
		ask   func(*testing.T, *scripted, *Pipeline)
	}{
		"by a drain": {conn.Closed, func(t *testing.T, s *scripted, p *Pipeline) {
			s.pass(t, p, DrainInterval)
			s.pass(t, p, DrainInterval)
		}},
		"by a collection": {conn.Open, func(t *testing.T, s *scripted, p *Pipeline) {
			s.now = s.now.Add(time.Second)
			if _, err := p.Collect(s.now); err != nil {
				t.Fatal(err)
			}
		}},
		"by an event": {conn.Closed, func(_ *testing.T, s *scripted, p *Pipeline) {
			p.WantEvents(true)
			p.events.add(dialled(1, conn.Closed), s.now)
			p.Events(s.now)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{peers: map[netip.Addr]conn.Peer{}}
			p := s.open(t)
			began := s.now.Add(-2 * time.Second)
			s.reports = []conn.Conn{dialled(1, c.phase)}
			if err := p.Drain(s.now); err != nil {
				t.Fatal(err)
			}
			s.source.queries = nil
			c.ask(t, s, p)
			if len(s.source.queries) == 0 {
				t.Fatal("nothing was asked")
			}
			for _, q := range s.source.queries {
				if !q.At.Equal(began) || q.Address != remote.Addr() || q.Port != remote.Port() {
					t.Errorf("asked %+v, want %v at %v", q, remote, began)
				}
			}
		})
	}
}

// Connection tracking is asked in the namespace that has the cookie, and not in another one that has its inode.
func TestNamespaceReachesConntrack(t *testing.T) {
	s := &scripted{outer: map[uint32]uint32{5: 6}}
	p := s.open(t)
	s.reports = []conn.Conn{dialled(1, conn.Open)}
	s.pass(t, p, DrainInterval)
	want := []conntrack.Lookup{
		{Namespace: 5, Cookie: 77, Process: 4711, Open: true, Tuple: dialled(1, conn.Open).Tuple},
		{Namespace: 6, Process: 4711, Open: true, Tuple: dialled(1, conn.Open).Tuple},
	}
	if diff := cmp.Diff(want, s.lookups, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a route knows is in the flow and in the event: who is really there, what was asked for, and by which port.
func TestTranslationReachesTheFlow(t *testing.T) {
	backend := netip.MustParseAddrPort("10.244.3.3:8080")
	s := &scripted{translate: func(l conntrack.Lookup) conntrack.Answer {
		return conntrack.Answer{
			Tuple: conn.Tuple{Source: l.Tuple.Source, Destination: backend}, State: conntrack.TimeWait,
		}
	}}
	p := s.open(t)
	p.WantEvents(true)
	s.reports = []conn.Conn{dialled(1, conn.Closed)}
	s.pass(t, p, DrainInterval)
	s.pass(t, p, DrainInterval)
	s.pass(t, p, Patience)
	events := p.Events(s.now)
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.NAT != conn.NATDestination || e.Server != backend || e.Client != e.Conn.Tuple.Source || e.Port != 8080 ||
		e.Original.Port != 9080 || e.Original.Address != remote.Addr() || e.Original.Name != "private" {
		t.Errorf("event: %+v", e.Identity)
	}
	resources, err := p.Collect(s.now)
	if err != nil || len(resources) != 1 || len(resources[0].Flows) != 1 {
		t.Fatalf("flows: %+v, %v", resources, err)
	}
	want := flow.Key{
		Owner: conn.Owner{Executable: "curl"}, Role: conn.RoleClient, ServerPort: 8080, NAT: conn.NATDestination,
		Peer:     conn.Peer{names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote},
		Original: flow.Original{Name: "private", Port: 9080},
	}
	if got := resources[0].Flows[0].Key; got != want {
		t.Errorf("flow: %+v, want %+v", got, want)
	}
}

// No packet is ever answered by a service's address. Where connection tracking shows no translation, another program
// has translated it: the server is not known, and the service is what was asked for. A pod at the address is an actual
// server.
func TestServiceIsNoServer(t *testing.T) {
	const port = 9080
	service := conn.Peer{names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: "reviews"}
	entered := conn.Peer{names.PeerType: names.TypeService, names.PeerName: "legacy"} // an address outside, of an endpoint
	pod := conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote}
	for name, c := range map[string]struct {
		peer conn.Peer
		nat  conn.NAT
	}{
		"service": {service, conn.NATUnresolved}, "entered by hand": {entered, conn.NATNone}, "pod": {pod, conn.NATNone},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{peers: map[netip.Addr]conn.Peer{remote.Addr(): c.peer}, certainty: conn.Final}
			p := s.open(t)
			p.WantEvents(true)
			s.reports = []conn.Conn{dialled(1, conn.Open)}
			s.pass(t, p, DrainInterval)
			s.pass(t, p, DrainInterval)
			got := p.resolve(dialled(1, conn.Open), s.now)
			want := Identity{NAT: c.nat, Server: remote, Port: port}
			if c.nat == conn.NATUnresolved {
				want.Server = netip.AddrPort{}
				want.Original = flow.Original{Name: "private", Port: port, Address: remote.Addr()}
			}
			if got.NAT != want.NAT || got.Server != want.Server || got.Port != want.Port || got.Original != want.Original {
				t.Errorf("got %v, server %v, port %d, original %+v", got.NAT, got.Server, got.Port, got.Original)
			}
		})
	}
}

// An identity is final once the cluster is certain of a pod elsewhere; other addresses may still have their end here.
func TestIdentitySettles(t *testing.T) {
	pod := conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerPod: "web-1"}
	for name, c := range map[string]struct {
		known     conn.Peer
		certainty conn.Answer
		want      bool
	}{
		"a pod elsewhere":             {pod, conn.Final, true},
		"a pod, and it may change":    {pod, conn.Provisional, false},
		"an unknown address":          {conn.Peer{}, conn.Final, false},
		"an address that may be used": {conn.Peer{}, conn.Unknown, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{peers: map[netip.Addr]conn.Peer{remote.Addr(): c.known}, certainty: c.certainty}
			p := s.open(t)
			s.reports = []conn.Conn{dialled(1, conn.Open)}
			s.pass(t, p, DrainInterval)
			s.pass(t, p, DrainInterval)
			reported := dialled(1, conn.Open)
			got := p.resolve(reported, s.now)
			if got.settled != c.want || got.Peer[names.PeerPod] != c.known[names.PeerPod] {
				t.Errorf("got %+v, want settled %v", got, c.want)
			}
		})
	}
}

// Two ends with owners are final as soon as both have a route; what is settled and has ended is let go of.
func TestPairSettles(t *testing.T) {
	s := &scripted{}
	p := s.open(t)
	p.briefs.limit = 0 // or nothing of the pair is kept
	client := dialled(1, conn.Closed)
	server := client
	server.ID.Cookie, server.Role, server.Process.Executable = 2, conn.RoleServer, "nginx"
	server.Sequence, server.Tuple = client.Sequence.Reverse(), client.Tuple.Reverse()
	s.reports = []conn.Conn{client, server}
	s.pass(t, p, DrainInterval)
	if got := p.resolve(client, s.now); !got.settled || got.Peer[names.PeerName] != "nginx" || got.NAT != conn.NATNone || got.Server != remote {
		t.Errorf("got %+v", got)
	}
	s.pass(t, p, DrainInterval)
	s.pass(t, p, DrainInterval)
	if v := p.ends.View(client.Sequence, client.ID); v.Route != nil || v.Found {
		t.Errorf("kept: %+v", v)
	}
	if stays(client, &conn.End{}, conn.Peer{}) {
		t.Error("an end without an owner may still get one")
	}
}

// A listener has the port of the socket, and the owner, unless they are masked.
func TestListener(t *testing.T) {
	s := &scripted{}
	p := s.open(t)
	s.listeners = []conn.Listener{{
		ID: conn.ID{Cookie: 9}, Local: netip.MustParseAddrPort("0.0.0.0:80"), Drops: 3, Process: conn.Process{PID: 1, Executable: "nginx"},
	}}
	s.pass(t, p, DrainInterval)
	masked := (&scripted{listeners: []conn.Listener{{ID: conn.ID{Cookie: 9}, Local: netip.MustParseAddrPort("0.0.0.0:80"), Drops: 4}}})
	m := masked.open(t)
	m.mask = func(flow.Key) flow.Key { return flow.Key{} }
	masked.pass(t, m, DrainInterval)
	for want, pipeline := range map[flow.Key]*Pipeline{
		{Owner: conn.Owner{Executable: "nginx"}, Role: conn.RoleServer, ServerPort: 80}: p, {Role: conn.RoleServer}: m,
	} {
		resources, err := pipeline.Collect(s.now)
		if err != nil || len(resources) != 1 || resources[0].Flows[0].Key != want || resources[0].Flows[0].ListenDrops < 3 {
			t.Errorf("got %+v, %v; want %+v", resources, err, want)
		}
	}
}

// A failed drain is returned, and what it reported before counts.
func TestDrainFails(t *testing.T) {
	s := &scripted{reports: []conn.Conn{dialled(1, conn.Failed)}, err: errors.New("broken")}
	p := s.open(t)
	if err := p.Drain(s.now); err == nil || err.Error() != "read the ended connections: broken" {
		t.Errorf("got %v", err)
	}
	s.err = nil
	s.pass(t, p, DrainInterval)
	resources, err := p.Collect(s.now.Add(Patience))
	if err != nil || totalsOf(resources).Attempts != 1 {
		t.Errorf("got %+v, %v", resources, err)
	}
}

func TestHealthAndClose(t *testing.T) {
	s := &scripted{peers: map[netip.Addr]conn.Peer{}, losses: conn.Losses{conn.LostCloses: 4}}
	p := s.open(t)
	s.reports = []conn.Conn{dialled(1, conn.Open)}
	s.pass(t, p, DrainInterval)
	s.pass(t, p, DrainInterval)
	h, err := p.Health()
	if err != nil || h.Kernel.Tracked != 1 || h.Losses[conn.LostCloses] != 4 || h.Flows.Connections != 1 || h.Cluster.Store.Pods != 3 {
		t.Errorf("got %+v, %v", h, err)
	}
	routes := make(map[string]uint64)
	for kind, n := range h.Routes() {
		routes[kind] = n
	}
	if routes["none"] != 1 || len(routes) != int(conn.NATTransparent)+1 {
		t.Errorf("routes: %v", routes)
	}
	for range h.OwnersUnresolved() {
		break // the loop may end early
	}
	if got := p.Faults(); len(got) != 1 || p.Host() != (Host{ID: "4d3c", Name: "node-1"}) {
		t.Errorf("faults %v, host %v", got, p.Host())
	}
	if err := p.Close(); err != nil || !slices.Equal(s.closed, []string{"sockets", "tables", "source"}) {
		t.Errorf("closed %v, %v", s.closed, err)
	}
}

// The longest lives derive from one patience, which flows, the cluster, ends and events are given.
func TestPatienceIsHandedOn(t *testing.T) {
	var joined kubernetes.Config
	m := silentMachine()
	m.Join = func(o Options, _ func() time.Time) (Sources, []error) { joined = o.Kubernetes; return nil, nil }
	p, err := Open(options(t), m)
	if err != nil {
		t.Fatal(err)
	}
	if joined.Patience != Patience {
		t.Errorf("the cluster waits for %v, want %v", joined.Patience, Patience)
	}
	// An end whose other end is not known is credited, and its event emitted, after the patience and not before.
	p.WantEvents(true)
	p.handler(at(0)).Conn(dialled(1, conn.Closed))
	for _, now := range []time.Time{at(0), at(0).Add(Patience - 1), at(0).Add(Patience)} {
		p.settle(now)
		emitted, pending := len(p.events.settled), p.flows.Stats().Pending
		if late := now.Sub(at(0)) >= Patience; (emitted == 1) != late || (pending == 0) != late {
			t.Errorf("after %v: %d events, %d pending", now.Sub(at(0)), emitted, pending)
		}
	}
}

// A snapshot reports only what has changed, so a connection that is absent from it has not ended.
func TestIdleConnectionsStayOpen(t *testing.T) {
	s := &scripted{live: []conn.Conn{dialled(1, conn.Open)}}
	p := s.open(t)
	for range 6 {
		s.now = s.now.Add(10 * time.Second)
		if _, err := p.Collect(s.now); err != nil {
			t.Fatal(err)
		}
		s.live = nil
	}
	if got := p.flows.Stats(); got.Connections != 1 || got.Lost != 0 {
		t.Errorf("%d connections, %d lost; want 1 and 0", got.Connections, got.Lost)
	}
}

// What the kernel could not report is in the totals.
func TestLossesAreCounted(t *testing.T) {
	s := &scripted{losses: conn.Losses{conn.LostSent: 100, conn.LostReceived: 200, conn.LostOpenings: 3}}
	p := s.open(t)
	resources, err := p.Collect(s.now.Add(time.Second))
	want := totals{Transmitted: 100, Received: 200, Attempts: 3}
	if got := totalsOf(resources); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
