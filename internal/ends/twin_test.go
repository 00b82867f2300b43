package ends

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// redirecting is the namespace of the server of ends, which redirects port 9080 to 15006.
func redirecting(established bool) *tracking {
	_, server := ends(1)
	entered := conn.Tuple{Source: netip.MustParseAddrPort("10.244.2.13:9080"), Destination: server.Tuple.Destination}
	return &tracking{entries: map[place]entry{
		{server.Namespace.Inode, server.Tuple}: {Answer{Result: Found, Reply: true, Tuple: entered}, established},
	}}
}

func viaService() *conn.Route {
	client, server := ends(1)
	return &conn.Route{NAT: conn.NATBoth, Client: client.Tuple.Source, Server: server.Tuple.Source,
		Asked: client.Tuple.Destination, Port: 9080}
}

// unsure is the route of a pair if the answer may be about another connection.
func unsure() *conn.Route {
	r := viaService()
	r.NAT = conn.NATUnresolved
	return r
}

// closedPair returns both ends of a connection that has ended. All of them have the same addresses and ports.
func closedPair(n uint32) []conn.Conn {
	client, server := ends(n)
	return []conn.Conn{closing(client), closing(server)}
}

// toPod returns a pair whose client asked for the address by which packets enter the server's namespace.
func toPod(n uint32) []conn.Conn {
	pair := closedPair(n)
	pair[0].Tuple.Destination = netip.MustParseAddrPort("10.244.2.13:9080")
	return pair
}

// redirected is the route of toPod.
func redirected() *conn.Route {
	r := viaService()
	r.Asked = netip.MustParseAddrPort("10.244.2.13:9080")
	return r
}

// fromElsewhere returns a pair whose server's socket has the same addresses, and whose client asked for another service.
func fromElsewhere(n uint32) []conn.Conn {
	pair := closedPair(n)
	pair[0].Tuple.Destination = netip.MustParseAddrPort("10.96.1.4:9080")
	return pair
}

// fromNamespace returns a pair whose client is in another namespace.
func fromNamespace(netns, n uint32) []conn.Conn {
	pair := closedPair(n)
	pair[0].Namespace.Inode = netns
	return pair
}

// Of two connections that have one tuple at the server one after the other, the entry is that of the later one.
func TestReusedTuples(t *testing.T) {
	for name, c := range map[string]struct {
		first    []conn.Conn
		readings [][]conn.Conn // after it
		want     *conn.Route
		later    *conn.Route // of the pair 100; nil: not looked at
	}{
		"an unrelated reading":           {closedPair(1), [][]conn.Conn{{}}, viaService(), nil},
		"for the same service":           {closedPair(1), [][]conn.Conn{closedPair(100), {}}, unsure(), viaService()},
		"for another service":            {closedPair(1), [][]conn.Conn{fromElsewhere(100), {}}, unsure(), nil},
		"from another namespace":         {closedPair(1), [][]conn.Conn{fromNamespace(9, 100), {}}, unsure(), viaService()},
		"one end":                        {closedPair(1), [][]conn.Conn{closedPair(100)[1:], {}}, unsure(), nil},
		"for the pod":                    {toPod(1), [][]conn.Conn{toPod(100), {}}, redirected(), redirected()},
		"for the pod, then by a service": {toPod(1), [][]conn.Conn{closedPair(100), {}}, redirected(), viaService()},
		"at once, for the same service":  {append(closedPair(1), closedPair(100)...), [][]conn.Conn{{}}, viaService(), viaService()},
		"three at once": {append(append(closedPair(1), closedPair(50)...), closedPair(100)...),
			[][]conn.Conn{{}}, viaService(), viaService()},
		"at once, for the pod, then by a service": {append(toPod(1), closedPair(100)...), [][]conn.Conn{{}}, redirected(), viaService()},
		"at once, for another service":            {append(closedPair(1), fromElsewhere(100)...), [][]conn.Conn{{}}, unsure(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, redirecting(false))
			j.read(c.first...)
			for _, reports := range c.readings {
				j.read(reports...)
			}
			for _, end := range closedPair(1) {
				j.want(end, c.want)
			}
			if c.later != nil {
				for _, end := range closedPair(100) {
					j.want(end, c.later)
				}
			}
			if n := j.Waiting(); n != 0 {
				t.Errorf("%d wait", n)
			}
		})
	}
}

// The entry of a connection is missing while the next one takes its tuple.
func TestEntryBetweenTwoConnections(t *testing.T) {
	missing := redirected()
	missing.NAT = conn.NATUnresolved
	for name, c := range map[string]struct {
		between, asked int
		want           *conn.Route
	}{
		"once":     {1, 2, redirected()},
		"for good": {4, 3, missing},
	} {
		t.Run(name, func(t *testing.T) {
			o := redirecting(false)
			o.between = c.between
			j := newJourney(t, o)
			j.read(toPod(1)...)
			j.read(closedPair(100)...)
			j.read()
			j.read()
			for _, end := range toPod(1) {
				j.want(end, c.want)
			}
			if len(o.asked) != c.asked {
				t.Errorf("asked %d times, want %d", len(o.asked), c.asked)
			}
		})
	}
}

// Of a pair that asked together, one end may be forgotten before the answer counts, or before it is asked again.
func TestOneEndOfALookupIsForgotten(t *testing.T) {
	for early := range 2 {
		o := redirecting(false)
		o.early = early
		j := newJourney(t, o)
		pair := toPod(1)
		j.read(pair...)
		j.drop(j.established[pair[0].Sequence])
		j.read()
		j.read()
		if route := j.View(pair[1].Sequence, pair[1].ID).Route; route == nil {
			t.Errorf("%d early: the other end has no route", early)
		}
		if n := j.Waiting(); n != 0 {
			t.Errorf("%d early: %d wait", early, n)
		}
	}
}

// Twins ask once.
func TestTwinsShareAQuestion(t *testing.T) {
	o := redirecting(false)
	j := newJourney(t, o)
	j.read(append(closedPair(1), closedPair(100)...)...)
	j.read()
	if len(o.asked) != 1 {
		t.Errorf("asked %d times", len(o.asked))
	}
}

// If it is too early to ask about one, all are asked about again.
func TestTwinsAreRetried(t *testing.T) {
	o := redirecting(false)
	o.early = 1
	j := newJourney(t, o)
	j.read(slices.Concat(toPod(1), toPod(50), closedPair(100), closedPair(150))...)
	j.read()
	j.read()
	for _, end := range append(toPod(1), toPod(50)...) {
		j.want(end, redirected())
	}
	for _, end := range append(closedPair(100), closedPair(150)...) {
		j.want(end, viaService())
	}
}

// A later connection may have been seen open before, and have ended before the lookup.
func TestReusedTupleOfAKnownConnection(t *testing.T) {
	for name, c := range map[string]struct {
		pair func(uint32) []conn.Conn
		want *conn.Route
	}{
		"for the same service": {closedPair, unsure()},
		"for the pod":          {toPod, redirected()},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, redirecting(false))
			later := c.pair(100)
			open := []conn.Conn{later[0], later[1]}
			open[0].Phase, open[1].Phase = conn.Open, conn.Open
			j.read(open...)
			j.read()
			j.read(c.pair(1)...)
			j.read(later...)
			j.read()
			for _, end := range c.pair(1) {
				j.want(end, c.want)
			}
		})
	}
}

// While the later connection is open, its entry is right for the one that has ended if that asked for the same address.
func TestEntryOfAnOpenConnection(t *testing.T) {
	j := newJourney(t, redirecting(true))
	j.read(append(closedPair(1), toPod(100)...)...)
	j.read()
	for _, end := range closedPair(1) {
		j.want(end, unsure())
	}
	for _, end := range toPod(100) {
		j.want(end, redirected())
	}
}

// The one that has ended may also be reported after the one that is open.
func TestEntryOfAConnectionOpenBefore(t *testing.T) {
	j := newJourney(t, redirecting(true))
	later := closedPair(100)
	for i := range later {
		later[i].Phase = conn.Open
	}
	j.read(append(later, toPod(1)...)...)
	j.read()
	for _, end := range toPod(1) {
		j.want(end, redirected())
	}
	for _, end := range later {
		j.want(end, viaService())
	}
}

// The addresses of the server's namespace do not matter to the route of a pair, so it is right without them.
func TestPairNeedsNoAddresses(t *testing.T) {
	o := redirecting(false)
	o.closed = map[uint32]bool{closedPair(1)[1].Namespace.Inode: true}
	j := newJourney(t, o)
	j.read(closedPair(1)...)
	j.read()
	for _, end := range closedPair(1) {
		j.want(end, viaService())
	}
}

// Both ends in one namespace show by themselves that it redirected the connection.
func TestPairInOneNamespaceNeedsNoLookup(t *testing.T) {
	o := redirecting(false)
	j := newJourney(t, o)
	pair := closedPair(1)
	for i := range pair {
		pair[i].Namespace = conn.Namespace{Inode: 5, Cookie: 6}
	}
	pair[1].Tuple = conn.Tuple{Source: netip.MustParseAddrPort("127.0.0.1:15001"),
		Destination: netip.MustParseAddrPort("10.244.1.11:1024")} // the kernel chose another port
	j.read(pair...)
	for _, end := range pair {
		j.want(end, &conn.Route{NAT: conn.NATRedirect, Client: pair[0].Tuple.Source, Server: pair[1].Tuple.Source,
			Asked: pair[0].Tuple.Destination, Port: 9080})
	}
	if len(o.asked) > 0 {
		t.Errorf("asked %v", o.asked)
	}
}
