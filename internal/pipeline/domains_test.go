package pipeline

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

const (
	partner     = "api.partner.example"
	outsideAddr = "203.0.113.9"
)

// answering opens a pipeline that follows DNS and knows an address of a partner.
func (s *scripted) answering(t *testing.T, mode DNSMode, limit int) *Pipeline {
	t.Helper()
	s.now, s.stats.Tracked = at(1000), 1
	s.answered = map[string][]dns.Address{partner: addresses(outsideAddr)}
	o := options(t)
	o.DNS, o.PeerDomains, o.Mask = mode, limit, func(k flow.Key) flow.Key {
		k.Local, k.Client, k.Server = netip.AddrPort{}, netip.Addr{}, netip.Addr{}
		return k
	}
	p, err := Open(o, s.machine())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func addresses(all ...string) (list []dns.Address) {
	for _, a := range all {
		list = append(list, dns.Address{Address: netip.MustParseAddr(a), TTL: 60})
	}
	return list
}

// connected is a connection to an address outside, opened at a time.
func connected(id uint64, to string, opened time.Time, p conn.Phase) conn.Conn {
	c := dialled(id, p)
	c.Tuple.Destination = netip.AddrPortFrom(netip.MustParseAddr(to), 443)
	c.Opened, c.Counts[conn.Sent] = opened, 100*id
	return c
}

// byDomain returns the bytes that were sent after a collection, by the name of the peer; "-": its class alone.
func (s *scripted) byDomain(t *testing.T, p *Pipeline) map[string]uint64 {
	t.Helper()
	resources, err := p.Collect(s.now)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(map[string]uint64)
	for _, r := range resources {
		for _, f := range r.Flows {
			if f.Lookups || !f.Connections {
				continue
			}
			name := f.Key.Peer[names.PeerDomain]
			if name == "" {
				name = "-"
			}
			sent[strings.TrimSpace(name)] += f.Counts[conn.Sent]
		}
	}
	return maps.Clone(sent)
}

func wantDomains(t *testing.T, s *scripted, p *Pipeline, want map[string]uint64) {
	t.Helper()
	if diff := cmp.Diff(want, s.byDomain(t, p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The name is that of the last answer before the connection was opened that held then. Attempts that failed have it too.
func TestNamesOfPeersOutside(t *testing.T) {
	for name, c := range map[string]struct {
		lookup func(*conn.Lookup)
		conn   func(*conn.Conn)
		want   string
	}{
		"asked before":     {want: partner},
		"failed":           {conn: func(c *conn.Conn) { c.Phase, c.Sequence = conn.Failed, conn.Sequence{} }, want: partner},
		"asked afterwards": {lookup: func(l *conn.Lookup) { l.At = at(999) }, want: "-"},
		"too long ago":     {lookup: func(l *conn.Lookup) { l.At = at(900) }, want: "-"},
		"no query":         {lookup: func(l *conn.Lookup) { l.Latency = 0 }, want: "-"},
		"no such name":     {lookup: func(l *conn.Lookup) { l.Rcode = 3 }, want: "-"},
		"other address":    {conn: func(c *conn.Conn) { c.Tuple.Destination = netip.MustParseAddrPort("203.0.113.10:443") }, want: "-"},
		"other host":       {lookup: func(l *conn.Lookup) { l.Namespace.Inode = 6 }, want: "-"},
		"a server":         {conn: func(c *conn.Conn) { c.Role = conn.RoleServer }, want: "-"},
		"this machine":     {conn: func(c *conn.Conn) { c.Tuple.Source = netip.AddrPortFrom(netip.MustParseAddr(outsideAddr), 40000) }, want: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{}
			p := s.answering(t, dns.All, 100)
			l, v := asked(partner, at(997)), connected(1, outsideAddr, at(998), conn.Closed)
			if c.lookup != nil {
				c.lookup(&l)
			}
			if c.conn != nil {
				c.conn(&v)
			}
			s.exchanges, s.reports = []conn.Lookup{l}, []conn.Conn{v}
			s.pass(t, p, DrainInterval)
			s.pass(t, p, DrainInterval)
			s.pass(t, p, Patience)
			wantDomains(t, s, p, map[string]uint64{c.want: 100})
		})
	}
}

// An exchange of UDP, such as QUIC's, has the name too, for as long as it lasts. So many answers follow that the first one
// is forgotten. While the cluster's API does not answer, each report is looked up again, after that too.
func TestNamesOfDatagrams(t *testing.T) {
	to := func(r conn.Role, remote string) conn.Conn {
		c := exchange(1, r, "192.0.2.7:40000", remote)
		c.Namespace, c.Opened = conn.Namespace{Inode: 5, Cookie: 77}, at(998)
		return c
	}
	quic := outsideAddr + ":443"
	for name, tt := range map[string]struct {
		exchange conn.Conn
		asked    time.Time
		api      conn.Answer
		want     string
	}{
		"asked before":      {to(conn.RoleClient, quic), at(997), conn.Final, partner},
		"the API is silent": {to(conn.RoleClient, quic), at(997), conn.Provisional, partner},
		"asked afterwards":  {to(conn.RoleClient, quic), at(999), conn.Final, ""},
		"other address":     {to(conn.RoleClient, "203.0.113.10:443"), at(997), conn.Final, ""},
		"a server":          {to(conn.RoleServer, quic), at(997), conn.Final, ""},
		"translated":        {actual(to(conn.RoleClient, "203.0.113.10:443"), quic), at(997), conn.Final, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := counting{dns: dns.All, exchanges: []conn.Conn{tt.exchange}}
			s.peers, s.certainty = map[netip.Addr]conn.Peer{}, tt.api
			s.answered = map[string][]dns.Address{partner: addresses(outsideAddr)}
			s.scripted.exchanges = []conn.Lookup{asked(partner, tt.asked)}
			p := s.open(t, UDPUsed)
			s.pass(t, p, DrainInterval)
			s.collect(t, p) // without an answer of the API, an identity waits
			for i := range 12 {
				all := s.collect(t, p)
				if len(all) != 1 || all[0].Key.Peer[names.PeerDomain] != tt.want || all[0].Counts != s.exchanges[0].Counts {
					t.Fatalf("%d flows, %+v; want the peer %q", len(all), all, tt.want)
				}
				s.exchanges[0].Counts[conn.Sent] += 1200
				other := fmt.Sprintf("other%d.example", i)
				s.answered[other] = addresses(outsideAddr)
				s.scripted.exchanges = []conn.Lookup{asked(other, s.now)}
				s.pass(t, p, DrainInterval)
			}
			opened := tt.exchange
			if got := p.domains.find(&opened, netip.MustParseAddr(outsideAddr)); got != "" {
				t.Errorf("the answer %q is still known, so nothing shows that the exchange keeps it", got)
			}
		})
	}
}

// A peer that the cluster knows has its name, and no domain. A name that was translated is not that of who answers.
func TestNamesOfPeersInside(t *testing.T) {
	s := &scripted{
		peers: map[netip.Addr]conn.Peer{
			netip.MustParseAddr(outsideAddr): {names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "web"},
		}, certainty: conn.Final,
	}
	p := s.answering(t, dns.All, 100)
	s.exchanges = []conn.Lookup{asked(partner, at(997))}
	s.reports = []conn.Conn{connected(1, outsideAddr, at(998), conn.Closed)}
	s.pass(t, p, Patience)
	s.pass(t, p, Patience)
	wantDomains(t, s, p, map[string]uint64{"-": 100})
	to := conn.Peer{names.PeerType: names.TypePublic}
	c := connected(2, outsideAddr, at(998), conn.Open)
	if name, _ := p.nameOutside(&c, "", netip.MustParseAddrPort("203.0.113.10:443"), &to); name != "" {
		t.Errorf("a peer behind a translation is %q", to[names.PeerDomain])
	}
}

// A connection keeps its name for as long as it lives, whatever the answers are later, and one of another time has the
// name of that time.
func TestNameStaysWithTheConnection(t *testing.T) {
	s := &scripted{}
	p := s.answering(t, dns.All, 100)
	s.exchanges = []conn.Lookup{asked(partner, at(997))}
	s.live = []conn.Conn{connected(1, outsideAddr, at(998), conn.Open)}
	s.pass(t, p, DrainInterval)
	wantDomains(t, s, p, map[string]uint64{})
	s.pass(t, p, Patience)
	wantDomains(t, s, p, map[string]uint64{partner: 100})

	s.answered["other.example"] = addresses(outsideAddr)
	s.exchanges = []conn.Lookup{asked("other.example", at(1003))}
	s.live[0].Counts[conn.Sent] = 150
	s.live = append(s.live, connected(2, outsideAddr, at(1004), conn.Open))
	s.pass(t, p, DrainInterval)
	s.byDomain(t, p)
	for range 10 {
		s.pass(t, p, time.Minute)
		wantDomains(t, s, p, map[string]uint64{partner: s.live[0].Counts[conn.Sent], "other.example": 200})
		s.live[0].Counts[conn.Sent]++
	}
}

// A connection that began after the last reading of DNS waits for the next one, which may have its answer.
func TestConnectionWaitsForItsAnswer(t *testing.T) {
	s := &scripted{}
	p := s.answering(t, dns.All, 100)
	s.pass(t, p, DrainInterval)
	s.reports = []conn.Conn{connected(1, outsideAddr, s.now.Add(time.Millisecond), conn.Failed)}
	s.reports[0].Sequence = conn.Sequence{}
	if err := p.sockets.Drain(p.handler(s.now)); err != nil {
		t.Fatal(err)
	}
	wantDomains(t, s, p, map[string]uint64{})
	s.exchanges = []conn.Lookup{asked(partner, s.now.Add(time.Microsecond))}
	s.pass(t, p, DrainInterval)
	wantDomains(t, s, p, map[string]uint64{partner: 100})
}

// Containers know what they asked themselves, those of a pod what any of them did, and programs of a host what any
// program in their network namespace did.
func TestWhoKnowsAName(t *testing.T) {
	netns := conn.Namespace{Inode: 5, Cookie: 77}
	host, container := conn.Owner{Unit: "ssh.service", Executable: "curl"}, conn.Owner{ContainerID: "5e0a", Executable: "app"}
	pod, sidecar := conn.Owner{ContainerID: "77f1", PodUID: "u"}, conn.Owner{ContainerID: "88f1", PodUID: "u"}
	client := conn.Lookup{Role: conn.RoleClient, Namespace: netns, Tuple: asked("", at(0)).Tuple}
	server := conn.Lookup{Role: conn.RoleServer, Namespace: netns, Tuple: client.Tuple.Reverse()}
	beside := server
	beside.Tuple.Destination = netip.MustParseAddrPort("127.0.0.1:4711")
	for name, c := range map[string]struct {
		mode  DNSMode
		asked conn.Lookup
		by    conn.Owner
		known []string // by whom
	}{
		"container":     {dns.All, client, container, []string{"container"}},
		"pod":           {dns.All, client, sidecar, []string{"pod", "sidecar"}},
		"host":          {dns.All, client, host, []string{"host"}},
		"server of all": {dns.All, server, container, nil},
		"server":        {dns.Servers, server, container, []string{"container", "host", "pod", "sidecar"}},
		"beside":        {dns.Servers, beside, container, []string{"container", "host", "pod", "sidecar"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDomains(Options{DNS: c.mode, PeerDomains: 1})
			l := c.asked
			l.Owner, l.Question, l.At, l.Latency = c.by, partner, at(997), time.Millisecond
			d.learn(&l, addresses(outsideAddr))
			var known []string
			for name, o := range map[string]conn.Owner{"host": host, "container": container, "pod": pod, "sidecar": sidecar} {
				v := connected(1, outsideAddr, at(998), conn.Open)
				v.Owner = o
				if d.find(&v, netip.MustParseAddr(outsideAddr)) == partner {
					known = append(known, name)
				}
				v.Namespace, v.Tuple.Source = conn.Namespace{Inode: 9}, netip.MustParseAddrPort("10.244.1.12:40000")
				if got := d.find(&v, netip.MustParseAddr(outsideAddr)); got != "" && (o == host || c.mode == dns.Servers) {
					t.Errorf("%s in another namespace knows %q", name, got)
				}
			}
			slices.Sort(known)
			if !slices.Equal(known, c.known) {
				t.Errorf("%q know the name, want %q", known, c.known)
			}
		})
	}
}

// If it is not known who asked, no connection gets the name.
func TestUnknownAsker(t *testing.T) {
	d := newDomains(Options{DNS: dns.All, PeerDomains: 1})
	l := conn.Lookup{Role: conn.RoleClient, Question: partner, At: at(997), Latency: time.Millisecond}
	d.learn(&l, addresses(outsideAddr))
	c := connected(1, outsideAddr, at(998), conn.Open)
	c.Namespace = conn.Namespace{}
	if got := d.find(&c, netip.MustParseAddr(outsideAddr)); got != "" || d.stats().Known != 0 {
		t.Errorf("the name is %q, and %d are known", got, d.stats().Known)
	}
}

// A resource has as many names as the limit says. The rest has the class of the address, and no bytes are lost.
func TestDomainsAreBounded(t *testing.T) {
	s := &scripted{}
	p := s.answering(t, dns.All, 2)
	want := make(map[string]uint64)
	for i := range uint64(5) {
		name, address := fmt.Sprintf("host%d.example", i), fmt.Sprintf("203.0.113.%d", 20+i)
		s.answered[name] = addresses(address)
		s.exchanges = append(s.exchanges, asked(name, at(997)))
		s.reports = append(s.reports, connected(i+1, address, at(998), conn.Closed))
		if i >= 2 {
			name = "-"
		}
		want[name] += 100 * (i + 1)
	}
	s.pass(t, p, DrainInterval)
	s.pass(t, p, Patience)
	s.pass(t, p, Patience)
	h, err := p.Health()
	if diff := cmp.Diff(DomainStats{Known: 5, Full: 1}, h.Domains); diff != "" || err != nil {
		t.Errorf("(-want +got):\n%s%v", diff, err)
	}
	wantDomains(t, s, p, want)
	none := &scripted{}
	q := none.answering(t, dns.All, 0)
	none.exchanges, none.reports = []conn.Lookup{asked(partner, at(997))}, []conn.Conn{connected(1, outsideAddr, at(998), conn.Closed)}
	none.pass(t, q, Patience)
	none.pass(t, q, Patience)
	wantDomains(t, none, q, map[string]uint64{"-": 100})
	if got := q.domains.stats(); got != (DomainStats{}) {
		t.Errorf("without names: %+v", got)
	}
}
