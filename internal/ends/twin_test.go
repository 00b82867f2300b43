package ends

import (
	"net/netip"
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

// A port that is used again for the same service at once leads to the same server by the same rules.
func TestTwins(t *testing.T) {
	for name, c := range map[string]struct {
		readings     [][]conn.Conn
		first, later *conn.Route
	}{
		"in one reading":          {[][]conn.Conn{append(closedPair(1), closedPair(100)...), {}}, viaService(), viaService()},
		"the later one is next":   {[][]conn.Conn{closedPair(1), closedPair(100), {}}, viaService(), viaService()},
		"three in one reading":    {[][]conn.Conn{append(append(closedPair(1), closedPair(50)...), closedPair(100)...), {}}, viaService(), viaService()},
		"another service":         {[][]conn.Conn{closedPair(1), fromElsewhere(100), {}}, unsure(), nil},
		"another service at once": {[][]conn.Conn{append(closedPair(1), fromElsewhere(100)...), {}}, unsure(), nil},
		"another namespace":       {[][]conn.Conn{closedPair(1), fromNamespace(9, 100), {}}, unsure(), viaService()},
		"one end alone":           {[][]conn.Conn{closedPair(1), closedPair(100)[1:], {}}, unsure(), nil},
		"a twin, then another service": {[][]conn.Conn{
			closedPair(1), append(closedPair(100), fromElsewhere(200)...), {}}, unsure(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, redirecting(false))
			for _, reports := range c.readings {
				j.read(reports...)
			}
			for _, end := range closedPair(1) {
				j.want(end, c.first)
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

// If it is too early to ask about one, both are asked about again.
func TestTwinsAreRetried(t *testing.T) {
	o := redirecting(false)
	o.early = 1
	j := newJourney(t, o)
	j.read(append(closedPair(1), closedPair(100)...)...)
	j.read()
	j.read()
	for _, end := range append(closedPair(1), closedPair(100)...) {
		j.want(end, viaService())
	}
}

// While the later connection is open, its entry is no answer for the one that has ended. Once it has ended too, it is.
func TestEntryOfALaterTwin(t *testing.T) {
	for name, c := range map[string]struct {
		later []conn.Conn
		want  *conn.Route
	}{
		"the same service": {closedPair(100), viaService()},
		"another service":  {fromElsewhere(100), unsure()},
		"nothing later":    {nil, unsure()},
	} {
		t.Run(name, func(t *testing.T) {
			o := redirecting(true)
			j := newJourney(t, o)
			j.read(closedPair(1)...)
			o.entries = redirecting(false).entries // the later one has ended
			j.read(c.later...)
			j.read()
			j.read()
			for _, end := range closedPair(1) {
				j.want(end, c.want)
			}
			if n := j.Waiting(); n != 0 {
				t.Errorf("%d wait", n)
			}
		})
	}
}

// A later connection that was seen open before, and ended before the lookup, has the entry too.
func TestEntryOfALaterConnectionThatWasKnown(t *testing.T) {
	for name, c := range map[string]struct {
		later []conn.Conn
		want  *conn.Route
	}{
		"the same service": {closedPair(100), viaService()},
		"another service":  {fromElsewhere(100), unsure()},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, redirecting(false))
			open := []conn.Conn{c.later[0], c.later[1]}
			open[0].Phase, open[1].Phase = conn.Open, conn.Open
			j.read(open...)
			j.read()
			j.read(closedPair(1)...)
			j.read(c.later...)
			j.read()
			for _, end := range closedPair(1) {
				j.want(end, c.want)
			}
		})
	}
}

// A later connection may keep the entry for as long as the caller waits, and no longer.
func TestEntryOfALongTwin(t *testing.T) {
	for name, c := range map[string]struct {
		readings int
		want     *conn.Route
	}{
		"it ends in time": {10, viaService()},
		"it does not":     {30, unsure()},
	} {
		t.Run(name, func(t *testing.T) {
			o := redirecting(true)
			j := newJourney(t, o)
			j.read(closedPair(1)...)
			for range c.readings {
				j.read()
			}
			o.entries = redirecting(false).entries
			j.read(closedPair(100)...)
			j.read()
			j.read()
			for _, end := range closedPair(1) {
				j.want(end, c.want)
			}
			if len(o.asked) > maxDisplaced+3 {
				t.Errorf("asked %d times", len(o.asked))
			}
		})
	}
}

// Both ends in one namespace show by themselves that it redirected the connection.
func TestPairInOneNamespaceAsksNobody(t *testing.T) {
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
