package pipeline

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
)

// traffic makes connections of few classes: with both ends here or one, translated or not, of long life or short.
type traffic struct {
	random *rand.Rand
	made   uint32
	open   []conn.Conn // that were reported, and end later
	late   []conn.Conn // ends whose other ends the last reading had
}

// pair returns the two ends of a new connection. Times are binary fractions, so that no sum depends on the order.
func (w *traffic) pair() (client, server conn.Conn) {
	w.made++
	pick := func(n int) int { return w.random.IntN(n) }
	client = dialled(2*uint64(w.made), conn.Closed)
	client.Process.Executable = []string{"curl", "wget"}[pick(2)]
	client.Sequence = conn.Sequence{Local: w.random.Uint32(), Remote: w.random.Uint32()}
	client.Tuple.Source = netip.AddrPortFrom(client.Tuple.Source.Addr(), uint16(40000+pick(3)))
	client.Counts = conn.Counts{conn.Sent: uint64(pick(1000)), conn.Received: uint64(pick(1000)), conn.SegmentsSent: 3}
	client.RTT, client.Age = time.Duration(1+pick(4))*250*time.Millisecond, time.Second
	client.Error = []conn.Error{conn.NoError, conn.Reset}[pick(2)]
	server = client
	server.ID.Cookie++
	server.Process.Executable, server.Role = "nginx", conn.RoleServer
	server.Sequence, server.Tuple = client.Sequence.Reverse(), client.Tuple.Reverse()
	switch pick(6) {
	case 0: // redirected within a namespace
		server.Tuple.Source = netip.MustParseAddrPort("10.244.2.13:15006")
	case 1: // another port of the client, as masquerading makes it
		server.Tuple.Destination = netip.AddrPortFrom(server.Tuple.Destination.Addr(), 1024)
		server.Namespace.Inode++
	case 2: // a service, so that the ends do not show the route
		client.Tuple.Destination = netip.MustParseAddrPort("10.96.0.1:80")
		server.Namespace.Inode++
	case 3: // a connection to a restored process
		client.Role, server.Role = conn.RoleUnknown, conn.RoleUnknown
	}
	return client, server
}

// reading returns what has ended.
func (w *traffic) reading() (reports []conn.Conn) {
	reports, w.late = w.late, nil
	for range w.random.IntN(40) {
		client, server := w.pair()
		switch w.random.IntN(8) {
		case 0:
			reports = append(reports, client)
		case 1:
			client.Phase, client.Sequence, client.Counts = conn.Failed, conn.Sequence{}, conn.Counts{}
			client.Error = conn.Refused
			reports = append(reports, client)
		case 2:
			reports, w.late = append(reports, client), append(w.late, server)
		case 3:
			w.open = append(w.open, client, server)
		default:
			reports = append(reports, server, client)
		}
	}
	w.random.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
	return reports
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

// A pair that is counted at once counts as one that is kept: events have every connection kept.
func TestPairsCountAsIfTheyWereKept(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var got [2]string
			var flows [2][]flow.Resource
			for i, events := range []bool{false, true} {
				o := options(t)
				if seed%2 == 1 {
					o.Mask = func(k flow.Key) flow.Key { return k }
				}
				got[i], flows[i], _ = run(t, seed, o, events)
			}
			if got[0] != got[1] {
				t.Errorf("counted at once: %s; kept: %s", got[0], got[1])
			}
			addresses := cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})
			if diff := cmp.Diff(flows[1], flows[0], addresses); diff != "" {
				t.Errorf("flows (-kept +counted at once):\n%s", diff)
			}
		})
	}
}

// Beyond the limit of flows, which of them have a name depends on the order. The sums do not.
func TestPairsBeyondTheLimit(t *testing.T) {
	var sums [2]totals
	for i, events := range []bool{false, true} {
		o := options(t)
		o.Flows.LimitPerResource = 3
		o.Mask = func(k flow.Key) flow.Key { return k }
		_, flows, sum := run(t, 1, o, events)
		sums[i] = sum
		if !slices.ContainsFunc(flows, func(r flow.Resource) bool {
			return slices.ContainsFunc(r.Flows, func(f *flow.Flow) bool { return f.Overflow })
		}) {
			t.Error("nothing is beyond the limit")
		}
	}
	wantTotals(t, "counted at once, and kept", sums[1], sums[0])
}

// run has a pipeline read the traffic of a seed, and returns its counters, its flows at the end, and the sums of what all
// collections had new. With events, it keeps every connection.
func run(t *testing.T, seed uint64, o Options, events bool) (counters string, flows []flow.Resource, sum totals) {
	t.Helper()
	w := &traffic{random: rand.New(rand.NewPCG(seed, 2))}
	s := &scripted{now: at(1000)}
	p, err := Open(o, s.machine())
	if err != nil {
		t.Fatal(err)
	}
	p.WantEvents(events)
	differences := flow.NewDifferences(s.now)
	collect := func() {
		if flows, err = p.Collect(s.now); err != nil {
			t.Fatal(err)
		}
		n := totalsOf(differences.Of(flows, s.now))
		differences.Accept()
		sum.Transmitted, sum.Received = sum.Transmitted+n.Transmitted, sum.Received+n.Received
		sum.Attempts, sum.Closed = sum.Attempts+n.Attempts, sum.Closed+n.Closed
	}
	for range 5 {
		for range 3 {
			s.reports = w.reading()
			s.pass(t, p, DrainInterval)
		}
		s.live = w.live()
		collect()
		s.reports, s.live = w.end(), nil
		s.pass(t, p, DrainInterval)
	}
	s.reports = w.reading()
	for range 40 {
		s.pass(t, p, DrainInterval)
	}
	collect()
	return fmt.Sprint(p.ends.Stats(), p.flows.Stats().Connections, w.made), flows, sum
}
