package pipeline

import (
	stdcmp "cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
)

// traffic makes connections of few classes: with both ends here or one, translated or not, of long life or short,
// refused, timed out or reset.
type traffic struct {
	random *rand.Rand
	made   uint32
	open   []conn.Conn   // that were reported, and end later
	late   [][]conn.Conn // ends whose other ends earlier readings had, by the reading
	seen   map[conn.Sequence]bool
}

// patient is so many readings that an end has waited for the other one in vain.
const patient = int(Patience/DrainInterval) + 3

// pair returns the two ends of a new connection. Times are binary fractions, so that no sum depends on the order.
func (w *traffic) pair() (client, server conn.Conn) {
	w.made++
	pick := func(n int) int { return w.random.IntN(n) }
	client = dialled(2*uint64(w.made), conn.Closed)
	client.Process.Executable = []string{"curl", "wget"}[pick(2)]
	client.Sequence = conn.Sequence{Local: w.random.Uint32(), Remote: w.random.Uint32()}
	client.Tuple.Source = netip.AddrPortFrom(client.Tuple.Source.Addr(), uint16(40000+pick(30)))
	client.Counts = conn.Counts{conn.Sent: uint64(pick(1000)), conn.Received: uint64(pick(1000)), conn.SegmentsSent: 3}
	client.RTT, client.Age = time.Duration(1+pick(4))*250*time.Millisecond, time.Second
	client.Opened = at(990 + int64(pick(12)))
	client.Error = []conn.Error{conn.NoError, conn.Reset}[pick(2)]
	server = client
	server.ID.Cookie++
	server.Process.Executable, server.Role = "nginx", conn.RoleServer
	server.Sequence, server.Tuple = client.Sequence.Reverse(), client.Tuple.Reverse()
	switch pick(8) {
	case 0: // redirected within a namespace
		server.Tuple.Source = netip.MustParseAddrPort("10.244.2.13:15006")
	case 1: // another port of the client, as masquerading makes it
		server.Tuple.Destination = netip.AddrPortFrom(server.Tuple.Destination.Addr(), 1024)
		server.Namespace.Inode++
	case 2, 3: // a service, so that the ends do not show the route
		client.Tuple.Destination = asService
		server.Namespace.Inode++
	case 4: // a connection to a restored process
		client.Role, server.Role = conn.RoleUnknown, conn.RoleUnknown
	case 5: // outside
		client.Tuple.Destination = netip.MustParseAddrPort(outsideAddr + ":443")
		server.Tuple = client.Tuple.Reverse()
	}
	return client, server
}

var asService = netip.MustParseAddrPort("10.96.0.1:80")

// tracked is what connection tracking knows: a service has two backends, each of which redirects some of its
// connections. Some entries are those of later connections.
func tracked(l conntrack.Lookup) conntrack.Answer {
	a := conntrack.Answer{Tuple: l.Tuple, State: conntrack.TimeWait, Reply: l.Tuple.Source.Port() < 40000}
	client := max(l.Tuple.Source.Port(), l.Tuple.Destination.Port())
	switch {
	case client%7 == 0:
		return conntrack.Answer{Result: conntrack.NoEntry, Translates: client%2 == 0}
	case client%11 == 0:
		a.State = conntrack.Established
	}
	switch {
	case l.Tuple.Destination == asService:
		a.Tuple.Destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 244, 2, byte(13 + client%2)}), 9080)
	case a.Reply && client%3 == 0:
		a.Tuple.Source = asService
	}
	return a
}

// reading returns what has ended.
func (w *traffic) reading() (reports []conn.Conn) {
	reports = w.delayed()
	for range w.random.IntN(40) {
		client, server := w.pair()
		switch w.random.IntN(10) {
		case 0:
			reports = append(reports, client)
		case 1:
			reports = append(reports, server)
		case 2:
			client.Phase, client.Sequence, client.Counts = conn.Failed, conn.Sequence{}, conn.Counts{}
			client.Error = []conn.Error{conn.Refused, conn.TimedOut, conn.NotSent}[w.random.IntN(3)]
			reports = append(reports, client)
		case 3:
			reports = append(reports, client)
			w.postpone(server, []int{1, 1, 3, patient}[w.random.IntN(4)])
		case 4:
			w.open = append(w.open, client, server)
		default:
			reports = append(reports, server, client)
		}
	}
	w.random.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
	return reports
}

// delayed returns the ends that were postponed until now.
func (w *traffic) delayed() (reports []conn.Conn) {
	if len(w.late) > 0 {
		reports, w.late = w.late[0], w.late[1:]
	}
	return reports
}

// postpone has an end reported so many readings later.
func (w *traffic) postpone(c conn.Conn, readings int) {
	for len(w.late) < readings {
		w.late = append(w.late, nil)
	}
	w.late[readings-1] = append(w.late[readings-1], c)
}

// cut returns the first reports of a reading, so that the second reading of a drain has the others: the last of the
// first ones is of an end without the other one.
func (w *traffic) cut(all []conn.Conn) (first, second []conn.Conn) {
	at := w.random.IntN(len(all) + 1)
	seen := w.seen
	w.seen = maps.Clone(seen)
	for _, c := range slices.Concat(all, w.open) {
		w.seen[c.Sequence] = true
	}
	if at == 0 || all[at-1].Phase != conn.Closed || seen[all[at-1].Sequence] {
		return all, nil
	}
	other := all[at-1].Sequence.Reverse()
	if seen[other] || slices.ContainsFunc(all[:at], func(o conn.Conn) bool { return o.Sequence == other }) {
		return all, nil
	}
	return all[:at], all[at:]
}

// live returns what a snapshot shows.
func (w *traffic) live() (reports []conn.Conn) {
	for _, c := range w.open {
		c.Phase = conn.Open
		reports = append(reports, c)
	}
	return reports
}

// end returns the ends of what was open.
func (w *traffic) end() (reports []conn.Conn) {
	reports, w.open = w.open, nil
	return reports
}

// moments knows another peer at each address from a time on, and is certain of both after a while.
type moments struct{ oracle }

func (s *moments) Peer(q conn.Query) (conn.Peer, conn.Answer) {
	if q.Here || q.Address == netip.MustParseAddr(outsideAddr) {
		return conn.Peer{}, conn.Final
	}
	p := conn.Peer{
		names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "web",
		names.PeerWorkload: "old",
	}
	if q.At.After(at(996)) {
		p[names.PeerWorkload] = "new"
	}
	if q.Now.Sub(q.At) < 11*time.Second {
		return p, conn.Provisional
	}
	return p, conn.Final
}

// A brief end counts as one that the tables keep: at the same time, in the same flow and event, whatever readings and
// collections its waiting is cut by.
func TestBriefEndsCountAsIfTheyWereKept(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var got [2]story
			for i, limit := range []int{0, maxBrief} {
				o := options(t)
				o.Events.MaxPerSecond = 100_000
				if seed%2 == 1 {
					o.Mask = func(k flow.Key) flow.Key { return k }
				}
				if seed&4 != 0 {
					o.DNS, o.PeerDomains = dns.All, 2
				}
				got[i] = tell(t, seed, o, limit)
			}
			equal := cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, conn.ID{}, conn.Counts{})
			if reflect.DeepEqual(got[0], got[1]) {
				return // cmp.Diff takes long
			}
			options := cmp.Options{cmp.AllowUnexported(story{}), cmpopts.IgnoreUnexported(Identity{}), equal}
			t.Errorf("(-kept +brief):\n%s", cmp.Diff(got[0], got[1], options))
		})
	}
}

// Beyond the limit of flows, which of them have a name depends on the order. The sums do not.
func TestBriefEndsBeyondTheLimit(t *testing.T) {
	for _, limit := range []int{0, maxBrief} {
		o := options(t)
		o.Flows.LimitPerResource = 3
		o.Mask = func(k flow.Key) flow.Key { return k }
		got := tell(t, 1, o, limit)
		if !slices.ContainsFunc(got.flows[len(got.flows)-1], func(f flow.Flow) bool { return f.Overflow }) {
			t.Error("nothing is beyond the limit")
		}
	}
}

// At the limit of connections nothing is missing either.
func TestBriefEndsBeyondTheConnections(t *testing.T) {
	for seed := range uint64(4) {
		o := options(t)
		o.Flows.MaxConnections = 40
		tell(t, seed, o, maxBrief)
	}
}

// story is what a pipeline made of a traffic.
type story struct {
	counters string
	flows    [][]flow.Flow // of each collection
	events   []Event       // by connection
	sum      totals        // of what all collections had new
	want     totals        // of the reports
}

// counting opens the sockets, and has sum count the ends that they report.
func (s *scripted) counting(sum *totals) func() (Sockets, error) {
	open := s.machine().Open
	return func() (Sockets, error) {
		sockets, err := open()
		drain := sockets.Drain
		sockets.Drain = func(h kernel.Handler) error {
			for _, c := range s.reports {
				sum.Transmitted += int64(c.Counts[conn.Sent])
				sum.Received += int64(c.Counts[conn.Received])
				sum.Attempts++
				if c.Phase == conn.Closed {
					sum.Closed++
				}
			}
			return drain(h)
		}
		return sockets, err
	}
}

// tell has a pipeline read the traffic of a seed. No more brief ends than limit wait.
func tell(t *testing.T, seed uint64, o Options, limit int) (got story) {
	t.Helper()
	w := &traffic{random: rand.New(rand.NewPCG(seed, 2)), seen: make(map[conn.Sequence]bool)}
	s := &scripted{now: at(1000), translate: tracked, answered: map[string][]dns.Address{partner: addresses(outsideAddr)}}
	m := s.machine()
	m.Open = s.counting(&got.want)
	if seed&8 != 0 {
		m.Join = func(Options, func() time.Time) (Sources, []error) { return Sources{&moments{}}, nil }
	}
	p, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	p.briefs.limit = limit
	p.WantEvents(seed&2 != 0)
	differences := flow.NewDifferences(s.now)
	collect := func() {
		resources, err := p.Collect(s.now)
		if err != nil {
			t.Fatal(err)
		}
		n := totalsOf(differences.Of(resources, s.now))
		differences.Accept()
		got.sum.Transmitted, got.sum.Received = got.sum.Transmitted+n.Transmitted, got.sum.Received+n.Received
		got.sum.Attempts, got.sum.Closed = got.sum.Attempts+n.Attempts, got.sum.Closed+n.Closed
		got.flows = append(got.flows, copied(resources))
		got.events = append(got.events, p.Events(s.now)...)
	}
	for range 5 {
		for i := range 4 {
			s.reports, s.next = w.cut(append(s.reports, w.reading()...))
			if i == 1 {
				s.exchanges = []conn.Lookup{asked(partner, at(994))}
			}
			s.pass(t, p, DrainInterval)
		}
		s.live = w.live()
		collect()
		s.reports, s.live = append(s.reports, w.end()...), nil
		s.pass(t, p, DrainInterval)
	}
	for len(w.late) > 0 {
		s.reports = append(s.reports, w.delayed()...)
		s.pass(t, p, DrainInterval)
	}
	for len(s.reports) > 0 {
		s.pass(t, p, DrainInterval)
	}
	p.TakeAsFinal(seed&1 != 0)
	collect()
	s.pass(t, p, 2*Patience)
	collect()
	wantTotals(t, "what was reported", got.want, got.sum)
	got.counters = fmt.Sprint(p.ends.Stats(), p.flows.Stats(), w.made, p.events.stats)
	slices.SortStableFunc(got.events, func(a, b Event) int { return stdcmp.Compare(a.Conn.ID.Cookie, b.Conn.ID.Cookie) })
	return got
}

// copied returns the flows of a collection, with what they have at that time.
func copied(resources []flow.Resource) (all []flow.Flow) {
	for _, r := range resources {
		for _, f := range r.Flows {
			var own flow.Flow
			own.Add(f)
			own.Key, own.Overflow, own.Start = f.Key, f.Overflow, f.Start
			all = append(all, own)
		}
	}
	return all
}
