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
	"github.com/netconn/netconn/internal/pair"
)

// An oracle is connection tracking that a test answers for.
type oracle struct {
	answers map[place]conntrack.Answer // what is not there has no entry
	outers  map[uint32]uint32
	lost    map[uint32]bool // namespaces of which it is not known what is around them
	asked   []place
}

func (o *oracle) tables() Tables {
	return Tables{
		Ask: func(_ time.Time, questions []conntrack.Lookup) (answers []conntrack.Answer) {
			for _, q := range questions {
				at := place{q.Namespace, q.Tuple}
				o.asked = append(o.asked, at)
				a, there := o.answers[at]
				if !there {
					a.Result = conntrack.NoEntry
				}
				answers = append(answers, a)
			}
			return answers
		},
		Local: func(_ time.Time, _ uint32, a netip.Addr) (bool, error) { return a.IsLoopback(), nil },
		Outer: func(_ time.Time, namespace uint32, _ netip.Addr) (uint32, error) {
			if o.lost[namespace] {
				return 0, errors.New("not known")
			}
			return o.outers[namespace], nil
		},
	}
}

// journey is what routes do with reports, as the pipeline has them do it.
type journey struct {
	*routes
	t   *testing.T
	now time.Time
}

func newJourney(t *testing.T, o *oracle) *journey {
	j := &journey{t: t, now: at(0)}
	j.routes = newRoutes(o.tables(), pair.New(), func() time.Time { return j.now })
	return j
}

// read reads reports a moment later.
func (j *journey) read(reports ...conn.Conn) {
	j.now = j.now.Add(100 * time.Millisecond)
	j.routes.read(j.now)
	for _, c := range reports {
		j.note(c, j.pairs.Add(c, j.now), j.now)
	}
	j.settle(j.now)
}

func (j *journey) want(c conn.Conn, want *conn.Route) {
	j.t.Helper()
	equal := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want, j.of(c), equal); diff != "" {
		j.t.Errorf("route of %d (-want +got):\n%s", c.ID.Cookie, diff)
	}
}

const pod, node = 1, 2

// dialled is the client's end of a connection to a service.
func dialled(id uint64, phase conn.Phase) conn.Conn {
	return conn.Conn{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: id}, Namespace: conn.Namespace{Inode: pod}, Role: conn.RoleClient,
			Phase: phase, SeenOpening: true,
			Sequence: conn.Sequence{Local: uint32(id), Remote: uint32(id) + 1000},
			Tuple:    conn.Tuple{Source: netip.MustParseAddrPort("10.244.1.11:40000"), Destination: netip.MustParseAddrPort("10.96.1.3:80")},
		},
	}
}

// service is a node that translates what its pods dial.
func service(state conntrack.State) *oracle {
	packet := dialled(1, conn.Open).Tuple
	translated := conn.Tuple{Source: packet.Source, Destination: netip.MustParseAddrPort("10.244.2.13:9080")}
	return &oracle{
		answers: map[place]conntrack.Answer{{node, packet}: {Tuple: translated, State: state}},
		outers:  map[uint32]uint32{pod: node},
	}
}

func toBackend() *conn.Route {
	return &conn.Route{
		NAT: conn.NATDestination, Client: netip.MustParseAddrPort("10.244.1.11:40000"), Server: netip.MustParseAddrPort("10.244.2.13:9080"),
		Asked: netip.MustParseAddrPort("10.96.1.3:80"), Port: 9080,
	}
}

// An answer counts once the next reports tell of nobody else with the same tuple.
func TestAnswersAreConfirmed(t *testing.T) {
	o := service(conntrack.TimeWait)
	j := newJourney(t, o)
	c := dialled(1, conn.Closed)
	j.read(c)
	j.want(c, nil)
	j.read()
	j.want(c, toBackend())
	if len(o.asked) != 2 {
		t.Errorf("asked %d times, want the pod and the node once", len(o.asked))
	}
}

func TestAnswersAreContested(t *testing.T) {
	unresolved := &conn.Route{NAT: conn.NATUnresolved}
	for name, c := range map[string]struct {
		reads [][]conn.Conn
		older *conn.Route
		newer *conn.Route
	}{
		"by one that is read after the answer": {[][]conn.Conn{
			{dialled(1, conn.Closed)}, {dialled(2, conn.Closed)}, {},
		}, unresolved, toBackend()},
		"by one that is read with it": {[][]conn.Conn{
			{dialled(1, conn.Closed), dialled(2, conn.Closed)}, {},
		}, unresolved, toBackend()},
		"by one that is open": {[][]conn.Conn{
			{dialled(2, conn.Open), dialled(1, conn.Closed)}, {},
		}, unresolved, toBackend()},
		"by one that comes when it is settled": {[][]conn.Conn{
			{dialled(1, conn.Closed)}, {}, {dialled(2, conn.Closed)}, {},
		}, toBackend(), toBackend()},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, service(conntrack.TimeWait))
			for _, reports := range c.reads {
				j.read(reports...)
			}
			j.want(dialled(1, conn.Closed), c.older)
			j.want(dialled(2, conn.Closed), c.newer)
		})
	}
}

// An entry that is open is not that of a connection which has ended, and the other way round an open connection may have one that closes.
func TestAnswersFit(t *testing.T) {
	for name, c := range map[string]struct {
		phase conn.Phase
		state conntrack.State
		fits  bool
	}{
		"open":                      {conn.Open, conntrack.Established, true},
		"open, half closed":         {conn.Open, conntrack.CloseWait, true},
		"closed":                    {conn.Closed, conntrack.TimeWait, true},
		"closed, orphaned":          {conn.Closed, conntrack.CloseWait, true},
		"closed, and the entry not": {conn.Closed, conntrack.Established, false},
		"closed, and a new attempt": {conn.Closed, conntrack.SynSent, false},
		"failed":                    {conn.Failed, conntrack.SynSent, true},
		"failed, and established":   {conn.Failed, conntrack.Established, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fits(c.phase, c.state); got != c.fits {
				t.Errorf("got %v, want %v", got, c.fits)
			}
		})
	}
}

// When the other end comes, the sockets of both tell more than was answered before.
func TestOtherEndComesLater(t *testing.T) {
	o := service(conntrack.Established)
	j := newJourney(t, o)
	client := dialled(1, conn.Open)
	j.read(client)
	j.read()
	j.want(client, toBackend())
	server := client
	server.ID.Cookie, server.Role, server.Namespace.Inode = 7, conn.RoleServer, 3
	server.Sequence = client.Sequence.Reverse()
	server.Tuple = conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.14:15006"), Destination: client.Tuple.Source}
	o.answers[place{3, server.Tuple}] = conntrack.Answer{
		Reply: true, State: conntrack.Established,
		Tuple: conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.14:9080"), Destination: client.Tuple.Source},
	}
	j.read(server)
	j.read()
	want := toBackend()
	want.Server = server.Tuple.Source
	j.want(client, want)
	j.want(server, want)
}

// Two ends that have each other's addresses need nobody's answer.
func TestMirroredEndsAskNobody(t *testing.T) {
	o := &oracle{}
	j := newJourney(t, o)
	client := dialled(1, conn.Closed)
	server := client
	server.ID.Cookie, server.Role, server.Sequence, server.Tuple = 7, conn.RoleServer, client.Sequence.Reverse(), client.Tuple.Reverse()
	j.read(client, server)
	j.want(client, &conn.Route{NAT: conn.NATNone})
	j.want(server, &conn.Route{NAT: conn.NATNone})
	if len(o.asked) > 0 {
		t.Errorf("asked %v", o.asked)
	}
}

func TestTheWayOutIsNotKnown(t *testing.T) {
	o := service(conntrack.Established)
	o.lost = map[uint32]bool{pod: true}
	j := newJourney(t, o)
	c := dialled(1, conn.Open)
	j.read(c)
	j.read()
	j.want(c, &conn.Route{NAT: conn.NATUnresolved})
}

// Two namespaces whose default routes lead to each other are asked once each.
func TestTheWayOutIsARing(t *testing.T) {
	o := service(conntrack.Established)
	o.outers[node] = pod
	j := newJourney(t, o)
	c := dialled(1, conn.Open)
	j.read(c)
	j.read()
	j.want(c, toBackend())
	if len(o.asked) != 2 {
		t.Errorf("asked %d times, want twice", len(o.asked))
	}
}

// More connections than may wait are asked about at once; none is dropped.
func TestManyWait(t *testing.T) {
	o := &oracle{}
	j := newJourney(t, o)
	var reports []conn.Conn
	for i := range uint64(maxQueued + 10) {
		c := dialled(i+1, conn.Open)
		c.Tuple.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
		reports = append(reports, c)
	}
	j.read(reports...)
	j.read()
	for _, c := range reports {
		if r := j.of(c); r == nil || r.NAT != conn.NATNone {
			t.Fatalf("route of %d: %+v", c.ID.Cookie, r)
		}
	}
}

// The route of an attempt is forgotten after a while.
func TestAttemptsAreForgotten(t *testing.T) {
	j := newJourney(t, &oracle{})
	c := dialled(1, conn.Failed)
	c.Sequence, c.Error = conn.Sequence{}, conn.Refused
	j.read(c)
	j.read(c)
	j.want(c, &conn.Route{NAT: conn.NATUnresolved})
	j.expire(j.now.Add(2 * aloneGrace))
	if len(j.alone)+len(j.graves) > 0 {
		t.Errorf("%d routes and %d graves are left", len(j.alone), len(j.graves))
	}
}

// Without the right to ask everything else works, and the reason is told.
func TestConnectionTrackingCannotBeAsked(t *testing.T) {
	denied := errors.New("address translation is not resolved: it takes CAP_SYS_ADMIN")
	m := silentMachine()
	m.Ask = func(string, time.Time) (Tables, error) { return Tables{}, denied }
	p, err := Open(options(t), m)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(p.Degraded(), denied) {
		t.Errorf("degraded: %v", p.Degraded())
	}
	c := dialled(1, conn.Open)
	for range 2 {
		p.handler(at(0)).Conn(c)
		p.routes.settle(at(0))
	}
	if got := p.meet(c, at(0)); got.NAT != conn.NATUnresolved || got.Server != c.Tuple.Destination || got.Port != 80 {
		t.Errorf("got %+v", got)
	}
}

// A namespace that is not found yet is asked about again, and not for ever.
func TestTooEarly(t *testing.T) {
	for name, c := range map[string]struct {
		early int // times
		want  *conn.Route
	}{
		"once":      {1, toBackend()},
		"too often": {maxTries + 1, &conn.Route{NAT: conn.NATUnresolved}},
	} {
		t.Run(name, func(t *testing.T) {
			o := service(conntrack.Established)
			j := newJourney(t, o)
			ask, early := j.tables.Ask, c.early
			j.tables.Ask = func(now time.Time, questions []conntrack.Lookup) []conntrack.Answer {
				if early > 0 {
					early--
					return []conntrack.Answer{{Result: conntrack.TooEarly}}
				}
				return ask(now, questions)
			}
			c1 := dialled(1, conn.Open)
			j.read(c1)
			for range maxTries + 2 {
				j.read()
			}
			j.want(c1, c.want)
		})
	}
}

// An attempt that was refused and the connection after it have one tuple: the order of their reports tells whose the answer is.
func TestAttemptBeforeAConnection(t *testing.T) {
	refused := dialled(1, conn.Failed)
	refused.Sequence, refused.Error = conn.Sequence{}, conn.Refused
	j := newJourney(t, service(conntrack.TimeWait))
	j.read(refused, dialled(2, conn.Closed))
	j.read()
	j.want(refused, &conn.Route{NAT: conn.NATUnresolved})
	j.want(dialled(2, conn.Closed), toBackend())
}

// What waits for its namespace may end meanwhile, and its tuple be used again: then the answer is the newer one's.
func TestTooEarlyAndUsedAgain(t *testing.T) {
	o := service(conntrack.Established)
	j := newJourney(t, o)
	ask, early := j.tables.Ask, true
	j.tables.Ask = func(now time.Time, questions []conntrack.Lookup) []conntrack.Answer {
		if early {
			early = false
			return []conntrack.Answer{{Result: conntrack.TooEarly}}
		}
		return ask(now, questions)
	}
	j.read(dialled(1, conn.Open))
	j.read(dialled(1, conn.Closed), dialled(2, conn.Open))
	j.read()
	j.want(dialled(1, conn.Closed), &conn.Route{NAT: conn.NATUnresolved})
	j.want(dialled(2, conn.Open), toBackend())
}

// A connection that was asked about while it was open has ended before the answer counts, and the answer is that of a newer one.
func TestOvertakenWhileOpen(t *testing.T) {
	j := newJourney(t, service(conntrack.Established)) // an entry that is open
	j.read(dialled(1, conn.Open))
	j.read(dialled(1, conn.Closed))
	j.read()
	j.want(dialled(1, conn.Closed), &conn.Route{NAT: conn.NATUnresolved})
}

// What is known of a connection is not given up for an answer that is none.
func TestUnresolvedReplacesNothing(t *testing.T) {
	o := service(conntrack.Established)
	j := newJourney(t, o)
	client := dialled(1, conn.Open)
	j.read(client)
	j.read()
	server := client
	server.ID.Cookie, server.Role, server.Namespace.Inode = 7, conn.RoleServer, 3
	server.Sequence = client.Sequence.Reverse()
	server.Tuple = conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.13:15006"), Destination: client.Tuple.Source}
	o.answers[place{3, server.Tuple}] = conntrack.Answer{Result: conntrack.NoNamespace}
	j.read(server)
	j.read()
	j.want(client, toBackend())
}

// A port scan leaves no more behind than connections may.
func TestAttemptsAreBounded(t *testing.T) {
	j := newJourney(t, &oracle{})
	j.pairs.Limit = 10
	for id := range uint64(100) {
		c := dialled(id+1, conn.Failed)
		c.Sequence, c.Error = conn.Sequence{}, conn.Refused
		j.read(c)
	}
	j.read()
	if len(j.alone) != 10 || j.stats.Routes[conn.NATUnresolved] != 100 {
		t.Errorf("%d kept, %d unresolved", len(j.alone), j.stats.Routes[conn.NATUnresolved])
	}
}
