package pipeline

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

var (
	kubeDNS = netip.MustParseAddrPort("10.96.0.10:53")
	stub    = netip.MustParseAddrPort("10.244.1.11:40000")
)

// asked is what curl asked the service of the cluster's DNS at a time.
func asked(question string, at time.Time) conn.Lookup {
	return conn.Lookup{
		Namespace: conn.Namespace{Inode: 5, Cookie: 77}, Role: conn.RoleClient, Protocol: conn.UDP,
		Tuple: conn.Tuple{Source: stub, Destination: kubeDNS}, Process: conn.Process{PID: 4711, Executable: "curl"},
		Question: question, At: at, Answered: true, Latency: 2 * time.Millisecond,
	}
}

// follows opens a pipeline that follows DNS, and returns every key.
func (s *scripted) follows(t *testing.T) *Pipeline {
	t.Helper()
	s.now, s.stats.Tracked = at(1000), 1
	o := options(t)
	o.DNS, o.Mask = dns.Servers, func(k flow.Key) flow.Key { return k }
	p, err := Open(o, s.machine())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// looked returns the flows of look-ups after a collection.
func (s *scripted) looked(t *testing.T, p *Pipeline) (flows []*flow.Flow) {
	t.Helper()
	s.now = s.now.Add(time.Millisecond)
	resources, err := p.Collect(s.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		flows = append(flows, r.Flows...)
	}
	return slices.DeleteFunc(flows, func(f *flow.Flow) bool { return !f.Lookups })
}

// The reader of DNS gets the mode and the root of the host. One that cannot be opened costs its counts only.
func TestOpenLookups(t *testing.T) {
	root := emptyHost(t)
	for name, c := range map[string]struct {
		mode   DNSMode
		err    error
		follow []dns.Options
		closed []string
	}{
		"off":     {mode: dns.Off, closed: []string{"sockets", "tables"}},
		"not set": {closed: []string{"sockets", "tables"}},
		"servers": {dns.Servers, nil, []dns.Options{{Mode: dns.Servers, Root: root}}, []string{"sockets", "tables", "DNS"}},
		"all":     {dns.All, nil, []dns.Options{{Mode: dns.All, Root: root}}, []string{"sockets", "tables", "DNS"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{now: at(1000)}
			o := options(t)
			o.DNS, o.Root = c.mode, root
			p, err := Open(o, s.machine())
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil || !slices.Equal(s.closed, c.closed) {
				t.Errorf("closed %q, want %q (%v)", s.closed, c.closed, err)
			}
			if diff := cmp.Diff(c.follow, s.follow); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	s := &scripted{now: at(1000), dnsErr: errors.New("no BTF")}
	m := s.machine()
	m.Resolve = func(dns.Options) (Exchanges, error) { return Exchanges{}, s.dnsErr }
	o := options(t)
	o.DNS = dns.Servers
	p, err := Open(o, m)
	if err != nil || !errors.Is(errors.Join(p.Degraded()...), s.dnsErr) {
		t.Fatalf("degraded %v (%v)", p.Degraded(), err)
	}
	if err := errors.Join(p.Drain(at(1001)), p.Close()); err != nil {
		t.Error(err)
	}
	if h, err := p.Health(); err != nil || h.DNS != (dns.Stats{}) {
		t.Errorf("the health is %+v (%v)", h.DNS, err)
	}
}

// A failed read is returned beside what was read, and beside the connections.
func TestDrainOfLookupsFails(t *testing.T) {
	s := &scripted{}
	p := s.follows(t)
	s.dnsErr, s.dnsStats = errors.New("the ring is gone"), dns.Stats{Lost: 3}
	s.exchanges, s.reports = []conn.Lookup{asked("shop.example", s.now)}, []conn.Conn{dialled(1, conn.Open)}
	if err := p.Drain(s.now); !errors.Is(err, s.dnsErr) {
		t.Errorf("the error is %v", err)
	}
	if _, err := p.Health(); !errors.Is(err, s.dnsErr) {
		t.Errorf("of the health: %v", err)
	}
	s.dnsErr = nil
	if h, err := p.Health(); err != nil || h.DNS.Lost != 3 {
		t.Errorf("the health is %+v (%v)", h.DNS, err)
	}
	if got := s.looked(t, p); len(got) != 1 || got[0].Responses[0] != 1 {
		t.Errorf("flows %+v", got)
	}
	if stats := p.flows.Stats(); stats.Connections != 1 {
		t.Errorf("%d connections beside the look-up, want 1", stats.Connections)
	}
}

// A client's flow has the resolver that was asked for, and a server's flow has the client that it saw. Neither has the
// address that is behind a translation, nor a port of a client.
func TestFlowsOfLookups(t *testing.T) {
	server := asked("www.shop.example", at(999))
	server.Role, server.Tuple = conn.RoleServer, server.Tuple.Reverse()
	server.Tuple.Source = netip.MustParseAddrPort("10.244.2.5:53")
	unanswered := conn.Lookup{
		Namespace: server.Namespace, Role: conn.RoleClient, Protocol: conn.TCP, Tuple: asked("", at(0)).Tuple,
		Process: server.Process, At: at(999), Timeouts: 2,
	}
	service := conn.Peer{names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: "kube-dns"}
	pod := conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "web-1"}
	curl := conn.Owner{Executable: "curl"}
	for name, c := range map[string]struct {
		l    conn.Lookup
		want flow.Key
		port uint16 // of the question to the cluster
	}{
		"client": {asked("www.shop.example", at(999)), flow.Key{
			Owner: curl, Role: conn.RoleClient, ServerPort: 53, Peer: service, Local: stub, Remote: kubeDNS,
			Client: stub.Addr(), Question: "shop.example", Protocol: conn.UDP,
		}, 53},
		"server": {server, flow.Key{
			Owner: curl, Role: conn.RoleServer, ServerPort: 53, Peer: pod, Local: server.Tuple.Source, Remote: stub,
			Server: server.Tuple.Source.Addr(), Question: "shop.example", Protocol: conn.UDP,
		}, 0},
		"no response": {unanswered, flow.Key{
			Owner: curl, Role: conn.RoleClient, ServerPort: 53, Peer: service, Local: stub, Remote: kubeDNS,
			Client: stub.Addr(), Protocol: conn.TCP,
		}, 53},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{peers: map[netip.Addr]conn.Peer{kubeDNS.Addr(): service, stub.Addr(): pod}, certainty: conn.Final}
			p := s.follows(t)
			s.exchanges = []conn.Lookup{c.l}
			s.pass(t, p, DrainInterval)
			q := s.source.queries[0]
			if q.Address != c.want.Remote.Addr() || q.Port != c.port || !q.At.Equal(at(999)) || q.Namespace != c.l.Namespace {
				t.Errorf("the cluster was asked %+v", q)
			}
			got := s.looked(t, p)
			if len(got) != 1 {
				t.Fatalf("%d flows", len(got))
			}
			if diff := cmp.Diff(c.want, got[0].Key, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got[0].Timeouts != c.l.Timeouts || got[0].Responses[0] != 1-min(c.l.Timeouts, 1) {
				t.Errorf("%d time-outs, responses %v", got[0].Timeouts, got[0].Responses)
			}
		})
	}
}

// The cluster is not asked about a loopback address: a cache of this host.
func TestLookupAtALocalCache(t *testing.T) {
	s := &scripted{peers: map[netip.Addr]conn.Peer{}}
	p := s.follows(t)
	l := asked("shop.example", s.now)
	l.Tuple.Destination = netip.MustParseAddrPort("127.0.0.53:53")
	s.exchanges = []conn.Lookup{l}
	s.pass(t, p, DrainInterval)
	if got := s.looked(t, p); len(got) != 1 || len(s.source.queries) > 0 {
		t.Errorf("%d flows, and the cluster was asked %d times", len(got), len(s.source.queries))
	}
}

// An exchange waits for the name of its other end, for Patience at most, and at the last collection not at all. Beyond
// a limit none waits.
func TestLookupsWaitForTheirPeer(t *testing.T) {
	open := func(t *testing.T) (*scripted, *Pipeline) {
		s := &scripted{peers: map[netip.Addr]conn.Peer{}, certainty: conn.Unknown}
		p := s.follows(t)
		s.exchanges = []conn.Lookup{asked("shop.example", s.now)}
		s.pass(t, p, DrainInterval)
		if got := s.looked(t, p); len(got) != 0 {
			t.Fatalf("%d flows of an unknown peer", len(got))
		}
		return s, p
	}
	for name, certain := range map[string]func(*scripted, *Pipeline){
		"the peer is known":   func(s *scripted, _ *Pipeline) { s.source.answer = conn.Final },
		"after Patience":      func(s *scripted, _ *Pipeline) { s.now = s.now.Add(Patience - DrainInterval - time.Millisecond) },
		"the last collection": func(_ *scripted, p *Pipeline) { p.TakeAsFinal(true) },
		"too many wait": func(_ *scripted, p *Pipeline) {
			p.lookups.pending = slices.Repeat(p.lookups.pending, maxPendingLookups+1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := open(t)
			s.now = s.now.Add(-time.Millisecond)
			certain(s, p)
			if got := s.looked(t, p); len(got) != 1 || len(p.lookups.pending) != 0 {
				t.Errorf("%d flows, and %d exchanges wait", len(got), len(p.lookups.pending))
			}
		})
	}
}

// Clients choose the names, so each resource has a limited number of them. It gets a new set once it is gone.
func TestQuestionsAreBounded(t *testing.T) {
	s := &scripted{}
	p := s.follows(t)
	for i := range maxQuestions + 5 {
		s.exchanges = append(s.exchanges, asked(fmt.Sprintf("www.shop%d.example", i), s.now))
	}
	s.exchanges = append(s.exchanges, asked("api.shop0.example", s.now))
	s.pass(t, p, DrainInterval)
	counts := make(map[string]uint64)
	for _, f := range s.looked(t, p) {
		counts[f.Key.Question] += f.Responses[0]
	}
	if len(counts) != maxQuestions+1 || counts[names.OtherError] != 5 || counts["shop0.example"] != 2 {
		t.Errorf("%d names, %d for the rest, %d of the first", len(counts), counts[names.OtherError], counts["shop0.example"])
	}
	other := conn.Owner{Executable: "dig"}
	if got := p.lookups.bounded(other, "one.more.example"); got != "one.more.example" {
		t.Errorf("of another resource: %q", got)
	}
	if p.mask = byDefault; p.lookups.questions[other] == nil {
		t.Fatal("nothing to forget")
	}
	masked := asked("yet.another.example", s.now)
	if k, _ := p.identifyLookup(&masked, s.now); k.Question != "" || len(p.lookups.questions[k.Owner]) > maxQuestions {
		t.Errorf("a name that no metric shows is kept: %q", k.Question)
	}
}
